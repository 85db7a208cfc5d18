"""The options of an entry: their defaults, their ranges, and the one place that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Any, Final, Self

from .const import CONF_UNIT
from .lib.blupow_ble.reader.timeouts import MANUAL_CONNECT_TIMEOUT
from .lib.blupow_ble.supervisor.policies import (
    CACHE_TIME,
    GRACE_TIME,
    HEARTBEAT,
    RECOVERY_LIMIT,
    STALE_AGE,
    STALE_CHECKS,
    Freshness,
    WatchdogRule,
)

CONF_UPDATE_INTERVAL: Final = "update_interval"
CONF_CONNECT_TIMEOUT: Final = "connect_timeout"
CONF_CACHE_TIME: Final = "cache_time"
CONF_GRACE_TIME: Final = "grace_time"
CONF_PATH: Final = "path"
CONF_HEARTBEAT: Final = "heartbeat_interval"
CONF_STALE_AGE: Final = "stale_age"
CONF_STALE_CHECKS: Final = "stale_checks"
CONF_RECOVERY_LIMIT: Final = "recovery_limit"
CONF_DAILY_RECONNECT: Final = "daily_reconnect"
CONF_NOTIFY: Final = "notify_on_recovery"
CONF_LOG_FILE: Final = "log_file"
CONF_MAY_BE_OFF: Final = "may_be_off"

DEFAULT_UPDATE_INTERVAL: Final = 30
LONGEST_INTERVAL: Final = 24 * 3600
INTERVALS_IN_CACHE: Final = 2
"""A reading serves for so many update intervals at least, or it would be too old before the next one."""


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest value of a numeric option."""

    low: int
    high: int


RANGES: Final[Mapping[str, Range]] = {
    CONF_UPDATE_INTERVAL: Range(10, LONGEST_INTERVAL),
    CONF_CONNECT_TIMEOUT: Range(int(MANUAL_CONNECT_TIMEOUT[0]), int(MANUAL_CONNECT_TIMEOUT[1])),
    CONF_CACHE_TIME: Range(10, 3600),
    CONF_GRACE_TIME: Range(10, 7200),
    CONF_UNIT: Range(1, 247),
    CONF_HEARTBEAT: Range(10, 600),
    CONF_STALE_AGE: Range(20, 3600),
    CONF_STALE_CHECKS: Range(1, 10),
    CONF_RECOVERY_LIMIT: Range(1, 100),
}


class RouteChoice(StrEnum):
    """What the user wants of the way to the device."""

    AUTOMATIC = "automatic"
    ISOLATED = "isolated"
    IN_PROCESS = "in_process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one entry. Times are seconds; None is automatic, or never."""

    update_interval: int = DEFAULT_UPDATE_INTERVAL
    connect_timeout: int | None = None
    cache_time: int = int(CACHE_TIME)
    grace_time: int = int(GRACE_TIME)
    path: RouteChoice = RouteChoice.AUTOMATIC
    unit_id: int | None = None
    heartbeat_interval: int = int(HEARTBEAT)
    stale_age: int = int(STALE_AGE)
    stale_checks: int = STALE_CHECKS
    recovery_limit: int = RECOVERY_LIMIT
    daily_reconnect: time | None = None
    """Local time of day."""
    notify_on_recovery: bool = False
    log_file: bool = False
    may_be_off: bool = False
    """The device is switched off at times: while it is not heard nothing is wrong."""

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the settings that an entry's options hold."""
        known = {key: value for key, value in options.items() if key in cls.__dataclass_fields__}
        if CONF_PATH in known:
            known[CONF_PATH] = RouteChoice(known[CONF_PATH])
        if CONF_DAILY_RECONNECT in known:
            known[CONF_DAILY_RECONNECT] = time.fromisoformat(known[CONF_DAILY_RECONNECT])
        return cls(**known)

    def freshness(self, *, polling: bool = True) -> Freshness:
        """Return the rule of how long a reading serves: it follows long intervals.

        Without polls, as Home Assistant's option has it, a reading serves as if one came each day.
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
