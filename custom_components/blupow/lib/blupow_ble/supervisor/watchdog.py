"""The watchdog: its heartbeat finds readings that stay away, and starts recoveries, step by step."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
import logging
import random
from typing import Any, Protocol

from ..connection_log import Topic
from ..protocol.errors import ErrorCode, ReaderError
from .exclusive import Interrupted
from .health import LinkHealth
from .link_state import LinkState
from .options import Options
from .policies import RECOVERY_JITTER, RecoveryStep
from .protocols import Cancel, Clock, LinkEvent, Listener


class Trigger(StrEnum):
    """What starts a recovery."""

    WATCHDOG = "watchdog"
    USER = "user"
    DAILY = "daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How a recovery ended."""

    worked: bool
    """A fresh reading came."""
    step: RecoveryStep | None
    """The step that brought it; None if none did, or another poll was faster."""
    seconds: float


class Supervised(Protocol):
    """What the watchdog needs of the supervisor."""

    @property
    def link(self) -> LinkState:
        """What is known about the link."""

    @property
    def options(self) -> Options:
        """The options of the link."""

    @property
    def health(self) -> LinkHealth:
        """How the link is."""

    @property
    def recovers(self) -> bool:
        """Whether recoveries start here by themselves."""

    @property
    def fresh_readings(self) -> int:
        """How many fresh readings there were."""

    async def reconnect(self, step: RecoveryStep, since: int) -> bool:
        """Take a reading by a step; return whether it came."""


