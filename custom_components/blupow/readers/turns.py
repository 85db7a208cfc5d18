"""Turns: one connection at a time over an adapter or a proxy."""

import asyncio
from collections import defaultdict

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

_TURNS: HassKey[defaultdict[str, asyncio.Lock]] = HassKey(f"{DOMAIN}_turns")


@callback
def turn(hass: HomeAssistant, source: str) -> asyncio.Lock:
    """Return the lock of an adapter or a proxy."""
    return hass.data.setdefault(_TURNS, defaultdict(asyncio.Lock))[source]
