"""Picks the way to a device, and says why."""

from dataclasses import dataclass
import logging

from bleak.backends.device import BLEDevice
from bleak_retry_connector import device_source

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BaseHaScanner, BluetoothReachabilityIntent
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
        source="no radio",
    )


async def find_path(
    hass: HomeAssistant, address: str, name: str, wanted: WantedPath, avoid: str | None = None
) -> Path:
    """Return the way to a device by what Home Assistant hears. Nothing is scanned.

    The adapter to avoid is taken only when no other one of this machine hears the device: over
    proxies Home Assistant chooses by itself, and counts their failures.
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
    best = _Candidate(
        device=service_info.device,
        scanner=bluetooth.async_scanner_by_source(hass, service_info.source),
        source=service_info.source,
        rssi=service_info.rssi,
    )
    candidate, kind, reason = _choose(hass, best, wanted, avoid)
    _check_slot(candidate)
    return Path(
        kind=kind,
        reason=reason,
        device=Device(
            address=address,
            name=name,
            path=candidate.bluez_path,
            adapter=candidate.adapter,
        ),
        source=candidate.source,
        ble_device=candidate.device,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A way to the device: the adapter or proxy that hears it."""

    device: BLEDevice
    scanner: BaseHaScanner | None
    source: str
    rssi: int

    @property
    def name(self) -> str:
        """What people call the adapter or proxy."""
        return self.scanner.name if self.scanner else self.source

    @property
    def bluez_path(self) -> str | None:
        """The BlueZ object path, if an adapter of this machine hears the device through BlueZ."""
        if not bluez.available() or device_source(self.device) is not None:
            return None
        return device_path(self.device)

    @property
    def adapter(self) -> str | None:
        """The adapter's name, hci0 for instance."""
        return self.scanner.adapter if self.scanner and self.bluez_path else None


def _choose(
    hass: HomeAssistant, best: _Candidate, wanted: WantedPath, avoid: str | None
) -> tuple[_Candidate, PathKind, str]:
    """Return the candidate to use, how, and why. Raises ReaderError(not_advertising)."""
    if wanted is WantedPath.IN_PROCESS:
        return best, PathKind.IN_PROCESS, "set in the options"
    if wanted is WantedPath.ISOLATED:
        return _best_local(hass, best, avoid), PathKind.ISOLATED, "set in the options"
    reason = f"heard best by {best.name}"
    if best.source == avoid and (others := _other_adapters(hass, best)):
        failed, best = best, max(others, key=lambda candidate: candidate.rssi)
        reason = f"{failed.name} failed, heard by {best.name} too"
    if best.bluez_path:
        return best, PathKind.ISOLATED, reason
    return best, PathKind.IN_PROCESS, f"{reason}, which BlueZ of this machine does not serve"


def _other_adapters(hass: HomeAssistant, best: _Candidate) -> list[_Candidate]:
    """Return the other adapters of this machine that hear a device."""
    heard = bluetooth.async_scanner_devices_by_address(hass, best.device.address, connectable=True)
    candidates = [
        _Candidate(
            device=item.ble_device,
            scanner=item.scanner,
            source=item.scanner.source,
            rssi=item.advertisement.rssi,
        )
        for item in heard
    ]
    return [item for item in candidates if item.source != best.source and item.bluez_path]


def _best_local(hass: HomeAssistant, best: _Candidate, avoid: str | None) -> _Candidate:
    """Return the adapter of this machine that hears the device best. Raises ReaderError(not_advertising)."""
    local = ([best] if best.bluez_path else []) + _other_adapters(hass, best)
    local = [candidate for candidate in local if candidate.source != avoid] or local
    if not local:
        raise ReaderError(
            ErrorCode.NOT_ADVERTISING,
            "no adapter of this machine hears the device, and the options allow no other way",
            stage=Stage.CONNECT,  # it is heard, though
        )
    return max(local, key=lambda candidate: candidate.rssi)


def _check_slot(candidate: _Candidate) -> None:
    """Raise ReaderError(no_slot) when the adapter or proxy has no free connection."""
    allocations = candidate.scanner.get_allocations() if candidate.scanner else None
    if allocations is not None and allocations.slots and allocations.free <= 0:
        raise ReaderError(
            ErrorCode.NO_SLOT,
            f"{candidate.name} has no free connection ({allocations.slots} in use)",
            stage=Stage.START,
        )


async def _leftover_path(hass: HomeAssistant, address: str, name: str, wanted: WantedPath) -> Path:
    """Close a link that BlueZ kept for a client that died: it keeps the device from advertising.

    Raises ReaderError(not_advertising) when there is none: a connect would only burden the radio.
    """
    if held_by_home_assistant(hass, address):
        raise ReaderError(
            ErrorCode.HELD_BY_OTHER,
            "another integration of Home Assistant is connected to the device",
            stage=Stage.START,
        )
    if wanted is WantedPath.IN_PROCESS or not (paths := await bluez.release(address)):
        raise _not_advertising(hass, address)
    _LOGGER.debug("[path] %s: a leftover link was closed", name)
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


def held_by_home_assistant(hass: HomeAssistant, address: str) -> bool:
    """Whether Home Assistant itself has a connection to the device: that one is no leftover."""
    return any(
        (allocations := scanner.get_allocations()) is not None and address in allocations.allocated
        for scanner in bluetooth.async_current_scanners(hass)
    )


def _not_advertising(hass: HomeAssistant, address: str) -> ReaderError:
    why = bluetooth.async_address_reachability_diagnostics(
        hass, address, BluetoothReachabilityIntent.CONNECTION
    )
    return ReaderError(ErrorCode.NOT_ADVERTISING, why, stage=Stage.START)
