"""Shows Home Assistant what the supervisor of one link has."""

from collections.abc import Sequence
import logging
from typing import Any, Final, override

from homeassistant.components import bluetooth, persistent_notification
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from . import events
from .bluetooth.connection_locks import start_delay
from .bluetooth.device_reader import DeviceReader
from .bluetooth.recovery import BluetoothRemedies
from .clock import HomeAssistantClock
from .const import DOMAIN
from .entry_store import EntryStore, take_kept
from .exceptions import placeholders
from .learned import remember_unit
from .lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from .lib.blupow_ble.reader.messages import VIRTUAL
from .lib.blupow_ble.reader.result import Finding, UnitReading
from .lib.blupow_ble.supervisor.link_state import continued
from .lib.blupow_ble.supervisor.protocols import LinkEvent, ScheduleEvent
from .lib.blupow_ble.supervisor.supervisor import Supervisor
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .lib.blupow_ble.supervisor.watchdog import Trigger
from .lib.blupow_ble.text import plain
from .options import EntryOptions
from .texts import text
from .unit_offers import offer_unit
from .units import units_of

type BluPowConfigEntry = ConfigEntry[BluPowCoordinator]

_BASE_LOGGER = logging.getLogger(f"{__name__}.base")


class UnexpectedErrors(logging.Filter):
    """Leaves out what the base class logs of failed and good polls: the connection log has it."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Pass details, and errors of the code."""
        record.msg = f"[poll] {record.msg}"
        return record.levelno < logging.INFO or record.exc_info is not None


_BASE_LOGGER.addFilter(UnexpectedErrors())


class BluPowCoordinator(DataUpdateCoordinator[None]):
    """Has one link supervised, and tells the entities of it. The values are in the supervisor's units."""

    config_entry: BluPowConfigEntry

    def __init__(self, hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
        """Prepare to supervise the link of an entry."""
        self.address: Final[str] = entry.data[CONF_ADDRESS]
        self.options: Final = EntryOptions.from_options(entry.options)
        self.virtual: Final = self.address == VIRTUAL
        clock = HomeAssistantClock(hass, entry)
        units = units_of(entry, self.options.unit_id)
        self.reader: Final = DeviceReader(hass, self.address, entry.title, self.options.route)
        kept = take_kept(hass, entry.entry_id)
        self.store: Final = EntryStore(hass, entry.entry_id)
        self.supervisor: Final = Supervisor(
            link=continued(kept, units, name=entry.title, now=clock.monotonic()),
            options=self.options,
            clock=clock,
            reader=self.reader,
            remedies=None if self.virtual else BluetoothRemedies(hass, self.address),
            listener=self,
            virtual=self.virtual,
            polling=not entry.pref_disable_polling,
        )
        # last: from here on the entry shuts the coordinator down when its set-up fails
        super().__init__(hass, _BASE_LOGGER, config_entry=entry, name=entry.title)

    @property
    def why_no_process(self) -> str | None:
        """Why the device is read in-process where a process of its own would do it; None: it is not."""
        if (snapshot := self.supervisor.link.snapshot) is None:
            return None
        served = self.virtual or snapshot.route.device.object_path is not None
        return self.reader.why_no_process if served else None

    @property
    def rssi(self) -> int | None:
        """Signal strength of the last advertisement that Home Assistant has heard; None if none was."""
        heard = bluetooth.async_last_service_info(self.hass, self.address, connectable=True)
        return heard.rssi if heard else None

    @callback
    def async_start(self) -> None:
        """Begin: listen for the device and have the first reading taken.

        The set-up of the entry does not wait for it: whoever goes away meanwhile would cancel that.
        """
        if not self.virtual:
            self.config_entry.async_on_unload(
                bluetooth.async_register_advertisement_callback(
                    self.hass, self._on_advertisement, self.address
                )
            )
        self.supervisor.start(start_delay(self.hass))

    @override
    async def async_shutdown(self) -> None:
        """Stop, also in the middle of a reading; leave neither a process nor a link."""
        await super().async_shutdown()
        await self.supervisor.stop()

    @callback
    def _on_advertisement(self, heard: bluetooth.BluetoothServiceInfoBleak) -> None:
        if heard.connectable:
            self.supervisor.heard()

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
        events.fire(self.hass, self.config_entry, event, facts)
        by_watchdog = event is LinkEvent.RECOVERY and facts["trigger"] == Trigger.WATCHDOG
        if by_watchdog and facts["step"] is not None and self.options.notify_on_recovery:
            self._notify(facts)

    @callback
    def schedule_event(self, unit: UnitState, event: ScheduleEvent, facts: dict[str, Any]) -> None:
        """Show what the schedule of a unit has done."""
        events.send_schedule_event(self.hass, self.config_entry, unit, event, facts)

    async def save(self) -> None:
        """Keep what is known, now."""
        await self.store.save(self.supervisor.link)

    @callback
    def unit_read(self, unit: UnitState, reading: UnitReading) -> None:
        """Store what a unit has said of itself."""
        remember_unit(self.hass, self.config_entry, unit, reading, self.options)

    @callback
    def units_found(self, found: Sequence[Finding]) -> None:
        """Offer units that were found."""
        for finding in found:
            offer_unit(self.hass, self.config_entry, finding)

    def _notify(self, facts: dict[str, Any]) -> None:
        """Tell the user of a recovery that worked."""
        minutes = max(round(facts["silence"] / 60), 1)
        persistent_notification.async_create(
            self.hass,
            text(
                self.hass,
                "recovered",
                name=plain(self.config_entry.title),
                minutes=str(minutes),
                step=str(int(facts["step"])),
            ),
            title="BluPow",
            notification_id=f"{DOMAIN}_recovery_{self.config_entry.entry_id}",
        )
