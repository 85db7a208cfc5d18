"""The ways that Home Assistant knows to a device: each adapter and each proxy that hears it."""

from dataclasses import dataclass
from typing import Any, Final

from bleak.backends.device import BLEDevice
from bleak_retry_connector import device_source

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BaseHaScanner, BluetoothScannerDevice
from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.reader import bluez
from ..lib.blupow_ble.reader.link import device_path

UNKNOWN_RSSI: Final = -127
"""What an adapter of this machine tells for a moment after each of its scans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An adapter or a proxy that hears a device and can connect to it."""

    source: str
    """Its address, by which Home Assistant tells it from others."""
    name: str
    """What people call it."""
    device: BLEDevice
    rssi: int
    object_path: str | None
    """The device's BlueZ object path; None if BlueZ of this machine does not serve this way."""
    adapter: str | None
    """The adapter's name in BlueZ, hci0 for instance."""
    slots: int
    """Connections that it can have at a time; 0 is unknown."""
    free: int

    @property
    def full(self) -> bool:
        """Whether it has no connection left."""
        return self.slots > 0 and self.free <= 0

    def as_dict(self) -> dict[str, Any]:
        """Return what there is to say of it, for a report."""
        return {
            "name": self.name,
            "local": self.object_path is not None,
            "signal_strength": None if self.rssi == UNKNOWN_RSSI else self.rssi,
            "free_connections": self.free if self.slots else None,
        }


def scanners_hearing(hass: HomeAssistant, address: str) -> list[Way]:
    """Return who hears a device and can connect to it, the strongest signal first."""
    heard = bluetooth.async_scanner_devices_by_address(hass, address, connectable=True)
    heard.sort(key=lambda item: item.advertisement.rssi, reverse=True)
    return [_way(item) for item in heard]


def _way(item: BluetoothScannerDevice) -> Way:
    slots, free = connections(item.scanner)
    local = bluez.available() and device_source(item.ble_device) is None
    path = device_path(item.ble_device) if local else None
    return Way(
        source=item.scanner.source,
        name=item.scanner.name,
        device=item.ble_device,
        rssi=item.advertisement.rssi,
        object_path=path,
        adapter=item.scanner.adapter if path else None,
        slots=slots,
        free=free,
    )


def connections(scanner: BaseHaScanner | None) -> tuple[int, int]:
    """Return how many connections an adapter or proxy can have, and how many are free; 0 is unknown."""
    allocations = scanner.get_allocations() if scanner else None
    return (allocations.slots, allocations.free) if allocations else (0, 0)


def connected_by(hass: HomeAssistant, address: str) -> BaseHaScanner | None:
    """Return the adapter or proxy over which Home Assistant itself is connected to a device."""
    for scanner in bluetooth.async_current_scanners(hass):
        allocations = scanner.get_allocations()
        if allocations is not None and address in allocations.allocated:
            return scanner
    return None
