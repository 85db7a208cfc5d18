"""Connection locks: one connection at a time to a device, and over a scanner."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..lib.blupow_ble.protocol.errors import ErrorCode
from ..lib.blupow_ble.reader.route import NoRoute, Route, RouteKind
from .scanners import connections

_LOCKS: HassKey[defaultdict[str, asyncio.Lock]] = HassKey(f"{DOMAIN}_connection_locks")

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
def connection_lock(hass: HomeAssistant, name: str) -> asyncio.Lock:
    """Return the connection lock of a device, by its address, or of a scanner, by its source."""
    return hass.data.setdefault(_LOCKS, defaultdict(asyncio.Lock))[name]


async def acquire_connection_locks(hass: HomeAssistant, route: Route) -> Callable[[], None]:
    """Wait until neither the device nor the scanner is in use; return what releases both locks.

    First come, first served: devices that are set up at the same time connect one after the other.
    Raises NoRoute(no_slot) when the last free connection was taken meanwhile.
    """
    acquired: list[asyncio.Lock] = []

    def release() -> None:
        for lock in acquired:
            lock.release()

    try:
        for name in (route.device.address, route.source):
            lock = connection_lock(hass, name)
            await lock.acquire()
            acquired.append(lock)
        if route.kind is not RouteKind.VIRTUAL:
            _check_connections(hass, route.source)
    except BaseException:
        release()
        raise
    return release


def _check_connections(hass: HomeAssistant, source: str) -> None:
    """Raise NoRoute(no_slot) when a scanner has no free connection."""
    scanner = bluetooth.async_scanner_by_source(hass, source)
    slots, free = connections(scanner)
    if scanner is not None and slots and free <= 0:
        text = f"no free connection: {scanner.name} ({slots} in use)"
        raise NoRoute(ErrorCode.NO_SLOT, text)
