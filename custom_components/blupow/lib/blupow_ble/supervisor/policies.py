"""The rules that keep a device alive: freshness, the pace of the polls, the recoveries.

Pure: the time is an argument. All times are seconds.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final, Self

CACHE_TIME: Final = 300.0
GRACE_TIME: Final = 600.0

HEARTBEAT: Final = 120.0
STALE_AGE: Final = 300.0
STALE_CHECKS: Final = 3
RECOVERY_LIMIT: Final = 10
RECOVERY_DELAY: Final = 60.0
RECOVERY_DELAY_CAP: Final = 300.0
RECOVERY_JITTER: Final = (0.8, 1.2)
SLOW_RECOVERY_DELAY: Final = 900.0
"""Between recoveries once the limit is reached; they never end."""

LAST_EFFORT_PAUSE: Final = 5.0
"""Between polls from the cache's end to the grace's end, where these are the usual 300 s apart."""
LAST_EFFORT_POLLS: Final = 60
"""So many pauses fit between the two at most, however long the user has made them."""
SLOW_PAUSE_HEARD: Final = 120.0
"""Between polls of a device that is lost, but heard."""
SLOW_PAUSE_UNHEARD: Final = 300.0
"""Between polls of a device that is lost and not heard; none of them connects."""

AVAILABILITY_WINDOW: Final = 24 * 3600.0

TICK: Final = 0.001
"""Just past a limit."""

BLOCK_MISSES: Final = 3
"""A block that was missing so often in a row is left out of the polls for a while."""
BLOCK_COOLDOWN: Final = 3600.0


SCANNER_FAILURES: Final = 2
"""So many readings that fail in a row over an adapter or proxy, and another one is taken."""
SCANNER_COOLDOWN: Final = 1800.0
"""For so long; doubled when it still fails afterwards."""
SCANNER_COOLDOWN_CAP: Final = 4 * 3600.0


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
    NOT_HEARD = "not_heard"
    """Not heard, as one that may be switched off is at times."""
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

    def pause(self, interval: float, silence: float, *, heard: bool) -> float:
        """Return the pause before the next poll, by the time since the last fresh reading.

        The interval until the cache ends; then a last effort until the grace ends: stretched polls would
        make the very outage that they soften. What is lost is polled slowly, to be kind to the radio.
        """
        if silence <= self.cache:
            return interval
        if silence <= self.grace:
            return max(LAST_EFFORT_PAUSE, (self.grace - self.cache) / LAST_EFFORT_POLLS)
        return SLOW_PAUSE_HEARD if heard else SLOW_PAUSE_UNHEARD

    def next_change(self, age: float) -> float | None:
        """Return in how many seconds ageing alone will have changed what `serves` or `available` say."""
        for limit in (self.cache, self.grace):
            if age <= limit:
                return limit - age + TICK
        return None


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """How a block has been answered lately."""

    misses: int = 0
    """In a row."""
    cooldown_until: float = 0.0
    answered: bool = False
    """The device has this block: silence is the radio's fault, not a sign that it is not there."""

    def after_answer(self) -> BlockRecord:
        """Return the record after an answer."""
        return BlockRecord(answered=True)

    def after_miss(self, now: float, *, refused: bool) -> BlockRecord:
        """Return the record after one more miss: three in a row bring an hour's cooldown.

        Only a refusal, or the silence of a block that was never answered, is a miss.
        """
        if self.answered and not refused:
            return self
        misses = self.misses + 1
        until = now + BLOCK_COOLDOWN if misses >= BLOCK_MISSES else 0.0
        return replace(self, misses=misses, cooldown_until=until)

    def due(self, now: float) -> bool:
        """Whether the block is to be asked for."""
        return now >= self.cooldown_until


KNOWN_BLOCK: Final = BlockRecord(cooldown_until=float("inf"), answered=True)
"""The record of a block that need not be read again."""


