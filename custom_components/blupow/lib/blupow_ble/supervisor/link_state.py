"""What is known about the link to a device."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ..connection_log import ConnectionLog
from ..protocol.errors import ReaderError
from ..reader.result import Timings
from ..reader.route import Route
from .policies import Availability, ConnectionStatus
from .unit_state import UnitState

KEPT_POLLS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How one poll went."""

    at: datetime
    seconds: float
    error: ReaderError | None = None
    partial: bool = False
    """A reading that lacks blocks that the device has: neither a success nor a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How the last fresh reading was taken; the values are in the units."""

    taken_at: datetime
    taken_at_monotonic: float
    route: Route
    timings: Timings
    attempts: int


@dataclass(slots=True, kw_only=True)
class LinkState:
    """What is known about the link to a device. Times without a date are of the monotonic clock."""

    log: ConnectionLog
    units: dict[str, UnitState] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    """Of the last fresh reading since the start of the host."""
    since: float
    """When it began to be known."""
    fresh_at: float | None = None
    """When the last fresh reading was taken, also before a restart."""
    excused_until: float = float("-inf")
    """When the device was last not heard, where it may be switched off: no silence counts before."""
    answered_at: float = float("-inf")
    """When it last answered a request for registers."""
    failures: int = 0
    """Failed polls in a row."""
    polls: deque[Poll] = field(default_factory=lambda: deque(maxlen=KEPT_POLLS))
    availability: Availability = field(default_factory=Availability)
    recoveries: int = 0
    """Recoveries of the watchdog that worked."""
    stale_checks: int = 0
    """Heartbeats in a row that found the last fresh reading stale."""
    failed_recoveries: int = 0
    """Recoveries in a row that brought no fresh reading."""
    next_recovery: datetime | None = None
    """When the next one begins, after one that failed."""
    heard_at: float = float("-inf")
    """When the device was last heard, or was last busy with us."""
    ignored_repairs: set[str] = field(default_factory=set)
    """The repairs that the user has ignored, by their ids."""
    announced_status: ConnectionStatus | None = None
    announced_lost: bool = False
    """The connection was announced as lost, and not yet as restored; kept over restarts."""
    announced_partial: tuple[str, ...] = ()
    """The blocks that were announced as missing."""

    def note_busy(self, now: float) -> None:
        """Note that the device was busy with us: it does not advertise while it is connected."""
        self.heard_at = max(self.heard_at, now)

    @property
    def last_error(self) -> ReaderError | None:
        """Why the last poll failed; None if it did not."""
        return self.polls[-1].error if self.polls else None

    @property
    def success_rate(self) -> float | None:
        """The share of the last hundred polls that brought a whole reading, in percent; partial ones are none."""
        counted = [poll for poll in self.polls if not poll.partial]
        if not counted:
            return None
        return 100 * sum(poll.error is None for poll in counted) / len(counted)

    @property
    def partial_polls(self) -> int:
        """How many of the last hundred polls brought a part of a reading."""
        return sum(poll.partial for poll in self.polls)

    @property
    def last_duration(self) -> float | None:
        """The seconds that the last good poll took."""
        return next((poll.seconds for poll in reversed(self.polls) if poll.error is None), None)

    @property
    def average_duration(self) -> float | None:
        """The mean of the seconds that the good ones of the last hundred polls took."""
        good = [poll.seconds for poll in self.polls if poll.error is None]
        return sum(good) / len(good) if good else None


def continued(
    kept: LinkState | None, units: Sequence[UnitState], *, name: str, now: float
) -> LinkState:
    """Return what was known of a link before it was set up anew, as far as it is true of these units.

    The own unit comes first: where it is another device now, nothing is kept.
    """
    if kept is None or not _same(kept.units.get(units[0].key), units[0]):
        kept = LinkState(log=ConnectionLog(name), since=now)
    kept.log.name = name
    known, kept.units = kept.units, {}
    for unit in units:
        before = known.get(unit.key)
        if before is not None and _same(before, unit):
            before.unit_id = unit.unit_id
            kept.units[unit.key] = before
        else:
            kept.units[unit.key] = unit
    return kept


def _same(before: UnitState | None, unit: UnitState) -> bool:
    """Whether what is known of a unit is true of it as it is set up now."""
    return before is not None and (before.profile, before.model) == (unit.profile, unit.model)
