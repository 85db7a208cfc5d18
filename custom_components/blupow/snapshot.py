"""What the last fresh reading brought, and what is kept of it while an entry is reloaded."""

from dataclasses import dataclass, field
from datetime import datetime

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .lib.blupow_ble.errors import ErrorCode, ReaderError
from .lib.blupow_ble.profiles.declaration import Model, Value
from .lib.blupow_ble.result import Timings
from .readers import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the last fresh reading brought, and whether it stands in for a failed one now."""

    values: dict[str, Value]
    taken_at: datetime
    taken_at_monotonic: float
    path: Path
    timings: Timings
    failed: dict[str, ErrorCode]
    dropped: tuple[str, ...]
    registers: dict[int, tuple[int, ...]] = field(repr=False)
    attempts: int
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is known about the link, kept while an entry is reloaded with other options."""

    model: Model | None
    snapshot: Snapshot | None
    identity: dict[str, Value]
    failures: int
    last_error: ReaderError | None


_MEMORIES: HassKey[dict[str, Memory]] = HassKey(f"{DOMAIN}_memories")


@callback
def keep(hass: HomeAssistant, entry_id: str, memory: Memory) -> None:
    """Keep what is known of an entry for its next set-up."""
    hass.data.setdefault(_MEMORIES, {})[entry_id] = memory


@callback
def forget(hass: HomeAssistant, entry_id: str) -> Memory | None:
    """Return what was kept of an entry, and keep it no longer."""
    return hass.data.setdefault(_MEMORIES, {}).pop(entry_id, None)
