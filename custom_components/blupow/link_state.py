"""What is known about the link to a device, kept while its entry is reloaded with other options."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .connection_log import ConnectionLog
from .const import DOMAIN
from .lib.blupow_ble.protocol.errors import ReaderError
from .lib.blupow_ble.supervisor.policies import Availability, ConnectionStatus
from .snapshot import Snapshot
from .units import UnitState

KEPT_POLLS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How one poll went."""

    at: datetime
    seconds: float
    error: ReaderError | None = None
    partial: bool = False
    """A reading that lacks blocks that the device has: neither a success nor a failure."""


@dataclass(slots=True, kw_only=True)
class LinkState:
    """What is known about the link to a device."""

    log: ConnectionLog
    units: dict[str, UnitState] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    """How the last fresh reading since the start of Home Assistant came."""
    since: float
    """When it began to be known."""
    fresh_at: float | None = None
    """When the last fresh reading came, also before a restart, by the monotonic clock."""
    excused_until: float = float("-inf")
    """When the device was last not heard, where it may be switched off: no silence counts before."""
    answered_at: float = float("-inf")
    """When it last answered somebody who asked for registers."""
    failures: int = 0
    """Failed polls in a row."""
    last_error: ReaderError | None = None
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
    """When the device was heard last, or was last busy with us, by the monotonic clock."""
    ignored_repairs: set[str] = field(default_factory=set)
    """The repairs that the user has ignored, by their ids."""
    announced_status: ConnectionStatus | None = None
    announced_lost: bool = False
    """The connection was announced as lost, and not yet as restored; kept over restarts."""
    announced_partial: tuple[str, ...] = ()
    """The blocks that were announced as missing."""

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


_STATES: HassKey[dict[str, LinkState]] = HassKey(f"{DOMAIN}_link_states")


@callback
def keep(hass: HomeAssistant, entry_id: str, state: LinkState) -> None:
    """Keep what is known of an entry for its next set-up: other options do not make it untrue."""
    hass.data.setdefault(_STATES, {})[entry_id] = state


@callback
def forget(hass: HomeAssistant, entry_id: str) -> LinkState | None:
    """Return what was kept of an entry, and keep it no longer."""
    return hass.data.setdefault(_STATES, {}).pop(entry_id, None)
