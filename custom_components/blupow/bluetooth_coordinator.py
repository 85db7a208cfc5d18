"""Has a device read over the Bluetooth of Home Assistant."""

from collections.abc import Sequence
from typing import Any, Final, override

from homeassistant.components import bluetooth
from homeassistant.const import CONF_ADDRESS, CONF_NAME
from homeassistant.core import HomeAssistant, callback

from .bluetooth.connection_locks import start_delay
from .bluetooth.device_reader import DeviceReader
from .bluetooth.recovery import BluetoothRemedies
from .coordinator import BluPowConfigEntry, BluPowCoordinator, LinkSetup
from .learned import remember_unit
from .lib.blupow_ble.reader.messages import VIRTUAL
from .lib.blupow_ble.reader.result import Finding, UnitReading
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .options import EntryOptions
from .unit_offers import offer_unit
from .units import units_of


class BluetoothCoordinator(BluPowCoordinator):
    """Has the device of an entry read by Home Assistant itself."""

    def __init__(self, hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
        """Prepare to supervise the link of an entry."""
        address: str = entry.data[CONF_ADDRESS]
        options = EntryOptions.from_options(entry.options)
        self.reader: Final = DeviceReader(hass, address, entry.title, options.route)
        link = LinkSetup(
            key=entry.entry_id,
            base_id=entry.unique_id or entry.entry_id,
            name=entry.title,
            device_name=entry.data.get(CONF_NAME, entry.title),
            address=address,
            options=options,
            units=units_of(entry, options.unit_id),
        )
        remedies = None if address == VIRTUAL else BluetoothRemedies(hass, address)
        super().__init__(hass, entry, link, reader=self.reader, remedies=remedies)

    @property
    @override
    def why_no_process(self) -> str | None:
        """Why the device is read in-process where a process of its own would do it; None: it is not."""
        if (snapshot := self.supervisor.link.snapshot) is None:
            return None
        served = self.virtual or snapshot.route.device.object_path is not None
        return self.reader.why_no_process if served else None

    @property
    @override
    def rssi(self) -> int | None:
        """Signal strength of the last advertisement that Home Assistant has heard; None if none was."""
        heard = bluetooth.async_last_service_info(self.hass, self.address, connectable=True)
        return heard.rssi if heard else None

    @override
    def scanner_report(self) -> list[dict[str, Any]]:
        """Return what is known of each scanner that hears the device, the strongest signal first."""
        return self.reader.report()

    @callback
    @override
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

    @callback
    @override
    def try_process(self) -> None:
        """Start a reader process again with the next reading."""
        self.reader.try_process()

    @callback
    def _on_advertisement(self, heard: bluetooth.BluetoothServiceInfoBleak) -> None:
        if heard.connectable:
            self.supervisor.heard()

    @callback
    @override
    def unit_read(self, unit: UnitState, reading: UnitReading) -> None:
        """Store what a unit has said of itself."""
        remember_unit(self.hass, self.config_entry, unit, reading, self.options)

    @callback
    @override
    def units_found(self, found: Sequence[Finding]) -> None:
        """Offer units that were found."""
        for finding in found:
            offer_unit(self.hass, self.config_entry, finding)
