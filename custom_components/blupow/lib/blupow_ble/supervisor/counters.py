"""Whether what a counter shows can be true: it grows, so much in a time, or begins anew. Pure.

A device that starts sends zeros first, and a wrong number can be steady. So a counter that falls, or grows
faster than the device can count, is doubted until it has proven itself by time and by counting.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

SHORTEST_TIME: Final = 300.0
"""Seconds: devices bring their counters up to date in strides."""
DOUBT_TIME: Final = 180.0
"""Seconds that a doubtful counter must last: a device that starts sends zeros for one or two minutes."""
ANOTHER_DAY: Final = 12 * 3600.0
"""After so many seconds without a reading a daily counter that is lower is that of another day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterGuard:
    """Follows one counter. Times are seconds, from any clock that only goes forward."""

    per_hour: float
    """The counter never grows faster, in its own unit."""
    step: float
    """Its last digit."""
    daily: bool = False
    """It returns to zero once a day, and may stay there for hours."""
    value: float | None = None
    """What was believed last."""
    at: float = 0.0
    doubtful: float | None = None
    """What was read last, if it is doubted."""
    doubtful_at: float = 0.0
    doubted_from: float = 0.0
    """What the doubt began with."""
    doubted_since: float = 0.0
    fallen_from: float | None = None
    """What a daily counter showed before its last fall, and when."""
    fallen_at: float = 0.0

    def judged(self, value: float, now: float) -> tuple[Self, bool]:
        """Return the guard after a reading, and whether its value is to be believed."""
        if self.value is None:
            return self._believing(value, now), True
        goes_on = self.doubtful is not None and self._follows(
            self.doubtful, self.doubtful_at, value, now
        )
        # a leap does not become possible by being repeated until there was time enough for it
        leapt = goes_on and self.doubted_from > self.value
        if self._follows(self.value, self.at, value, self.doubted_since if leapt else now):
            return self._believing(value, now), True
        if self.daily and value < self.value and now - self.at >= ANOTHER_DAY:
            return self._believing(value, now), True
        if not goes_on:
            doubting = replace(
                self,
                doubtful=value,
                doubtful_at=now,
                doubted_from=value,
                doubted_since=now,
            )
            return doubting, False
        if self._proven(value, now):
            return self._believing(value, now), True
        return replace(self, doubtful=value, doubtful_at=now), False

    def _proven(self, value: float, now: float) -> bool:
        """Whether a doubtful counter has lasted, and has counted, unless it fell as daily ones do."""
        assert self.value is not None
        if now - self.doubted_since < DOUBT_TIME:
            return False
        if self.daily and value < self.value:
            return True
        # risen to where it was before it fell: the fall was none, and its energy is counted already
        if self.fallen_from is not None and self._follows(
            self.fallen_from, self.fallen_at, value, now
        ):
            return False
        return value > self.doubted_from

    def _believing(self, value: float, now: float) -> Self:
        believing = replace(self, value=value, at=now, doubtful=None)
        if self.value is not None and value < self.value:
            return replace(believing, fallen_from=self.value, fallen_at=self.at)
        return believing

    def _follows(self, before: float, at: float, value: float, now: float) -> bool:
        hours = max(now - at, SHORTEST_TIME) / 3600
        return before <= value <= before + self.per_hour * hours + 2 * self.step
