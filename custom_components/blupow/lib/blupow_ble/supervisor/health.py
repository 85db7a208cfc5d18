"""How a link is: how old its last reading is, what that makes of its status, when that changes."""

from typing import Final

from ..protocol.errors import ErrorCode
from .link_state import LinkState
from .options import Options
from .policies import ConnectionStatus, Freshness
from .protocols import Clock
from .unit_state import UnitState


class LinkHealth:
    """Judges the state of a link by the rules of freshness. Times are seconds."""

    def __init__(
        self,
        link: LinkState,
        options: Options,
        clock: Clock,
        *,
        polling: bool,
        virtual: bool,
        remote: bool = False,
    ) -> None:
        """Judge a link by its options; of a remote device another machine sets the pace."""
        self._link = link
        self._options = options
        self._clock = clock
        self._virtual = virtual
        self._remote = remote
        self.freshness: Final[Freshness] = options.freshness(polling=polling)

    @property
    def age(self) -> float | None:
        """Seconds since the last fresh reading, also one from before a restart; None if there was none."""
        fresh_at = self._link.fresh_at
        return None if fresh_at is None else self._clock.monotonic() - fresh_at

    @property
    def silence(self) -> float:
        """Seconds that a fresh reading is overdue: since the last one, the start, or an excused absence."""
        link = self._link
        fresh_at = link.since if link.fresh_at is None else link.fresh_at
        return self._clock.monotonic() - max(link.since, link.excused_until, fresh_at)

    @property
    def excused(self) -> bool:
        """Whether the device is not heard, and may be: the user switches it off at times."""
        error = self._link.last_error
        unheard = error is not None and error.code is ErrorCode.NOT_ADVERTISING
        return unheard and self._options.may_be_off

    @property
    def status(self) -> ConnectionStatus:
        """What is known about the link."""
        if self.excused:
            return ConnectionStatus.NOT_HEARD
        failing = self._link.failures > 0 or self._link.snapshot is None
        return self.freshness.status(self.age, failing=failing, virtual=self._virtual)

    @property
    def serving(self) -> bool:
        """Whether the last poll was good, or the last reading still stands in for it."""
        if self._link.snapshot is None:
            return False
        return not self._link.failures or self.freshness.serves(self.age)

    @property
    def within_grace(self) -> bool:
        """Whether the last reading of one unit at least is still shown."""
        return self.freshness.available(self.age)

    @property
    def lost(self) -> bool:
        """Whether the values are unavailable, and no excuse is known."""
        return not self.freshness.available(self.silence) and not self.excused

    def shows(self, unit: UnitState) -> bool:
        """Whether the last reading of a unit is still shown."""
        return self.freshness.available(unit.age(self._clock.monotonic()))

    @property
    def pause(self) -> float:
        """Seconds between two polls, as the link is now."""
        if self._remote:
            return self._options.update_interval
        error = self._link.last_error
        heard = error is None or error.code is not ErrorCode.NOT_ADVERTISING
        silence = 0.0 if error is None else self.silence
        return self.freshness.pause(self._options.update_interval, silence, heard=heard)

    @property
    def next_change(self) -> float | None:
        """Seconds until ageing alone changes what is shown; None if it does not."""
        now = self._clock.monotonic()
        ages = [self.silence, *([] if self.age is None else [self.age])]
        for unit in self._link.units.values():
            if unit.snapshot is not None:
                ages.append(now - unit.snapshot.taken_at_monotonic)
                ages += [now - kept.taken_at_monotonic for kept in unit.snapshot.kept.values()]
        changes = [
            change for age in ages if (change := self.freshness.next_change(age)) is not None
        ]
        return min(changes, default=None)
