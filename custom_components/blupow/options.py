"""The options of an entry: what may be set, where the form shows it, and the one place that reads it.

A new option is declared here and named in the texts; one that the supervisor goes by is a field of its `Options`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Any, Final, Self

from homeassistant.const import UnitOfTime

from .const import CONF_UNIT_ID
from .lib.blupow_ble.reader.timeouts import MANUAL_CONNECT_TIMEOUT
from .lib.blupow_ble.supervisor.options import LONGEST_INTERVAL, Options

CONF_UPDATE_INTERVAL: Final = "update_interval"
CONF_CACHE_TIME: Final = "cache_time"
CONF_GRACE_TIME: Final = "grace_time"
CONF_ROUTE: Final = "route"
CONF_DAILY_RECONNECT: Final = "daily_reconnect"


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


@dataclass(frozen=True, slots=True)
class NumberOption:
    """An option that is a whole number."""

    low: int
    high: int
    unit_of_measurement: str | None = UnitOfTime.SECONDS


class OtherOption(StrEnum):
    """What else an option may be."""

    SWITCH = "switch"
    ROUTE = "route"
    TIME = "time"


type Sections = Mapping[str, Mapping[str, NumberOption | OtherOption]]

SECTIONS: Final[Sections] = {
    "updates": {
        CONF_UPDATE_INTERVAL: NumberOption(10, LONGEST_INTERVAL),
        CONF_CACHE_TIME: NumberOption(10, 3600),
        CONF_GRACE_TIME: NumberOption(10, 7200),
        "may_be_off": OtherOption.SWITCH,
    },
    "connection": {
        CONF_ROUTE: OtherOption.ROUTE,
        "connect_timeout": NumberOption(
            int(MANUAL_CONNECT_TIMEOUT[0]), int(MANUAL_CONNECT_TIMEOUT[1])
        ),
        CONF_UNIT_ID: NumberOption(1, 247, None),
    },
    "recovery": {
        "heartbeat_interval": NumberOption(10, 600),
        "stale_age": NumberOption(20, 3600),
        "stale_checks": NumberOption(1, 10, None),
        "recovery_limit": NumberOption(1, 100, None),
        CONF_DAILY_RECONNECT: OtherOption.TIME,
        "notify_on_recovery": OtherOption.SWITCH,
    },
    "controls": {
        "allow_changes": OtherOption.SWITCH,
        "source_dwell": NumberOption(60, 7200),
    },
    "log": {"log_file": OtherOption.SWITCH},
}
"""The options as the form shows them."""


OF_BRIDGES: Final = frozenset(
    {
        CONF_CACHE_TIME,
        CONF_GRACE_TIME,
        "notify_on_recovery",
        "allow_changes",
        "source_dwell",
        "log_file",
    }
)
"""The options of an entry for a bridge; the others are the bridge's own to have."""


def number_option(key: str) -> NumberOption:
    """Return the range of a numeric option. Raises KeyError where there is none of that name."""
    for options in SECTIONS.values():
        if isinstance(option := options.get(key), NumberOption):
            return option
    raise KeyError(key)
