"""What the last fresh reading brought."""

from dataclasses import dataclass, field
from datetime import datetime

from .lib.blupow_ble.errors import ErrorCode
from .lib.blupow_ble.profiles.declaration import Value
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
