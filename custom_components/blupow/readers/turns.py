"""Turns: one connection at a time over an adapter or a proxy, and to a device."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from . import Path

_TURNS: HassKey[defaultdict[str, asyncio.Lock]] = HassKey(f"{DOMAIN}_turns")


@callback
def turn(hass: HomeAssistant, name: str) -> asyncio.Lock:
    """Return the lock of an adapter, a proxy or a device."""
    return hass.data.setdefault(_TURNS, defaultdict(asyncio.Lock))[name]


async def take_turn(hass: HomeAssistant, path: Path) -> Callable[[], None]:
    """Wait until neither the device nor the way to it is in use; return what ends the turn."""
    device = turn(hass, path.device.address)
    await device.acquire()
    try:
        way = turn(hass, path.source)
        await way.acquire()
    except asyncio.CancelledError:
        device.release()
        raise

    def end() -> None:
        way.release()
        device.release()

    return end
