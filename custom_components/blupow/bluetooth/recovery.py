"""What the steps of a recovery do to the radio before a fresh reading is tried."""

import asyncio
import logging
import time
from typing import Final

from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..lib.blupow_ble import connection_log
from ..lib.blupow_ble.connection_log import Topic
from ..lib.blupow_ble.reader import bluez, link_claim
from ..lib.blupow_ble.supervisor.policies import RecoveryStep
from .connection_locks import connection_lock
from .holder import refuse_held
from .scanners import scanners_hearing

ACTIVE_SCAN: Final = 10.0
"""Seconds; Home Assistant's own default for a scan on demand."""
ACTIVE_SCAN_PAUSE: Final = 300.0
"""Seconds between scans on demand, for all devices together: one that meets a restart of the scanner stops it."""
CONNECTABLE_LIMIT: Final = 15.0
"""A device that BlueZ has just forgotten is waited for so long."""
LOOK_PAUSE: Final = 0.25
"""Seconds between looks whether it can be connected to: nobody tells."""

_LAST_SCAN: HassKey[float] = HassKey(f"{DOMAIN}_last_active_scan")
_SCAN: HassKey[asyncio.Task[None]] = HassKey(f"{DOMAIN}_active_scan")
_BLUETOOTH: Final = "bluetooth"


async def is_connectable(hass: HomeAssistant, address: str) -> bool:
    """Whether somebody hears a device, and BlueZ has an object to connect to if it is BlueZ's to do."""
    scanners = scanners_hearing(hass, address)
    object_paths = {scanner.object_path for scanner in scanners}
    if not scanners or None in object_paths:
        return bool(scanners)
    known = await bluez.known_object_paths(address)
    return known is None or not object_paths.isdisjoint(known)


async def wait_connectable(hass: HomeAssistant, address: str) -> bool:
    """Wait until a device can be connected to, at most for a while; return whether it can.

    Home Assistant hears a device by the kernel before BlueZ has made its object: up to 5 s, as seen.
    """
    try:
        async with asyncio.timeout(CONNECTABLE_LIMIT):
            while not await is_connectable(hass, address):
                await asyncio.sleep(LOOK_PAUSE)
    except TimeoutError:
        return False
    return True


async def close_links(hass: HomeAssistant, address: str) -> list[str]:
    """End the links to a device that a program of ours has left behind; return their object paths.

    A device that was held is waited for until it can be connected to. Raises ReaderError(held_by_other).
    """
    await refuse_held(hass, address)
    closed = await bluez.release(address)
    if closed is None:
        return []
    await hass.async_add_executor_job(link_claim.forget, address)
    if closed:
        await _look_and_wait(hass, address)
    return closed


async def look_again(hass: HomeAssistant, address: str) -> None:
    """Have the devices around asked for a while, and wait until this one can be connected to.

    No scanner of our own. After a connect that failed BlueZ may take 5 s to make its object anew.
    """
    if (scan := _active_scan(hass)) is not None:
        await asyncio.wait((scan,))
    await wait_connectable(hass, address)


async def rediscover(hass: HomeAssistant, address: str) -> list[str]:
    """Have BlueZ forget a device and hear it anew; return the object paths that were forgotten.

    A stale object and a stale memory of its services go with it. Returns as soon as the device can be
    connected to, or after a while all the same. Raises ReaderError(held_by_other).
    """
    await refuse_held(hass, address)
    removed = await bluez.remove(address)
    if removed is not None:
        await hass.async_add_executor_job(link_claim.forget, address)
    await _look_and_wait(hass, address)
    return removed or []


class BluetoothRemedies:
    """What the steps of a recovery do for one device; nobody else works with it meanwhile."""

    def __init__(self, hass: HomeAssistant, address: str) -> None:
        """Work for a device."""
        self._hass = hass
        self._address = address

    async def prepare(self, step: RecoveryStep) -> None:
        """Do what a step does before a reading is tried. Raises ReaderError(held_by_other)."""
        async with connection_lock(self._hass, self._address):
            match step:
                case RecoveryStep.CLOSE_LINK:
                    await close_links(self._hass, self._address)
                case RecoveryStep.LOOK_AGAIN:
                    await look_again(self._hass, self._address)
                case RecoveryStep.REDISCOVER:
                    await rediscover(self._hass, self._address)

    async def wait_connectable(self) -> None:
        """Wait until the device can be connected to, at most for a while."""
        await wait_connectable(self._hass, self._address)


async def _look_and_wait(hass: HomeAssistant, address: str) -> None:
    """Wait until a device can be connected to; have it looked for meanwhile."""
    if not await is_connectable(hass, address):
        _active_scan(hass)
        await wait_connectable(hass, address)


@callback
def _active_scan(hass: HomeAssistant) -> asyncio.Task[None] | None:
    """Have Home Assistant's scanners scan actively; None if they did so lately.

    The scan belongs to no step: one that is cancelled would leave the scanner stopped.
    """
    now = time.monotonic()
    if (running := hass.data.get(_SCAN)) is not None and not running.done():
        return running
    if now - hass.data.get(_LAST_SCAN, float("-inf")) < ACTIVE_SCAN_PAUSE:
        return None
    hass.data[_LAST_SCAN] = now
    scan = hass.data[_SCAN] = hass.async_create_background_task(
        _scan_actively(hass), "blupow active scan"
    )
    return scan


async def _scan_actively(hass: HomeAssistant) -> None:
    """Scan, and see that the scanners go on.

    Where such a scan meets a restart of the scanner by its own watchdog, that scanner stays stopped.
    """
    scanning = {
        scanner.source for scanner in bluetooth.async_current_scanners(hass) if scanner.scanning
    }
    await bluetooth.async_request_active_scan(hass, ACTIVE_SCAN)
    for scanner in bluetooth.async_current_scanners(hass):
        if scanner.source in scanning and not scanner.scanning:
            _restart(hass, scanner.source, scanner.name)


def _restart(hass: HomeAssistant, source: str, name: str) -> None:
    """Have Home Assistant start a scanner again that has stopped."""
    connection_log.log(
        logging.INFO, Topic.RECOVERY, f"{name} has stopped scanning and is started again"
    )
    entry = hass.config_entries.async_entry_for_domain_unique_id(_BLUETOOTH, source)
    if entry is not None:
        hass.config_entries.async_schedule_reload(entry.entry_id)
