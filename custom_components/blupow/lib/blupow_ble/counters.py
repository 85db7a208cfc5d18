"""Whether what a counter shows can be true: it may grow, so much in a time, or begin anew. Pure."""

from dataclasses import dataclass, replace
from typing import Final, Self

SHORTEST_TIME: Final = 300.0
"""Seconds: devices bring their counters up to date in strides."""
FALL_CONFIRMATIONS: Final = 2
"""A fall is a reset once so many readings in a row agree on it: a device that starts sends zeros first."""
JUMP_CONFIRMATIONS: Final = 10
"""A step that the device could not have counted is believed once so many readings in a row go on from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterGuard:
    """Follows one counter. Times are seconds, from any clock that only goes forward."""

    per_hour: float
    """The counter never grows faster, in its own unit."""
    step: float
    """Its last digit."""
    value: float | None = None
    at: float = 0.0
    doubtful: float | None = None
    doubtful_at: float = 0.0
    agreed: int = 0
    """So many readings in a row go on from the doubtful value."""

    def judged(self, value: float, now: float) -> tuple[Self, bool]:
        """Return the guard after a reading, and whether its value is to be believed."""
        if self.value is None or self._follows(self.value, self.at, value, now):
            return self._believing(value, now), True
        goes_on = self.doubtful is not None and self._follows(
            self.doubtful, self.doubtful_at, value, now
        )
        agreed = self.agreed + 1 if goes_on else 1
        needed = FALL_CONFIRMATIONS if value < self.value else JUMP_CONFIRMATIONS
        if agreed >= needed:
            return self._believing(value, now), True
        return replace(self, doubtful=value, doubtful_at=now, agreed=agreed), False

    def _believing(self, value: float, now: float) -> Self:
        return replace(self, value=value, at=now, doubtful=None, agreed=0)

    def _follows(self, before: float, at: float, value: float, now: float) -> bool:
        hours = max(now - at, SHORTEST_TIME) / 3600
        return before <= value <= before + self.per_hour * hours + 2 * self.step
