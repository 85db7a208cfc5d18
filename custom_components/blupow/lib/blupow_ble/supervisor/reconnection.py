"""The rules by which a lost connection to a message broker comes back: attempts, then recoveries.

Pure: the host waits, and tells what came of each attempt. All times are seconds.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Self

from .policies import RECOVERY_JITTER

ATTEMPTS: Final = 10
"""So many attempts in a row that fail, and the reconnection has failed: recoveries begin."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 120.0
STABLE_SESSION: Final = 60.0
"""A session shorter than that is no success: what follows goes on from the pauses before it."""

RECOVERY_PAUSE: Final = 60.0
LONGEST_RECOVERY_PAUSE: Final = 300.0
RECOVERIES: Final = 10
"""Of BACK_OFF: so many recoveries before the slow ones, which never end."""
SLOW_RECOVERY_PAUSE: Final = 900.0
CREDENTIALS_EVERY: Final = 3
"""Of BACK_OFF: each such recovery reads the credentials again, whatever the broker has said."""


class Strategy(IntEnum):
    """What a recovery does, once the attempts to reconnect have failed."""

    RETRY = 1
    """Begins the attempts anew."""
    NEW_CLIENT = 2
    """Connects with a new client, which reads its certificates again."""
    NEW_CREDENTIALS = 3
    """Connects with a new client, and reads the credentials again."""
    BACK_OFF = 4
    """Connects with a new client after pauses that grow, and reads the credentials again at times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the next attempt to connect does, and how long to wait before it."""

    pause: float
    new_client: bool = False
    new_credentials: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnection:
    """How far the attempts have come: a new one connects at once."""

    strategy: Strategy = Strategy.BACK_OFF
    attempt: int = 0
    """The attempt that comes next; 0 is the first one of all, or that of a recovery that begins anew."""
    recovery: int = 0
    """The recovery that comes next, or is under way; 0 before the first one."""

    @property
    def failed(self) -> bool:
        """Whether the attempts have failed: nothing is published until there is a connection."""
        return self.recovery > 0

    @property
    def recovers(self) -> bool:
        """Whether the next attempt is a recovery."""
        return self.failed and self.attempt in (0, ATTEMPTS + 1)

    def after_failure(self) -> Self:
        """Return what comes after an attempt that failed, or after a connection that was lost."""
        if self.attempt < ATTEMPTS:
            return replace(self, attempt=self.attempt + 1)
        begins_anew = self.strategy is Strategy.RETRY
        return replace(self, attempt=0 if begins_anew else ATTEMPTS + 1, recovery=self.recovery + 1)

    def after_session(self, seconds: float) -> Self:
        """Return what comes after a connection that was lost after so many seconds."""
        start = self.reset() if seconds >= STABLE_SESSION else self
        return start.after_failure()

    def reset(self) -> Self:
        """Return the beginning: the next attempt is the first one."""
        return type(self)(strategy=self.strategy)

    def next(self, jitter: float, *, credentials_refused: bool = False) -> Attempt:
        """Return the next attempt. The jitter (0.8-1.2) keeps bridges from connecting all at once.

        `credentials_refused`: that is why the last one failed.
        """
        low, high = RECOVERY_JITTER
        factor = min(max(jitter, low), high)
        if not self.recovers:
            doubled = FIRST_PAUSE * 2.0 ** (self.attempt - 1)
            pause = min(doubled, LONGEST_PAUSE) * factor if self.attempt else 0.0
            return Attempt(pause=pause)
        match self.strategy:
            case Strategy.RETRY:
                return Attempt(pause=RECOVERY_PAUSE * factor)
            case Strategy.NEW_CLIENT:
                return Attempt(pause=RECOVERY_PAUSE * factor, new_client=True)
            case Strategy.NEW_CREDENTIALS:
                return Attempt(pause=RECOVERY_PAUSE * factor, new_client=True, new_credentials=True)
            case _:
                again = credentials_refused or self.recovery % CREDENTIALS_EVERY == 0
                if self.recovery > RECOVERIES:
                    pause = SLOW_RECOVERY_PAUSE
                else:
                    doubled = RECOVERY_PAUSE * 2.0 ** (self.recovery - 1)
                    pause = min(doubled, LONGEST_RECOVERY_PAUSE)
                return Attempt(pause=pause * factor, new_client=True, new_credentials=again)
