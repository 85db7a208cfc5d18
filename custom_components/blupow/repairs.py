"""The flows that mend what a repair tells of."""

from abc import abstractmethod
import asyncio
from typing import Any, override

import probatio

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_ADDRESS
from homeassistant.core import HomeAssistant

from .const import CONF_UNIT_ID, DOMAIN
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .exceptions import message_of
from .issues import IssueKind
from .lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from .lib.blupow_ble.reader.result import Finding
from .lib.blupow_ble.supervisor.unit_matching import new_units
from .lib.blupow_ble.text import plain
from .options import CONF_ROUTE, RouteChoice, number_option
from .options_flow import number_selector
from .unit_offers import add_units, label, offered


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that mends an issue."""
    assert data is not None
    kind = IssueKind(str(data["kind"]))
    if kind is IssueKind.READ_IN_PROCESS:
        for concerned in hass.config_entries.async_loaded_entries(DOMAIN):
            for coordinator in concerned.runtime_data.coordinators:
                if coordinator.why_no_process is not None:
                    return StartProcess(concerned, coordinator.key)
        return NothingLeft()
    entry = hass.config_entries.async_get_entry(str(data["entry_id"]))
    if entry is None:
        return NothingLeft()
    key = str(data.get("key", entry.entry_id))
    match kind:
        case IssueKind.READER_CANNOT_START if CONF_ADDRESS in entry.data:
            return ReadInProcess(entry, key)
        case IssueKind.UNIT_NOT_FOUND if CONF_ADDRESS in entry.data:
            return OtherUnit(entry, key)
        case IssueKind.EARLIER_RELEASE:
            return RemoveEntry(entry)
        case IssueKind.UNIT_FOUND:
            return AddUnit(entry, offered(data))
        case IssueKind.READ_TWICE:
            return MoveToBridge(entry, str(data["address"]))
        case _:
            return TryAgain(entry, key)


class NothingLeft(RepairsFlow):
    """No device is concerned any more: the repair goes when it is opened."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """End."""
        return self.async_create_entry(data={})


class EntryRepair(RepairsFlow):
    """A flow about one entry, which begins with its question."""

    def __init__(self, entry: BluPowConfigEntry) -> None:
        """Prepare to ask."""
        self._entry = entry

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    @abstractmethod
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask."""


