"""The rules that keep a device alive: timeouts, retries, freshness. Pure: time is an argument.

All times are seconds. n is the number of consecutive failed polls.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

CONNECT_TIMEOUT: Final = 25.0
CONNECT_TIMEOUT_STEP: Final = 5.0
CONNECT_TIMEOUT_CAP: Final = 45.0
PATIENT_FAILURES: Final = 2
"""So many failures in a row leave the connect timeout as it is."""
MANUAL_CONNECT_TIMEOUT: Final = (5.0, 60.0)

CONNECT_ATTEMPTS: Final = 2
RETRY_DELAY: Final = 2.0

REQUEST_TIMEOUT: Final = 2.0
REQUEST_TRIES: Final = 2
READ_BUDGET: Final = 15.0

DISCONNECT_BUDGET: Final = 5.0
"""bluetoothd itself needs 2.0 to 2.6 s for a disconnect."""
PARENT_MARGIN: Final = 3.0
TERMINATE_GRACE: Final = 5.0
"""From SIGTERM to SIGKILL."""

CACHE_TIME: Final = 300.0
GRACE_TIME: Final = 600.0

TICK: Final = 0.001
"""Just past a limit."""

BLOCK_STRIKES: Final = 3
"""A block that was missing so often in a row is left out of the polls for a while."""
BLOCK_REST: Final = 3600.0


def connect_timeout(failures: int, manual: float | None = None) -> float:
    """Return how long a connection may take after n failures: 25 25 25 40 45 45 ..., or the manual value."""
    if manual is not None:
        low, high = MANUAL_CONNECT_TIMEOUT
        return min(max(manual, low), high)
    if failures <= PATIENT_FAILURES:
        return CONNECT_TIMEOUT
    return min(CONNECT_TIMEOUT + CONNECT_TIMEOUT_STEP * failures, CONNECT_TIMEOUT_CAP)


def retry_delay(attempt: int) -> float:
    """Return the pause after the failed attempt number 1, 2, ...: 2 s, 4 s, ..."""
    return RETRY_DELAY * 2.0 ** (attempt - 1)


def child_deadline(connect: float) -> float:
    """Return when a child ends itself: its connect timeout, the read budget, the time to disconnect."""
    return connect + READ_BUDGET + DISCONNECT_BUDGET


def parent_deadline(connect: float) -> float:
    """Return when the parent stops waiting for a child."""
    return child_deadline(connect) + PARENT_MARGIN


class ConnectionStatus(StrEnum):
    """What is known about the link."""

    CONNECTED = "connected"
    """The last poll brought a fresh reading."""
    OFFLINE = "offline"
    """Polls fail; the last reading still serves."""
    DISCONNECTED = "disconnected"
    """The last reading is too old to serve, but within the grace."""
    LOST = "lost"
    """Older than that, or there never was one."""
    TEST_MODE = "test_mode"
    """A virtual device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long a reading serves (cache) and how long entities keep its values (grace)."""

    cache: float = CACHE_TIME
    grace: float = GRACE_TIME

    def __post_init__(self) -> None:
        """Refuse a grace that ends before the cache; raises ValueError."""
        if self.grace < self.cache:
            raise ValueError("the grace time must not be shorter than the cache time")

    def serves(self, age: float | None) -> bool:
        """Whether a reading of that age stands in for a failed one. None: there is none."""
        return age is not None and age <= self.cache

    def available(self, age: float | None) -> bool:
        """Whether entities still show a reading of that age."""
        return age is not None and age <= self.grace

    def status(
        self, age: float | None, *, failing: bool, virtual: bool = False
    ) -> ConnectionStatus:
        """Return the connection status from the last fresh reading's age and the last poll's outcome."""
        if not failing and self.available(age):
            return ConnectionStatus.TEST_MODE if virtual else ConnectionStatus.CONNECTED
        if self.serves(age):
            return ConnectionStatus.OFFLINE
        if self.available(age):
            return ConnectionStatus.DISCONNECTED
        return ConnectionStatus.LOST

    def next_change(self, age: float) -> float | None:
        """Return in how many seconds ageing alone will have changed what `serves` or `available` say."""
        for limit in (self.cache, self.grace):
            if age <= limit:
                return limit - age + TICK
        return None


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """How a block has been answered lately."""

    strikes: int = 0
    rests_until: float = 0.0
    answered: bool = False
    """The device has this block: silence is the radio's fault, not a sign that it is not there."""

    def after_answer(self) -> BlockRecord:
        """Return the record after an answer."""
        return BlockRecord(answered=True)

    def after_miss(self, now: float, *, refused: bool) -> BlockRecord:
        """Return the record after one more miss: three in a row bring an hour's rest.

        Only a refusal, or the silence of a block that was never answered, is a miss.
        """
        if self.answered and not refused:
            return self
        strikes = self.strikes + 1
        rest = now + BLOCK_REST if strikes >= BLOCK_STRIKES else 0.0
        return replace(self, strikes=strikes, rests_until=rest)

    def due(self, now: float) -> bool:
        """Whether the block is to be asked for."""
        return now >= self.rests_until


KNOWN_BLOCK: Final = BlockRecord(rests_until=float("inf"), answered=True)
"""The record of a block that need not be read again."""
