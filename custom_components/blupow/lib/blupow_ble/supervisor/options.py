"""The options that a supervisor goes by, and the rules that follow from them."""

from dataclasses import dataclass
from datetime import time
from typing import Final

from .policies import (
    CACHE_TIME,
    GRACE_TIME,
    HEARTBEAT,
    RECOVERY_LIMIT,
    STALE_AGE,
    STALE_CHECKS,
    Freshness,
    WatchdogRule,
)

DEFAULT_UPDATE_INTERVAL: Final = 30
LONGEST_INTERVAL: Final = 24 * 3600
INTERVALS_IN_CACHE: Final = 2
"""A reading serves for so many update intervals at least, or it would be too old before the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one link. Times are seconds; None is automatic, or never."""

    update_interval: int = DEFAULT_UPDATE_INTERVAL
    connect_timeout: int | None = None
    cache_time: int = int(CACHE_TIME)
    grace_time: int = int(GRACE_TIME)
    unit_id: int | None = None
    """Of the own unit; it overrules what was found."""
    heartbeat_interval: int = int(HEARTBEAT)
    stale_age: int = int(STALE_AGE)
    stale_checks: int = STALE_CHECKS
    recovery_limit: int = RECOVERY_LIMIT
    daily_reconnect: time | None = None
    """Local time of day."""
    may_be_off: bool = False
    """The device is switched off at times: while it is not heard nothing is wrong."""
    allow_changes: bool = False
    """Settings of the device may be changed; without it they are not even read."""
    source_dwell: int = 600
    """Between two changes of the source of the loads by the schedule: each is a real transfer."""

    def freshness(self, *, polling: bool = True) -> Freshness:
        """Return the rule of how long a reading serves: it follows long intervals.

        Without polls a reading serves as if one came each day.
        """
        least = INTERVALS_IN_CACHE * (self.update_interval if polling else LONGEST_INTERVAL)
        longer = max(self.grace_time - self.cache_time, 0)
        cache = max(self.cache_time, least)
        return Freshness(cache=cache, grace=max(self.grace_time, cache + longer))

    @property
    def watchdog(self) -> WatchdogRule:
        """The rule of when a recovery is due: it follows long intervals."""
        return WatchdogRule(
            stale_age=max(self.stale_age, INTERVALS_IN_CACHE * self.update_interval),
            checks=self.stale_checks,
            limit=self.recovery_limit,
        )
