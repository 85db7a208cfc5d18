"""Turns: one connection at a time over an adapter or a proxy, and to a device."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, RouteKind
from ..lib.blupow_ble.protocol.errors import ErrorCode
from . import NoRoute, Path
from .scanners import connections

_LOCKS: HassKey[defaultdict[str, asyncio.Lock]] = HassKey(f"{DOMAIN}_turns")


START_SPREAD: Final = 2.0
"""Seconds between the first readings of devices, while Home Assistant starts."""
_STARTS: HassKey[int] = HassKey(f"{DOMAIN}_starts")


@callback
def start_delay(hass: HomeAssistant) -> float:
    """Return how long a device waits with its first reading, so that not all begin at once."""
    if hass.is_running:
        return 0.0
    before = hass.data.get(_STARTS, 0)
    hass.data[_STARTS] = before + 1
    return START_SPREAD * before


@callback
def turn(hass: HomeAssistant, name: str) -> asyncio.Lock:
    """Return the lock of an adapter, a proxy or a device."""
    return hass.data.setdefault(_LOCKS, defaultdict(asyncio.Lock))[name]


async def acquire_connection_lock(hass: HomeAssistant, path: Path) -> Callable[[], None]:
    """Wait until neither the device nor the way to it is in use; return what ends the turn.

    First come, first served: devices that are set up at the same time connect one after the other.
    Raises NoRoute(no_slot) when somebody else has taken the last connection meanwhile.
    """
    taken: list[asyncio.Lock] = []

    def end() -> None:
        for lock in taken:
            lock.release()

    try:
        for name in (path.device.address, path.source):
            lock = turn(hass, name)
            await lock.acquire()
            taken.append(lock)
        if path.kind is not RouteKind.VIRTUAL:
            _check_connections(hass, path.source)
    except BaseException:
        end()
        raise
    return end


def _check_connections(hass: HomeAssistant, source: str) -> None:
    """Raise NoRoute(no_slot) when an adapter or proxy has no connection left."""
    scanner = bluetooth.async_scanner_by_source(hass, source)
    slots, free = connections(scanner)
    if scanner is not None and slots and free <= 0:
        text = f"no free connection: {scanner.name} ({slots} in use)"
        raise NoRoute(ErrorCode.NO_SLOT, text)
