"""What the rungs of a recovery do to the radio before a fresh reading is tried."""

import asyncio
from typing import Final

from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant, callback

from ..lib.blupow_ble import bluez
from .ways import connected_by

ACTIVE_SCAN: Final = 10.0
"""Seconds; Home Assistant's own default for a scan on demand."""
HEARD_AGAIN_LIMIT: Final = 15.0
"""A device that BlueZ has just forgotten is waited for so long."""


async def close_links(hass: HomeAssistant, address: str) -> list[str]:
    """End every link that BlueZ holds to a device, on any adapter; return their object paths.

    One that Home Assistant itself has made for another integration is none of ours. A device that
    was held is waited for until it is heard.
    """
    if connected_by(hass, address) is not None:
        return []
    if closed := await bluez.release(address):
        await _heard_again(hass, address)
    return closed


async def look_again(hass: HomeAssistant) -> None:
    """Have Home Assistant's scanners ask the devices around for a while. No scanner of our own."""
    await bluetooth.async_request_active_scan(hass, ACTIVE_SCAN)


async def rediscover(hass: HomeAssistant, address: str) -> list[str]:
    """Have BlueZ forget a device and hear it anew; return the object paths that were forgotten.

    A stale object, a link to it and a stale memory of its services go with it. A link that was there
    when Home Assistant started counts as its own, so that this last resort does not ask whose it is.
    Returns as soon as the device is heard, or after a while all the same.
    """
    removed = await bluez.remove(address)
    await _heard_again(hass, address)
    return removed


async def _heard_again(hass: HomeAssistant, address: str) -> None:
    """Wait for the next advertisement of a device, at most for a while; have it looked for meanwhile."""
    heard = asyncio.Event()

    @callback
    def on_advertisement(_: bluetooth.BluetoothServiceInfoBleak) -> None:
        heard.set()

    cancel = bluetooth.async_register_advertisement_callback(hass, on_advertisement, address)
    scan = asyncio.create_task(look_again(hass), name="blupow active scan")
    try:
        async with asyncio.timeout(HEARD_AGAIN_LIMIT):
            await heard.wait()
    except TimeoutError:
        pass  # the reading that follows tells that the device is not heard
    finally:
        cancel()
        scan.cancel()
        await asyncio.wait((scan,))