@dataclass(frozen=True, slots=True)
class ScannerRecord:
    """How readings over one scanner have gone lately."""

    failures: int = 0
    """Readings that failed in a row."""
    forgiven_failures: int = 0
    """How many of them failed while all scanners did: no reason to prefer another one."""
    cooldown: float = 0.0
    """How long the last cooldown was; 0 if there was none since a reading over it last worked."""
    cooldown_until: float = 0.0

    def after_failure(self, now: float) -> ScannerRecord:
        """Return the record after a reading that failed over it.

        Two in a row bring a cooldown; after one, the next failure is enough for a cooldown twice as long.
        What fails during a cooldown, because there was no other scanner, does not make it longer.
        """
        failed = replace(self, failures=self.failures + 1)
        due = self.cooldown or failed.failures - self.forgiven_failures >= SCANNER_FAILURES
        return failed.blamed(now) if due and not self.on_cooldown(now) else failed

    def blamed(self, now: float) -> ScannerRecord:
        """Return the record after it failed where another one worked at once: a cooldown."""
        cooldown = (
            min(2 * self.cooldown, SCANNER_COOLDOWN_CAP) if self.cooldown else SCANNER_COOLDOWN
        )
        return replace(self, cooldown=cooldown, cooldown_until=now + cooldown)

    def forgiven(self) -> ScannerRecord:
        """Return the record without a cooldown: all scanners fail, and none of them is to blame."""
        return ScannerRecord(failures=self.failures, forgiven_failures=self.failures)

    def on_cooldown(self, now: float) -> bool:
        """Whether another scanner is preferred, where another one hears the device."""
        return now < self.cooldown_until


class RecoveryStep(IntEnum):
    """The steps of a recovery, gentlest first. A step has worked only when a fresh reading came."""

    CLOSE_LINK = 1
    """What is under way is ended, leftover links are closed, cached services forgotten."""
    LOOK_AGAIN = 2
    """An active scan; the device is resolved again, by another adapter or proxy if one hears it."""
    REDISCOVER = 3
    """BlueZ forgets the device and discovers it again; its unit ID is probed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogRule:
    """When a recovery is due, and when the next one after it."""

    stale_age: float = STALE_AGE
    checks: int = STALE_CHECKS
    limit: int = RECOVERY_LIMIT

    def stale(self, age: float | None) -> bool:
        """Whether a heartbeat finds the last fresh reading too old. None: there never was one."""
        return age is None or age > self.stale_age

    def counted(self, checks: int, age: float | None) -> int:
        """Return how many heartbeats in a row were stale, after one more."""
        return checks + 1 if self.stale(age) else 0

    def due(self, checks: int) -> bool:
        """Whether so many stale heartbeats in a row start a recovery."""
        return checks >= self.checks

    def given_up(self, failed: int) -> bool:
        """Whether so many failed recoveries in a row leave only the slow ones."""
        return failed >= self.limit

    def pause(self, failed: int, jitter: float) -> float:
        """Return the pause after the failed recovery number 1, 2, ...: 60 120 240 300 ..., then 900 s.

        The jitter (0.8-1.2) keeps devices from recovering in step; the slow pace needs none.
        """
        if self.given_up(failed):
            return SLOW_RECOVERY_DELAY
        doubled = RECOVERY_DELAY * 2.0 ** min(failed - 1, 10)
        low, high = RECOVERY_JITTER
        return min(doubled, RECOVERY_DELAY_CAP) * min(max(jitter, low), high)


@dataclass(frozen=True, slots=True)
class Availability:
    """Which share of the last 24 hours the values were shown; less is known at first."""

    changes: tuple[tuple[float, bool | None], ...] = ()
    """When it changed, and to what (None: does not count); the first one may lie before the window."""

    def noted(self, now: float, available: bool | None) -> Self:
        """Return what is known after a look. None: from now on the time does not count."""
        begin = now - AVAILABILITY_WINDOW
        changes = self.changes
        if not changes or changes[-1][1] != available:
            changes = (*changes, (now, available))
        while len(changes) > 1 and changes[1][0] <= begin:
            changes = changes[1:]
        return self if changes == self.changes else type(self)(changes)

    def observed(self, now: float) -> float:
        """Return the seconds that count, of 24 hours at most."""
        return self._seconds(now, available=True) + self._seconds(now, available=False)

    def share(self, now: float) -> float | None:
        """Return the share of the time that counts, 0-1; None before any has passed."""
        observed = self.observed(now)
        return self._seconds(now, available=True) / observed if observed > 0 else None

    def _seconds(self, now: float, *, available: bool) -> float:
        """Return how long the values were shown, or were not, within the window."""
        begin = now - AVAILABILITY_WINDOW
        ends = [*(at for at, _ in self.changes[1:]), now]
        return sum(
            max(end - max(at, begin), 0.0)
            for (at, was), end in zip(self.changes, ends, strict=False)
            if was is available
        )
