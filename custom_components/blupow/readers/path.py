"""Picks the way to a device, and says why."""

import logging

from bleak_retry_connector import device_source

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothReachabilityIntent, BluetoothScannerDevice
from homeassistant.core import HomeAssistant

from ..lib.blupow_ble import bluez
from ..lib.blupow_ble.errors import ErrorCode, ReaderError, Stage
from ..lib.blupow_ble.link import device_path
from ..lib.blupow_ble.messages import VIRTUAL, Device
from ..settings import WantedPath
from . import Path, PathKind

_LOGGER = logging.getLogger(__name__)


def virtual_path() -> Path:
    """Return the path to the virtual device."""
    return Path(
        kind=PathKind.VIRTUAL,
        reason="virtual device",
        device=Device(address=VIRTUAL, name=VIRTUAL),
        source=VIRTUAL,
    )


async def find_path(hass: HomeAssistant, address: str, name: str, wanted: WantedPath) -> Path:
    """Return the way to a device by what Home Assistant hears. Nothing is scanned.

    Raises ReaderError: adapter_unavailable, not_advertising, no_slot.
    """
    if not bluetooth.async_scanner_count(hass, connectable=True):
        raise ReaderError(
            ErrorCode.ADAPTER_UNAVAILABLE,
            "Home Assistant has no Bluetooth adapter or proxy that can connect",
            stage=Stage.START,
        )
    if (service_info := bluetooth.async_last_service_info(hass, address, connectable=True)) is None:
        return await _leftover_path(hass, address, name, wanted)
    heard = bluetooth.async_scanner_devices_by_address(hass, address, connectable=True)
    local = [device for device in heard if _bluez_path(device) is not None]
    best = next(
        (device for device in heard if device.scanner.source == service_info.source), None
    ) or max(heard, key=_strength, default=None)
    if best is None:
        raise _not_advertising(hass, address)
    chosen, kind, reason = best, PathKind.IN_PROCESS, ""
    if wanted is WantedPath.IN_PROCESS:
        reason = "set in the options"
    elif wanted is WantedPath.ISOLATED:
        if not local:
            raise ReaderError(
                ErrorCode.NOT_ADVERTISING,
                "no adapter of this machine hears the device, and the options allow no proxy",
                stage=Stage.START,
            )
        chosen = best if best in local else max(local, key=_strength)
        kind, reason = PathKind.ISOLATED, "set in the options"
    elif best in local:
        kind, reason = PathKind.ISOLATED, f"heard best by {best.scanner.name}"
    else:
        reason = f"heard best by {best.scanner.name}, which is no adapter of this machine"
    _check_slot(chosen)
    return Path(
        kind=kind,
        reason=reason,
        device=Device(
            address=address,
            name=name,
            path=_bluez_path(chosen),
            adapter=chosen.scanner.adapter if chosen in local else None,
        ),
        source=chosen.scanner.source,
        ble_device=chosen.ble_device,
    )


def _strength(device: BluetoothScannerDevice) -> int:
    return device.advertisement.rssi


def _bluez_path(device: BluetoothScannerDevice) -> str | None:
    """Return the BlueZ object path if an adapter of this machine hears the device through BlueZ."""
    if not bluez.available() or device_source(device.ble_device) is not None:
        return None
    return device_path(device.ble_device)


def _check_slot(device: BluetoothScannerDevice) -> None:
    """Raise ReaderError(no_slot) when the adapter or proxy has no free connection."""
    allocations = device.scanner.get_allocations()
    if allocations is not None and allocations.slots and allocations.free <= 0:
        raise ReaderError(
            ErrorCode.NO_SLOT,
            f"{device.scanner.name} has no free connection ({allocations.slots} in use)",
            stage=Stage.START,
        )


async def _leftover_path(hass: HomeAssistant, address: str, name: str, wanted: WantedPath) -> Path:
    """Close a link that BlueZ kept for a client that died: it keeps the device from advertising.

    Raises ReaderError(not_advertising) when there is none: a connect would only burden the radio.
    """
    if wanted is WantedPath.IN_PROCESS or not (paths := await bluez.release(address)):
        raise _not_advertising(hass, address)
    _LOGGER.info("[path] %s: a leftover link was closed", name)
    adapter = paths[0].split("/")[3]
    scanner = next(
        (
            scanner
            for scanner in bluetooth.async_current_scanners(hass)
            if scanner.adapter == adapter
        ),
        None,
    )
    return Path(
        kind=PathKind.ISOLATED,
        reason="not heard, but BlueZ still held a link to it",
        device=Device(address=address, name=name, path=paths[0], adapter=adapter),
        source=scanner.source if scanner else adapter,
    )


def _not_advertising(hass: HomeAssistant, address: str) -> ReaderError:
    why = bluetooth.async_address_reachability_diagnostics(
        hass, address, BluetoothReachabilityIntent.CONNECTION
    )
    return ReaderError(ErrorCode.NOT_ADVERTISING, why, stage=Stage.START)
