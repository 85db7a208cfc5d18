"""What one reading brought."""

from dataclasses import dataclass, field

from ..profiles.declaration import Value
from ..protocol.errors import ErrorCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds that the steps took."""

    connect: float
    read: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitReading:
    """What one unit sent."""

    unit_id: int | None
    """Its Modbus address; None where the device speaks no Modbus."""
    model: str | None
    """The key of the model, if it is known."""
    values: dict[str, Value]
    failed: dict[str, ErrorCode]
    """Blocks that could not be read."""
    dropped: list[str]
    """Fields whose value could not be true."""
    unknown: dict[str, int]
    """Numbers that have no name, by the key of their enumeration."""
    registers: dict[int, tuple[int, ...]]
    """The words as they came, by their first register."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A unit that answered, and what it is."""

    unit_id: int | None
    """Its Modbus address; None where the device speaks no Modbus."""
    profile: str
    model: str | None = None
    model_text: str | None = None
    """What it calls itself."""
    serial_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reading brought: of one unit at least."""

    units: dict[str, UnitReading]
    """By the key of their plan."""
    unresponsive: dict[str, ErrorCode] = field(default_factory=dict)
    """Units of which nothing could be read, and why."""
    found: tuple[Finding, ...] = ()
    """Other units that answered, where the reading was to look for one."""
    timings: Timings
    attempts: int

    @property
    def main(self) -> UnitReading:
        """The first unit that was read."""
        return next(iter(self.units.values()))
