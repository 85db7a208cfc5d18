"""Finds the route of a reading by what Home Assistant hears."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothReachabilityIntent
from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from ..lib.blupow_ble.reader import bluez, link_claim
from ..lib.blupow_ble.reader.messages import Device
from ..lib.blupow_ble.reader.route import Route, RouteKind
from ..options import RouteChoice
from .holder import refuse_held, refuse_other_integration
from .scanners import Scanner, scanners_hearing

NO_COOLDOWNS: Final[Mapping[str, float]] = MappingProxyType({})


async def find_route(
    hass: HomeAssistant,
    address: str,
    name: str,
    wanted: RouteChoice,
    *,
    cooldowns: Mapping[str, float] = NO_COOLDOWNS,
    processes: bool = True,
) -> Route:
    """Return the route to a device by what Home Assistant hears. Nothing is scanned.

    `cooldowns` are the scanners that failed lately, with the time until which they are on cooldown;
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
    scanners = scanners_hearing(hass, address) if heard is not None else []
    if heard is None or not scanners:
        return await _leftover_route(hass, address, name, wanted, processes=processes)
    scanner, kind, reason = choose(
        scanners, heard.source, wanted, cooldowns=cooldowns, processes=processes
    )
    return Route(
        kind=kind,
        reason=reason,
        device=Device(
            address=address, name=name, object_path=scanner.object_path, adapter=scanner.adapter
        ),
        source=scanner.source,
        ble_device=scanner.device,
    )


def choose(
    scanners: Sequence[Scanner],
    heard_best: str,
    wanted: RouteChoice,
    *,
    cooldowns: Mapping[str, float] = NO_COOLDOWNS,
    processes: bool = True,
) -> tuple[Scanner, RouteKind, str]:
    """Return the scanner to connect over, by which reader, and why. A pure rule.

    `heard_best` is the scanner that Home Assistant considers the best: that choice does not change with
    each advertisement. Raises ReaderError: not_advertising, no_slot.
    """
    if wanted is RouteChoice.ISOLATED:
        scanners = [scanner for scanner in scanners if scanner.object_path]
        if not scanners:
            raise ReaderError(
                ErrorCode.NOT_ADVERTISING,
                "no adapter of this machine hears the device, and the options allow no other route",
                stage=Stage.CONNECT,  # it is heard, though
            )
    chosen = _preferred(_free(scanners), heard_best, cooldowns)
    first = next((item for item in scanners if item.source == heard_best), chosen)
    reason = f"heard best by {chosen.name}"
    if chosen is not first:
        why = "has no free connection" if first.full else "failed"
        reason = f"{first.name} {why}, heard by {chosen.name} too"
    if wanted is not RouteChoice.AUTOMATIC:
        how = RouteKind.ISOLATED if wanted is RouteChoice.ISOLATED else RouteKind.IN_PROCESS
        return chosen, how, f"set in the options; {reason}"
    if chosen.object_path is None:
        return chosen, RouteKind.IN_PROCESS, f"{reason}, which BlueZ of this machine does not serve"
    if not processes:
        return chosen, RouteKind.IN_PROCESS, f"{reason}; no reader process can be started"
    return chosen, RouteKind.ISOLATED, reason


def _free(scanners: Sequence[Scanner]) -> list[Scanner]:
    """Return the scanners that have a free connection. Raises ReaderError(no_slot)."""
    if free := [scanner for scanner in scanners if not scanner.full]:
        return free
    names = ", ".join(f"{scanner.name} ({scanner.slots} in use)" for scanner in scanners)
    raise ReaderError(ErrorCode.NO_SLOT, f"no free connection: {names}", stage=Stage.START)


def _preferred(
    scanners: Sequence[Scanner], heard_best: str, cooldowns: Mapping[str, float]
) -> Scanner:
    """Return the best scanner that is not on cooldown; else the one whose cooldown ends first."""
    able = [scanner for scanner in scanners if scanner.source not in cooldowns]
    if not able:
        able = [min(scanners, key=lambda scanner: cooldowns[scanner.source])]
    best = next((scanner for scanner in able if scanner.source == heard_best), None)
    return best or max(able, key=lambda scanner: scanner.rssi)


async def _leftover_route(
    hass: HomeAssistant, address: str, name: str, wanted: RouteChoice, *, processes: bool
) -> Route:
    """Close a link that BlueZ kept for a client that died: it keeps the device from advertising.

    Raises ReaderError(not_advertising) when there is none: a connect would only burden the radio;
    ReaderError(held_by_other) when it is somebody else's.
    In-process the device must be heard anew first, which brings a poll at once.
    """
    await refuse_held(hass, address)
    if wanted is RouteChoice.IN_PROCESS or not (object_paths := await bluez.release(address)):
        raise _not_advertising(hass, address)
    await hass.async_add_executor_job(link_claim.forget, address)
    if wanted is RouteChoice.AUTOMATIC and not processes:
        raise _not_advertising(hass, address)
    adapter = object_paths[0].split("/")[3]
    source = next(
        (
            scanner.source
            for scanner in bluetooth.async_current_scanners(hass)
            if scanner.adapter == adapter
        ),
        adapter,
    )
    return Route(
        kind=RouteKind.ISOLATED,
        reason="not heard, but BlueZ still held a link to it",
        device=Device(address=address, name=name, object_path=object_paths[0], adapter=adapter),
        source=source,
    )


def _not_advertising(hass: HomeAssistant, address: str) -> ReaderError:
    """Return why nobody can connect: the scanners that hear the device cannot, or none hears it."""
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
