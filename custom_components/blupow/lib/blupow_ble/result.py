"""What one reading brought."""

from dataclasses import dataclass

from .errors import ErrorCode
from .profiles.declaration import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds that the steps took."""

    connect: float
    read: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reading brought."""

    unit: int
    model: str | None
    """The key of the model, if it is known."""
    values: dict[str, Value]
    failed: dict[str, ErrorCode]
    """Blocks that could not be read."""
    dropped: list[str]
    """Fields whose value could not be true."""
    registers: dict[int, tuple[int, ...]]
    """The words as they came, by their first register."""
    timings: Timings
    attempts: int
