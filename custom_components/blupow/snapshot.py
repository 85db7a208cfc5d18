"""How the last fresh reading came."""

from dataclasses import dataclass
from datetime import datetime

from .bluetooth import Path
from .lib.blupow_ble.reader.result import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How the last fresh reading came, and whether it stands in for a failed one now."""

    taken_at: datetime
    taken_at_monotonic: float
    path: Path
    timings: Timings
    attempts: int
    cached: bool = False