class Watchdog:
    """Looks after one link, by a timer of its own, whatever the polls do."""

    def __init__(self, supervised: Supervised, clock: Clock, listener: Listener) -> None:
        """Prepare to look after a link."""
        self._supervised = supervised
        self._clock = clock
        self._listener = listener
        self._rule = supervised.options.watchdog
        self._link = supervised.link
        self._recovery: asyncio.Task[Recovery] | None = None
        """The recovery that is under way: one at a time."""
        self._takes_all_steps = True
        self._stopped = False
        self._cancel_beat: Cancel | None = None
        self._cancel_daily: Cancel | None = None
        self._cancel_next: Cancel | None = None

    @property
    def given_up(self) -> bool:
        """Whether only the slow recoveries are left."""
        return self._rule.given_up(self._link.failed_recoveries)

    @property
    def recovering(self) -> bool:
        """Whether a recovery is under way."""
        return self._recovery is not None

    def report(self) -> dict[str, Any]:
        """Return where the recoveries stand."""
        following = self._link.next_recovery
        return {
            "worked": self._link.recoveries,
            "failed_in_a_row": self._link.failed_recoveries,
            "given_up": self.given_up,
            "under_way": self.recovering,
            "next": following.isoformat() if following else None,
        }

    def start(self) -> None:
        """Start the heartbeat and the daily reconnect, and go on with the pause after a recovery."""
        self._schedule_beat()
        if not self._supervised.recovers:
            self._link.next_recovery = None  # who wants no polls wants no recoveries
        if self._link.next_recovery is not None:
            left = (self._link.next_recovery - self._clock.now()).total_seconds()
            self._cancel_next = self._clock.call_later(max(left, 0), self._on_next)
        if (daily := self._supervised.options.daily_reconnect) is not None:
            self._cancel_daily = self._clock.call_daily(daily, self._on_daily)

    async def stop(self) -> None:
        """Stop, also in the middle of a recovery."""
        self._stopped = True
        for cancel in (self._cancel_beat, self._cancel_daily):
            if cancel is not None:
                cancel()
        self._cancel_beat = self._cancel_daily = None
        self._cancel_pause()
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait((self._recovery,))

    def updated(self) -> None:
        """Begin anew after any fresh reading, or when the device need not be heard."""
        health = self._supervised.health
        fresh = not self._link.failures and not self._rule.stale(health.age)
        if health.excused or fresh:
            self._link.failed_recoveries = self._link.stale_checks = 0
            self._link.next_recovery = None
            self._cancel_pause()

    async def force(self) -> Recovery:
        """Recover now, by all steps, whatever the back-off says; who comes meanwhile gets the same result.

        Raises ReaderError: the last step's, when none brought a fresh reading, or Interrupted.
        """
        while (running := self._recovery) is not None and not self._takes_all_steps:
            await asyncio.wait((running,))  # the daily reconnect does not try everything
        if self._stopped:
            raise Interrupted
        running = self._recovery or self._start(Trigger.USER, tuple(RecoveryStep))
        try:
            recovery = await asyncio.shield(running)
        except asyncio.CancelledError:
            if running.cancelled():
                raise Interrupted from None
            raise
        if not recovery.worked:
            raise self._error
        return recovery

    def _schedule_beat(self) -> None:
        interval = self._supervised.options.heartbeat_interval
        self._cancel_beat = self._clock.call_later(interval, self._beat)

    def _beat(self) -> None:
        """Count heartbeats that find the last fresh reading stale; enough of them start a recovery."""
        self._schedule_beat()
        self._listener.updated()  # ages go on while nothing is polled
        link = self._link
        if self.recovering or link.next_recovery is not None or not self._supervised.recovers:
            return
        if self._supervised.health.excused:
            link.stale_checks = 0
            return
        link.stale_checks = self._rule.counted(link.stale_checks, self._age)
        if self._rule.due(link.stale_checks):
            self._recover()

    @property
    def _age(self) -> float | None:
        """Seconds since the device was last alive, or had no need to be; None if it never was."""
        health = self._supervised.health
        answered = self._clock.monotonic() - self._link.answered_at
        if self._supervised.options.may_be_off:
            return min(health.silence, answered)
        if health.age is None:
            return None if self._rule.stale(answered) else answered
        return min(health.age, answered)

    def _on_daily(self) -> None:
        if not self.recovering:
            self._start(Trigger.DAILY, (RecoveryStep.CLOSE_LINK,))

    def _on_next(self) -> None:
        self._cancel_next = self._link.next_recovery = None
        if not self.recovering:
            self._recover()

    def _cancel_pause(self) -> None:
        if self._cancel_next is not None:
            self._cancel_next()
            self._cancel_next = None

    @property
    def _error(self) -> ReaderError:
        """What is wrong now."""
        return self._link.last_error or ReaderError(
            ErrorCode.READER_TIMEOUT, "no reading came to its end"
        )

    def _recover(self) -> None:
        """Start a recovery by all steps; after a failure the next one is scheduled."""
        if not self._link.failed_recoveries:
            silence = self._supervised.health.silence
            self._link.log.info(
                Topic.WATCHDOG, f"no fresh reading for {silence:.0f} s: {self._error.message}"
            )
        self._start(Trigger.WATCHDOG, tuple(RecoveryStep)).add_done_callback(self._recovered)

    def _recovered(self, running: asyncio.Task[Recovery]) -> None:
        if running.cancelled() or self._stopped:
            return
        recovery = running.result()
        if not recovery.worked:
            self._schedule_next()
        elif recovery.step is not None:
            self._link.recoveries += 1
        self._listener.updated()

    def _start(self, trigger: Trigger, steps: tuple[RecoveryStep, ...]) -> asyncio.Task[Recovery]:
        """Start a recovery; there is none under way."""
        self._takes_all_steps = steps == tuple(RecoveryStep)
        running = self._recovery = self._clock.start_task(
            self._take(trigger, steps), f"{self._link.log.name} recovery"
        )
        running.add_done_callback(self._ended)
        return running

    def _ended(self, _: asyncio.Task[Recovery]) -> None:
        self._recovery = None

    async def _take(self, trigger: Trigger, steps: tuple[RecoveryStep, ...]) -> Recovery:
        """Take step after step until one brings a fresh reading."""
        started = self._clock.monotonic()
        silence = self._supervised.health.silence
        before = self._supervised.fresh_readings
        problem = self._error.code if self._link.failures else None
        worked = None
        for step in steps:
            if await self._supervised.reconnect(step, before):
                worked = step
                break
        recovery = Recovery(
            worked=self._supervised.fresh_readings != before,
            step=worked,
            seconds=self._clock.monotonic() - started,
        )
        self._log_end(trigger, recovery)
        self._listener.event(
            LinkEvent.RECOVERY,
            {
                "trigger": trigger.value,
                "worked": recovery.worked,
                "step": recovery.step,
                "problem": problem.value if problem else None,
                "silence": round(silence),
                "seconds": round(recovery.seconds, 1),
            },
        )
        return recovery

    def _log_end(self, trigger: Trigger, recovery: Recovery) -> None:
        """Log how a recovery ended; the watchdog's that failed is logged with its pause."""
        after = f"after {recovery.seconds:.0f} s, started by {trigger}"
        if recovery.worked:
            what = f"step {recovery.step}" if recovery.step else "another poll"
            self._link.log.info(Topic.RECOVERY, f"{what} brought a fresh reading {after}")
        elif trigger is not Trigger.WATCHDOG:
            self._link.log.info(
                Topic.RECOVERY, f"no step brought a fresh reading {after}: {self._error.message}"
            )

    def _schedule_next(self) -> None:
        """Start the next recovery after a pause; there always is a next one."""
        link = self._link
        # the slow ones go on for ever, and are all alike
        level = logging.DEBUG if self.given_up else logging.INFO
        link.failed_recoveries += 1
        pause = self._rule.pause(link.failed_recoveries, random.uniform(*RECOVERY_JITTER))
        link.next_recovery = self._clock.now() + timedelta(seconds=pause)
        self._cancel_next = self._clock.call_later(pause, self._on_next)
        text = f"recovery {link.failed_recoveries} failed, the next one starts in {pause:.0f} s"
        link.log.log(level, Topic.RECOVERY, f"{text}: {self._error.message}")