class BluPowRepair(EntryRepair):
    """A flow that changes something, and has worked when the device is read."""

    schema: probatio.Schema | None = None

    def __init__(self, entry: BluPowConfigEntry, key: str) -> None:
        """Prepare to mend the device of a link."""
        super().__init__(entry)
        self._key = key
        self._mending: asyncio.Task[ReaderError | None] | None = None
        self._failed: ReaderError | None = None

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Change it when the user agrees, and see whether that was it."""
        if user_input is not None:
            self._mending = self.hass.async_create_task(self._mend(user_input), "blupow repair")
            return await self.async_step_mend()
        failed, self._failed = self._failed, None
        problem = message_of(failed, self.name) if failed else ""
        return self.async_show_form(
            step_id="confirm",
            data_schema=self.schema or probatio.Schema({}),
            errors={"base": "still_failing"} if failed else {},
            description_placeholders={"name": plain(self.name), "problem": plain(problem)},
        )

    async def async_step_mend(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show that it goes on: it may take minutes, and a proxy cuts a request after one."""
        assert self._mending is not None
        if not self._mending.done():
            # a browser that goes away must not leave the entry half loaded
            shielded = self.hass.async_create_task(_outlast(self._mending), "blupow repair shown")
            return self.async_show_progress(
                step_id="mend",
                progress_action="mend",
                progress_task=shielded,
                description_placeholders={"name": plain(self.name)},
            )
        return self.async_show_progress_done(next_step_id="mended")

    async def async_step_mended(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Tell what came of it."""
        assert self._mending is not None
        self._failed = self._mending.result()
        if self._entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        if self._failed is None:
            return self.async_create_entry(data={})
        return await self.async_step_confirm()

    async def _mend(self, user_input: dict[str, Any]) -> ReaderError | None:
        """Change it, and read the device by all means; return why it cannot be read."""
        await self.change(user_input)
        if self._entry.state is ConfigEntryState.LOADED:
            try:
                if (coordinator := self.coordinator) is not None:
                    await coordinator.reconnect()
            except ReaderError as err:
                return err
        return None

    @property
    def coordinator(self) -> BluPowCoordinator | None:
        """The link that is concerned; None if it was removed meanwhile."""
        coordinators = self._entry.runtime_data.coordinators
        return next((item for item in coordinators if item.key == self._key), None)

    @property
    def name(self) -> str:
        """What people call the device."""
        known = self._entry.state is ConfigEntryState.LOADED and self.coordinator
        return known.name if known else self._entry.title

    async def change(self, user_input: dict[str, Any]) -> None:
        """Change what is wrong; nothing where the user has done it."""

    async def reload(self, options: dict[str, Any]) -> None:
        """Load the entry again with other options."""
        self.hass.config_entries.async_update_entry(self._entry, options=options)
        await self.hass.config_entries.async_reload(self._entry.entry_id)


async def _outlast(mending: asyncio.Task[Any]) -> None:
    """Wait for something that goes on when this is cancelled."""
    await asyncio.wait((mending,))


class AgreedRepair(EntryRepair):
    """A flow that does something at once when the user agrees."""

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask, and do it."""
        if user_input is not None:
            return await self.agreed()
        return self.async_show_form(
            step_id="confirm",
            data_schema=probatio.Schema({}),
            description_placeholders={"name": plain(self._entry.title), **self.facts},
        )

    @property
    def facts(self) -> dict[str, str]:
        """What the form names beside the entry."""
        return {}

    @abstractmethod
    async def agreed(self) -> RepairsFlowResult:
        """Do it."""


class RemoveEntry(AgreedRepair):
    """An entry of release 3 names no device: it is deleted."""

    @override
    async def agreed(self) -> RepairsFlowResult:
        """Delete it."""
        await self.hass.config_entries.async_remove(self._entry.entry_id)
        return self.async_create_entry(data={})


class AddUnit(AgreedRepair):
    """A unit was found behind a module: it is added."""

    def __init__(self, entry: BluPowConfigEntry, finding: Finding) -> None:
        """Prepare to add a unit."""
        super().__init__(entry)
        self._finding = finding

    @property
    @override
    def facts(self) -> dict[str, str]:
        """The unit."""
        return {"unit": plain(label(self.hass, self._finding))}

    @override
    async def agreed(self) -> RepairsFlowResult:
        """Add it, unless it was added meanwhile."""
        if self._entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        coordinator = self._entry.runtime_data.only
        if new := new_units(coordinator.supervisor.units, [self._finding]):
            add_units(self.hass, self._entry, coordinator.supervisor.own, new)
        return self.async_create_entry(data={})


class MoveToBridge(AgreedRepair):
    """A bridge reads a device that Home Assistant reads too: the bridge alone reads it from now on."""

    def __init__(self, entry: BluPowConfigEntry, address: str) -> None:
        """Prepare to move a device to the bridge of an entry."""
        super().__init__(entry)
        self._address = address

    @property
    def _direct(self) -> BluPowConfigEntry | None:
        return self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, self._address)

    @property
    @override
    def facts(self) -> dict[str, str]:
        """The device, and the bridge."""
        direct = self._direct
        name = self._address if direct is None else direct.title
        return {"name": plain(name), "bridge": plain(self._entry.title)}

    @override
    async def agreed(self) -> RepairsFlowResult:
        """Delete the entry of the device; its entities come back with the bridge, under the same ids."""
        if (direct := self._direct) is not None:
            await self.hass.config_entries.async_remove(direct.entry_id)
        await self.hass.config_entries.async_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


class TryAgain(BluPowRepair):
    """The user has closed the app, plugged the adapter in or moved it: try again, with all means."""


class ReadInProcess(BluPowRepair):
    """The reader process cannot be started: read inside Home Assistant instead."""

    @override
    async def change(self, user_input: dict[str, Any]) -> None:
        """Choose the route."""
        await self.reload({**self._entry.options, CONF_ROUTE: RouteChoice.IN_PROCESS.value})


class StartProcess(BluPowRepair):
    """What kept reader processes from starting is mended: start one again."""

    @override
    async def change(self, user_input: dict[str, Any]) -> None:
        """Try processes again: the user has fixed the cause."""
        if (coordinator := self.coordinator) is not None:
            coordinator.try_process()

    @override
    async def _mend(self, user_input: dict[str, Any]) -> ReaderError | None:
        """Read the device; when that was done in-process once more, it is not mended."""
        failed = await super()._mend(user_input)
        coordinator = self.coordinator
        why = None if coordinator is None else coordinator.why_no_process
        if failed is None and why is not None:
            return ReaderError(ErrorCode.READER_CRASHED, why, stage=Stage.START)
        return failed


class OtherUnit(BluPowRepair):
    """The unit does not answer: take another one, or find it by trying."""

    schema = probatio.Schema(
        {probatio.Optional(CONF_UNIT_ID): number_selector(number_option(CONF_UNIT_ID))}
    )

    @override
    async def change(self, user_input: dict[str, Any]) -> None:
        """Set the unit ID, or leave it to be found."""
        options = {key: value for key, value in self._entry.options.items() if key != CONF_UNIT_ID}
        if (unit := user_input.get(CONF_UNIT_ID)) is not None:
            options[CONF_UNIT_ID] = int(unit)
        data = {**self._entry.data, CONF_UNIT_ID: None}
        self.hass.config_entries.async_update_entry(self._entry, data=data)
        await self.reload(options)
