"""Shows Home Assistant what the supervisor of one link has."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
import logging
from typing import TYPE_CHECKING, Any, Final, override

from homeassistant.components import persistent_notification
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from . import events
from .clock import HomeAssistantClock
from .const import DOMAIN
from .entry_store import EntryStore, take_kept
from .exceptions import placeholders
from .lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from .lib.blupow_ble.reader.messages import VIRTUAL
from .lib.blupow_ble.reader.result import Finding, UnitReading
from .lib.blupow_ble.supervisor.link_state import continued
from .lib.blupow_ble.supervisor.protocols import LinkEvent, Reader, Remedies, ScheduleEvent
from .lib.blupow_ble.supervisor.supervisor import Supervisor
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .lib.blupow_ble.supervisor.watchdog import Recovery, Trigger
from .lib.blupow_ble.text import plain
from .options import EntryOptions
from .texts import text

if TYPE_CHECKING:
    from .bridge.connection import BridgeConnection

type BluPowConfigEntry = ConfigEntry[BluPowData]

_BASE_LOGGER = logging.getLogger(f"{__name__}.base")


class UnexpectedErrors(logging.Filter):
    """Leaves out what the base class logs of failed and good polls: the connection log has it."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Pass details, and errors of the code."""
        record.msg = f"[poll] {record.msg}"
        return record.levelno < logging.INFO or record.exc_info is not None


_BASE_LOGGER.addFilter(UnexpectedErrors())


@dataclass(frozen=True, slots=True)
class BluPowData:
    """What runs for an entry: a coordinator for its device, or one for each device of a bridge."""

    coordinators: tuple[BluPowCoordinator, ...]
    bridge: BridgeConnection | None = None
    whole: bool = True
    """All devices of the bridge are understood: what is not known of does not exist."""

    @property
    def only(self) -> BluPowCoordinator:
        """The coordinator of an entry for one device."""
        (coordinator,) = self.coordinators
        return coordinator


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSetup:
    """A link as it is set up in Home Assistant."""

    key: str
    """What is stored of it, and what is said of it, goes by this."""
    base_id: str
    """What all its ids begin with."""
    name: str
    device_name: str
    address: str
    options: EntryOptions
    units: Sequence[UnitState]


class BluPowCoordinator(DataUpdateCoordinator[None]):
    """Has one link supervised, and tells the entities of it. The values are in the supervisor's units."""

    config_entry: BluPowConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: BluPowConfigEntry,
        link: LinkSetup,
        *,
        reader: Reader,
        remedies: Remedies | None,
        remote: bool = False,
    ) -> None:
        """Prepare to supervise a link of an entry; a `remote` one is read by another machine."""
        self.key: Final = link.key
        self.base_id: Final = link.base_id
        self.device_name: Final = link.device_name
        self.address: Final = link.address
        self.options: Final = link.options
        self.virtual: Final = self.address == VIRTUAL
        self.remote: Final = remote
        clock = HomeAssistantClock(hass, entry)
        kept = take_kept(hass, self.key)
        self.store: Final = EntryStore(hass, self.key)
        self.supervisor: Final = Supervisor(
            link=continued(kept, link.units, name=link.name, now=clock.monotonic()),
            options=self.options,
            clock=clock,
            reader=reader,
            remedies=remedies,
            listener=self,
            virtual=self.virtual,
            remote=remote,
            polling=not entry.pref_disable_polling,
        )
        # last: from here on the entry shuts the coordinator down when its set-up fails
        super().__init__(hass, _BASE_LOGGER, config_entry=entry, name=link.name)

    @property
    def why_no_process(self) -> str | None:
        """Why the device is read in-process where a process of its own would do it; None: it is not."""
        return None

    @property
    @abstractmethod
    def rssi(self) -> int | None:
        """Signal strength of the last advertisement that was heard; None if none was."""

    @abstractmethod
    def scanner_report(self) -> list[dict[str, Any]]:
        """Return what is known of each scanner that hears the device, the strongest signal first."""

    @callback
    @abstractmethod
    def async_start(self) -> None:
        """Begin. The set-up of the entry does not wait for the first reading."""

    @callback
    def try_process(self) -> None:
        """Start a reader process again with the next reading, where there is one."""

    async def reconnect(self) -> Recovery:
        """Reconnect now, by all steps of a recovery. Raises ReaderError with the cause."""
        return await self.supervisor.watchdog.force()

    @override
    async def async_shutdown(self) -> None:
        """Stop, also in the middle of a reading; leave neither a process nor a link."""
        await super().async_shutdown()
        await self.supervisor.stop()

    @override
    async def _async_update_data(self) -> None:
        """Poll: somebody has asked Home Assistant for an update."""
        await self.supervisor.poll()
        if not self.supervisor.health.serving:
            raise self._failure

    @property
    def _failure(self) -> UpdateFailed:
        error = self.supervisor.link.last_error
        error = error or ReaderError(ErrorCode.READER_TIMEOUT, "no reading came to its end")
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=error.code,
            translation_placeholders=placeholders(error, self.name),
        )

    # The supervisor's listener

    @callback
    def updated(self) -> None:
        """Tell the entities."""
        serving = self.supervisor.health.serving
        if serving and not self.last_update_success:
            self.async_set_updated_data(None)
        elif not serving and self.last_update_success and self.supervisor.link.polls:
            self.async_set_update_error(self._failure)
        else:
            self.async_update_listeners()

    @callback
    def event(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        """Fire an event; notify the user of a recovery if that is wanted."""
        events.fire(self, event, facts)
        by_watchdog = event is LinkEvent.RECOVERY and facts["trigger"] == Trigger.WATCHDOG
        if by_watchdog and facts["step"] is not None and self.options.notify_on_recovery:
            self._notify(facts)

    @callback
    def schedule_event(self, unit: UnitState, event: ScheduleEvent, facts: dict[str, Any]) -> None:
        """Show what the schedule of a unit has done."""
        events.send_schedule_event(self, unit, event, facts)

    async def save(self) -> None:
        """Keep what is known, now."""
        await self.store.save(self.supervisor.link)

    @abstractmethod
    def unit_read(self, unit: UnitState, reading: UnitReading) -> None:
        """Store what a unit has said of itself."""

    @abstractmethod
    def units_found(self, found: Sequence[Finding]) -> None:
        """Offer units that were found."""

    def _notify(self, facts: dict[str, Any]) -> None:
        """Tell the user of a recovery that worked."""
        minutes = max(round(facts["silence"] / 60), 1)
        persistent_notification.async_create(
            self.hass,
            text(
                self.hass,
                "recovered",
                name=plain(self.name),
                minutes=str(minutes),
                step=str(int(facts["step"])),
            ),
            title="BluPow",
            notification_id=f"{DOMAIN}_recovery_{self.key}",
        )
