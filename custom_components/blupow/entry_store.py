"""What is kept of an entry: all over a reload, the counters and last values over a restart."""

import logging
from pathlib import Path
import time
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .lib.blupow_ble.supervisor.kept_state import MALFORMED, Stored, restore, stored
from .lib.blupow_ble.supervisor.link_state import LinkState

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION: Final = 1
SAVE_INTERVAL: Final = 300.0
"""Seconds between two writes."""
SAVE_DELAY: Final = 1.0

_UNREADABLE: Final = (HomeAssistantError, NotImplementedError, *MALFORMED)
"""What a file of another shape, of a later version, or that is none, may raise."""


_KEPT: HassKey[dict[str, LinkState]] = HassKey(f"{DOMAIN}_link_states")


@callback
def keep(hass: HomeAssistant, entry_id: str, link: LinkState) -> None:
    """Keep what is known of an entry for its next set-up: other options do not make it untrue."""
    hass.data.setdefault(_KEPT, {})[entry_id] = link


@callback
def take_kept(hass: HomeAssistant, entry_id: str) -> LinkState | None:
    """Return what was kept of an entry, and keep it no longer."""
    return hass.data.setdefault(_KEPT, {}).pop(entry_id, None)


class EntryStore:
    """Keeps what is known of one entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare to keep it."""
        self._hass = hass
        self._store = Store[Stored](hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}")
        self._saved_at = time.monotonic()

    async def load(self, link: LinkState) -> None:
        """Have the link go on from where it was, unless that is known already.

        A file that cannot be understood is set aside: the device is read all the same.
        """
        try:
            found = await self._store.async_load()
            if found is not None:
                restore(link, found)
        except _UNREADABLE as err:
            _LOGGER.warning(
                "[cache] %s: what was kept of it cannot be read (%s) and is set aside; "
                "counters and energies begin anew, the schedule is empty, and what it was to put back is lost",
                link.log.name,
                err or type(err).__name__,
            )
            await self._hass.async_add_executor_job(_set_aside, Path(self._store.path))

    @callback
    def save_soon(self, link: LinkState) -> None:
        """Write it now and then."""
        if time.monotonic() - self._saved_at < SAVE_INTERVAL:
            return
        self._saved_at = time.monotonic()
        self._store.async_delay_save(lambda: stored(link), SAVE_DELAY)

    async def save(self, link: LinkState) -> None:
        """Write it now."""
        await self._store.async_save(stored(link))

    async def remove(self) -> None:
        """Forget it with the entry."""
        await self._store.async_remove()


def _set_aside(path: Path) -> None:
    """Rename a file that cannot be read; an earlier one of that name is replaced."""
    try:
        path.replace(path.with_name(f"{path.name}.unreadable"))
    except OSError as err:
        _LOGGER.warning("[cache] %s could not be set aside: %s", path.name, err)
