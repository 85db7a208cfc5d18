"""The options of an entry: their keys, their ranges, and the one place that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Any, Final, Self

from .const import CONF_UNIT_ID
from .lib.blupow_ble.reader.timeouts import MANUAL_CONNECT_TIMEOUT
from .lib.blupow_ble.supervisor.options import LONGEST_INTERVAL, Options

CONF_UPDATE_INTERVAL: Final = "update_interval"
CONF_CONNECT_TIMEOUT: Final = "connect_timeout"
CONF_CACHE_TIME: Final = "cache_time"
CONF_GRACE_TIME: Final = "grace_time"
CONF_ROUTE: Final = "route"
CONF_HEARTBEAT: Final = "heartbeat_interval"
CONF_STALE_AGE: Final = "stale_age"
CONF_STALE_CHECKS: Final = "stale_checks"
CONF_RECOVERY_LIMIT: Final = "recovery_limit"
CONF_DAILY_RECONNECT: Final = "daily_reconnect"
CONF_NOTIFY: Final = "notify_on_recovery"
CONF_LOG_FILE: Final = "log_file"
CONF_MAY_BE_OFF: Final = "may_be_off"


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
    CONF_UNIT_ID: Range(1, 247),
    CONF_HEARTBEAT: Range(10, 600),
    CONF_STALE_AGE: Range(20, 3600),
    CONF_STALE_CHECKS: Range(1, 10),
    CONF_RECOVERY_LIMIT: Range(1, 100),
}


class RouteChoice(StrEnum):
    """Which route the user wants."""

    AUTOMATIC = "automatic"
    ISOLATED = "isolated"
    IN_PROCESS = "in_process"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOptions(Options):
    """The options of one entry: those of its link, and those that Home Assistant alone has."""

    route: RouteChoice = RouteChoice.AUTOMATIC
    notify_on_recovery: bool = False
    log_file: bool = False

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the options that an entry stores."""
        known = {key: value for key, value in options.items() if key in cls.__dataclass_fields__}
        if CONF_ROUTE in known:
            known[CONF_ROUTE] = RouteChoice(known[CONF_ROUTE])
        if CONF_DAILY_RECONNECT in known:
            known[CONF_DAILY_RECONNECT] = time.fromisoformat(known[CONF_DAILY_RECONNECT])
        return cls(**known)
