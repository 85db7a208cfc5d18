"""What the counters showed last, kept over restarts: a device that starts beside us sends zeros first."""

from collections.abc import Sequence
from dataclasses import replace
import time
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .units import UnitState, guard_of

STORAGE_VERSION: Final = 1
SAVE_INTERVAL: Final = 300.0
"""Seconds between two writes."""
SAVE_DELAY: Final = 1.0

type Stored = dict[str, dict[str, list[float]]]
"""By unit and counter: the value, and when it was read (seconds since 1970)."""


class CounterStore:
    """Keeps the counters of one entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare to keep them."""
        self._store = Store[Stored](hass, STORAGE_VERSION, f"{DOMAIN}.counters.{entry_id}")
        self._saved_at = time.monotonic()

    async def load(self, units: Sequence[UnitState]) -> None:
        """Have the counters go on from where they were, unless that is known already."""
        stored = await self._store.async_load() or {}
        for unit in units:
            fields = {item.key: item for item in unit.register_map.fields}
            for key, (value, at) in stored.get(unit.key, {}).items():
                field = fields.get(key)
                if field is None or field.per_hour is None or key in unit.guards:
                    continue
                unit.guards[key] = replace(
                    guard_of(field),
                    value=value,
                    at=time.monotonic() - max(time.time() - at, 0.0),
                )

    @callback
    def save_soon(self, units: Sequence[UnitState]) -> None:
        """Write them now and then."""
        if time.monotonic() - self._saved_at < SAVE_INTERVAL:
            return
        self._saved_at = time.monotonic()
        self._store.async_delay_save(lambda: _stored(units), SAVE_DELAY)

    async def save(self, units: Sequence[UnitState]) -> None:
        """Write them now."""
        await self._store.async_save(_stored(units))

    async def remove(self) -> None:
        """Forget them with the entry."""
        await self._store.async_remove()


def _stored(units: Sequence[UnitState]) -> Stored:
    behind = time.time() - time.monotonic()
    found: dict[str, dict[str, Any]] = {}
    for unit in units:
        for key, guard in unit.guards.items():
            if guard.value is not None:
                found.setdefault(unit.key, {})[key] = [guard.value, guard.at + behind]
    return found
