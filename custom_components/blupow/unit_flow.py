"""Adds units behind a module: the user has them searched, and chooses."""

from typing import Any, Final

import probatio

from homeassistant.config_entries import ConfigEntryState, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from .const import CONF_UNIT_ID
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .device_flow import WaitingSteps
from .lib.blupow_ble.protocol.errors import ReaderError
from .lib.blupow_ble.reader.probing import UNIT_IDS
from .lib.blupow_ble.reader.result import Finding
from .lib.blupow_ble.supervisor.unit_matching import moved_units, new_units
from .unit_offers import add_units, label
from .units import new_subentries, unit_id_of_own, unit_subentries

CONF_UNITS: Final = "units"
SEARCH: Final = "find_units"
"""What the form shows while units are searched."""


class UnitFlow(WaitingSteps[SubentryFlowResult], ConfigSubentryFlow):
    """Find the units behind a module, and add those that the user chooses."""

    def __init__(self) -> None:
        """Initialize the flow."""
        self._errors = {}
        self._found: list[Finding] = []

    @property
    def _entry(self) -> BluPowConfigEntry:
        return self._get_entry()

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Look for other units behind the module, once the user says so."""
        entry = self._entry
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        if entry.runtime_data.only.supervisor.own.profile.push is not None:
            return self.async_abort(reason="only_sends")
        if user_input is not None:
            self._input = user_input
            typed = user_input.get(CONF_UNIT_ID)
            unit_ids = () if typed is None else (int(typed),)
            search = self._search(entry.runtime_data.only, unit_ids)
            return await self._wait_for(search, self._searched, entry.title, SEARCH)
        selector = NumberSelector(
            NumberSelectorConfig(min=1, max=UNIT_IDS[-1], mode=NumberSelectorMode.BOX)
        )
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema({probatio.Optional(CONF_UNIT_ID): selector}), self._input
            ),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    async def _search(self, coordinator: BluPowCoordinator, unit_ids: tuple[int, ...]) -> None:
        try:
            self._found = await coordinator.supervisor.find_units(unit_ids)
        except ReaderError as err:
            self._note(err)

    async def _searched(self) -> SubentryFlowResult:
        """Offer the units that were found, or tell that there are none."""
        entry = self._entry
        if self._errors or entry.state is not ConfigEntryState.LOADED:
            return await self.async_step_user()
        if new_units(entry.runtime_data.only.supervisor.units, self._found):
            return await self.async_step_add_units()
        if self._keep_moved():
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
            return self.async_abort(reason="units_moved")
        self._errors = {"base": "no_more_units"}
        return await self.async_step_user()

    async def async_step_add_units(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Add the units that the user chooses of those that were found."""
        entry = self._entry
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        units = entry.runtime_data.only.supervisor.units
        found = {str(finding.unit_id): finding for finding in new_units(units, self._found)}
        if user_input is not None and user_input[CONF_UNITS]:
            if chosen := [found[key] for key in user_input[CONF_UNITS] if key in found]:
                return self._add(chosen)
            self._errors = {"base": "no_more_units"}  # they were added meanwhile
            return await self.async_step_user()
        options = [
            SelectOptionDict(value=key, label=label(self.hass, finding))
            for key, finding in found.items()
        ]
        selector = SelectSelector(
            SelectSelectorConfig(options=options, multiple=True, mode=SelectSelectorMode.LIST)
        )
        schema = probatio.Schema({probatio.Required(CONF_UNITS, default=list(found)): selector})
        return self.async_show_form(
            step_id="add_units",
            data_schema=schema,
            errors={} if user_input is None else {"base": "no_unit_chosen"},
            description_placeholders=self._placeholders(entry.title),
        )

    def _add(self, chosen: list[Finding]) -> SubentryFlowResult:
        """Add units: the last one as the result of the flow, which is one subentry."""
        self._keep_moved()
        entry = self._entry
        *others, last = chosen
        add_units(self.hass, entry, entry.runtime_data.only.supervisor.own, others)
        (subentry,) = new_subentries(
            [last], (subentry.unique_id for subentry in unit_subentries(entry))
        )
        return self.async_create_entry(
            title=subentry.title, data=subentry.data, unique_id=subentry.unique_id
        )

    def _keep_moved(self) -> bool:
        """Keep the unit IDs that known units have now; return whether one has changed."""
        entry = self._entry
        coordinator = entry.runtime_data.only
        moved = moved_units(coordinator.supervisor.units, self._found)
        own_id = unit_id_of_own(entry.data, coordinator.supervisor.own, moved)
        several = len(coordinator.supervisor.units) > 1 or bool(
            new_units(coordinator.supervisor.units, self._found)
        )
        entries = self.hass.config_entries
        changed = several and entries.async_update_entry(
            entry, data={**entry.data, CONF_UNIT_ID: own_id}
        )
        for subentry in unit_subentries(entry):
            now = moved.get(subentry.unique_id or "", subentry.data[CONF_UNIT_ID])
            data = {**subentry.data, CONF_UNIT_ID: now}
            changed = entries.async_update_subentry(entry, subentry, data=data) or changed
        return changed
