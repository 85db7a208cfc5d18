"""What one reading brought."""

from dataclasses import dataclass, field
from enum import StrEnum

from ..profiles.declaration import Value
from ..profiles.setting import SettingValue
from ..profiles.setting_rules import Reason
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
    age: float = 0.0
    """Seconds since it was taken, where it comes from another machine."""

    @property
    def main(self) -> UnitReading:
        """The first unit that was read."""
        return next(iter(self.units.values()))


class Outcome(StrEnum):
    """What has become of a setting that was to be changed."""

    WRITTEN = "written"
    """It was read back as it was sent."""
    UNCHANGED = "unchanged"
    """It was so already: nothing was sent."""
    REFUSED = "refused"
    """It was not sent, or the device has refused it; it is as before."""
    UNCONFIRMED = "unconfirmed"
    """It was sent, and was not read back as it was sent."""

    @property
    def done(self) -> bool:
        """Whether the setting is as it was to be."""
        return self in (Outcome.WRITTEN, Outcome.UNCHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingReport:
    """What has become of one setting."""

    key: str
    outcome: Outcome
    wanted: SettingValue
    before: SettingValue | None = None
    now: SettingValue | None = None
    """As it was read back; None if it was not."""
    sent: bool = False
    """Whether a write was sent: its memory may have been worn."""
    reason: Reason | None = None
    facts: dict[str, str] = field(default_factory=dict)
    """What a text for people names, by the reason."""


def described(report: SettingReport) -> str:
    """Return a report as a line of a log."""
    text = f"{report.key} from {report.before} to {report.wanted}: {report.outcome}"
    if report.reason is None:
        return text
    facts = "".join(f", {name} {fact}" for name, fact in report.facts.items())
    return f"{text} ({report.reason}{facts}); it is {report.now} now"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """What has become of the settings that were to be changed, in the order in which they were wanted."""

    settings: tuple[SettingReport, ...]
    registers: dict[int, int]
    """The registers as they were read last."""
    timings: Timings
    attempts: int
