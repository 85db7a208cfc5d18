"""Picks the way to a device, and says why."""

from collections.abc import Mapping, Sequence
import logging
from types import MappingProxyType
from typing import Final

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothReachabilityIntent
from homeassistant.core import HomeAssistant

from ..const import RouteKind
from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from ..lib.blupow_ble.reader import bluez, link_claim
from ..lib.blupow_ble.reader.messages import VIRTUAL, Device
from ..options import RouteChoice
from . import Path
from .holder import refuse_held, refuse_other_integration
from .scanners import Way, scanners_hearing

_LOGGER = logging.getLogger(__name__)

NOBODY: Final[Mapping[str, float]] = MappingProxyType({})


def virtual_route() -> Path:
    """Return the path to the virtual device."""
    return Path(
        kind=RouteKind.VIRTUAL,
        reason="virtual device",
        device=Device(address=VIRTUAL, name=VIRTUAL),
        source="no radio",
    )


async def find_route(
    hass: HomeAssistant,
    address: str,
    name: str,
    wanted: RouteChoice,
    *,
    avoid: Mapping[str, float] = NOBODY,
    processes: bool = True,
) -> Path:
    """Return the way to a device by what Home Assistant hears. Nothing is scanned.

    `avoid` are adapters and proxies that failed lately, with the time until which they rest;
    `processes` says whether a reader process can be started here.
    Raises ReaderError: adapter_unavailable, not_advertising, no_connectable_scanner, no_slot, held_by_other.
    """
    refuse_other_integration(hass, address)
    if not bluetooth.async_scanner_count(hass, connectable=True):
        raise ReaderError(
            ErrorCode.ADAPTER_UNAVAILABLE,
            "Home Assistant has no Bluetooth adapter or proxy that can connect",
            stage=Stage.START,
        )
    heard = bluetooth.async_last_service_info(hass, address, connectable=True)
    ways = scanners_hearing(hass, address) if heard is not None else []
    if heard is None or not ways:
        return await _leftover_route(hass, address, name, wanted, processes=processes)
    way, kind, reason = choose(ways, heard.source, wanted, avoid=avoid, processes=processes)
    return Path(
        kind=kind,
        reason=reason,
        device=Device(address=address, name=name, path=way.object_path, adapter=way.adapter),
        source=way.source,
        ble_device=way.device,
    )


def choose(
    ways: Sequence[Way],
    heard_best: str,
    wanted: RouteChoice,
    *,
    avoid: Mapping[str, float] = NOBODY,
    processes: bool = True,
) -> tuple[Way, RouteKind, str]:
    """Return the way to take, how, and why. A pure rule.

    `heard_best` is the adapter or proxy that Home Assistant takes for the best: it does not change
    with each advertisement. Raises ReaderError: not_advertising, no_slot.
    """
    if wanted is RouteChoice.ISOLATED:
        ways = [way for way in ways if way.object_path]
        if not ways:
            raise ReaderError(
                ErrorCode.NOT_ADVERTISING,
                "no adapter of this machine hears the device, and the options allow no other way",
                stage=Stage.CONNECT,  # it is heard, though
            )
    way = _preferred(_free(ways), heard_best, avoid)
    first = next((item for item in ways if item.source == heard_best), way)
    reason = f"heard best by {way.name}"
    if way is not first:
        why = "has no free connection" if first.full else "failed"
        reason = f"{first.name} {why}, heard by {way.name} too"
    if wanted is not RouteChoice.AUTOMATIC:
        how = RouteKind.ISOLATED if wanted is RouteChoice.ISOLATED else RouteKind.IN_PROCESS
        return way, how, f"set in the options; {reason}"
    if way.object_path is None:
        return way, RouteKind.IN_PROCESS, f"{reason}, which BlueZ of this machine does not serve"
    if not processes:
        return way, RouteKind.IN_PROCESS, f"{reason}; no reader process can be started"
    return way, RouteKind.ISOLATED, reason


def _free(ways: Sequence[Way]) -> list[Way]:
    """Return the ways that have a connection left. Raises ReaderError(no_slot)."""
    if free := [way for way in ways if not way.full]:
        return free
    names = ", ".join(f"{way.name} ({way.slots} in use)" for way in ways)
    raise ReaderError(ErrorCode.NO_SLOT, f"no free connection: {names}", stage=Stage.START)


def _preferred(ways: Sequence[Way], heard_best: str, avoid: Mapping[str, float]) -> Way:
    """Return the way that is heard best of those that do not rest; else the one that rests least."""
    able = [way for way in ways if way.source not in avoid]
    if not able:
        able = [min(ways, key=lambda way: avoid[way.source])]
    best = next((way for way in able if way.source == heard_best), None)
    return best or max(able, key=lambda way: way.rssi)


async def _leftover_route(
    hass: HomeAssistant, address: str, name: str, wanted: RouteChoice, *, processes: bool
) -> Path:
    """Close a link that BlueZ kept for a client that died: it keeps the device from advertising.

    Raises ReaderError(not_advertising) when there is none: a connect would only burden the radio;
    ReaderError(held_by_other) when it is somebody else's.
    In-process the device must be heard anew first, which brings a poll at once.
    """
    await refuse_held(hass, address)
    if wanted is RouteChoice.IN_PROCESS or not (paths := await bluez.release(address)):
        raise _not_advertising(hass, address)
    await hass.async_add_executor_job(link_claim.forget, address)
    _LOGGER.debug("[path] %s: a leftover link was closed", name)
    if wanted is RouteChoice.AUTOMATIC and not processes:
        raise _not_advertising(hass, address)
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
        kind=RouteKind.ISOLATED,
        reason="not heard, but BlueZ still held a link to it",
        device=Device(address=address, name=name, path=paths[0], adapter=adapter),
        source=scanner.source if scanner else adapter,
    )


def _not_advertising(hass: HomeAssistant, address: str) -> ReaderError:
    """Say why nobody can connect: who hears the device cannot, or nobody hears it."""
    hearing = bluetooth.async_scanner_devices_by_address(hass, address, connectable=False)
    if hearing and not any(item.scanner.connectable for item in hearing):
        names = ", ".join(sorted(item.scanner.name for item in hearing))
        return ReaderError(
            ErrorCode.NO_CONNECTABLE_SCANNER,
            f"the device is heard by {names} alone, which cannot connect: a Shelly never can, "
            "an ESPHome proxy needs `active: true`",
            stage=Stage.START,
        )
    why = bluetooth.async_address_reachability_diagnostics(
        hass, address, BluetoothReachabilityIntent.CONNECTION
    )
    return ReaderError(ErrorCode.NOT_ADVERTISING, why, stage=Stage.START)
