"""The scanners that hear a device: each adapter and each proxy that Home Assistant knows."""

from dataclasses import dataclass
from typing import Any, Final

from bleak.backends.device import BLEDevice
from bleak_retry_connector import device_source

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BaseHaScanner, BluetoothScannerDevice
from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.reader import bluez
from ..lib.blupow_ble.reader.discovery import object_path_of

UNKNOWN_RSSI: Final = -127
"""What a local adapter reports for a moment after each of its scans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """An adapter or a proxy that hears a device and can connect to it."""

    source: str
    """Its address, by which Home Assistant identifies it."""
    name: str
    device: BLEDevice
    rssi: int
    object_path: str | None
    """The device's BlueZ object path; None if BlueZ of this machine does not serve this scanner."""
    adapter: str | None
    """The adapter's name in BlueZ, hci0 for instance."""
    slots: int
    """Connections that it can have at a time; 0 is unknown."""
    free: int

    @property
    def full(self) -> bool:
        """Whether it has no free connection."""
        return self.slots > 0 and self.free <= 0

    def as_dict(self) -> dict[str, Any]:
        """Return what a report says about it."""
        return {
            "name": self.name,
            "local": self.object_path is not None,
            "signal_strength": None if self.rssi == UNKNOWN_RSSI else self.rssi,
            "free_connections": self.free if self.slots else None,
        }


def scanners_hearing(hass: HomeAssistant, address: str) -> list[Scanner]:
    """Return the scanners that hear a device and can connect to it, the strongest signal first."""
    found = bluetooth.async_scanner_devices_by_address(hass, address, connectable=True)
    found.sort(key=lambda item: item.advertisement.rssi, reverse=True)
    return [_scanner(item) for item in found]


def _scanner(item: BluetoothScannerDevice) -> Scanner:
    slots, free = connections(item.scanner)
    local = bluez.available() and device_source(item.ble_device) is None
    object_path = object_path_of(item.ble_device) if local else None
    return Scanner(
        source=item.scanner.source,
        name=item.scanner.name,
        device=item.ble_device,
        rssi=item.advertisement.rssi,
        object_path=object_path,
        adapter=item.scanner.adapter if object_path else None,
        slots=slots,
        free=free,
    )


def connections(scanner: BaseHaScanner | None) -> tuple[int, int]:
    """Return how many connections a scanner can have, and how many are free; 0 is unknown."""
    allocations = scanner.get_allocations() if scanner else None
    return (allocations.slots, allocations.free) if allocations else (0, 0)


def connected_by(hass: HomeAssistant, address: str) -> BaseHaScanner | None:
    """Return the scanner over which Home Assistant itself is connected to a device."""
    for scanner in bluetooth.async_current_scanners(hass):
        allocations = scanner.get_allocations()
        if allocations is not None and address in allocations.allocated:
            return scanner
    return None
