"""The heartbeat, and the recovery that climbs the ladder when readings stay away."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
import random
import time
from typing import Any

from homeassistant.components import persistent_notification
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import (
    async_call_later,
    async_track_time_change,
    async_track_time_interval,
)
from homeassistant.util import dt as dt_util

from . import events
from .connection_log import Topic
from .const import DOMAIN
from .coordinator import BluPowCoordinator
from .events import LinkEvent
from .exceptions import Interrupted
from .lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from .lib.blupow_ble.protocol.text import plain
from .lib.blupow_ble.supervisor.policies import RECOVERY_JITTER, RecoveryStep


class Trigger(StrEnum):
    """What begins a recovery."""

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


class Watchdog:
    """Looks after one device: its own timer, whatever the polls do."""

    def __init__(self, hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
        """Prepare to look after a device."""
        self._hass = hass
        self._coordinator = coordinator
        self._entry = coordinator.config_entry
        self._rule = coordinator.settings.watchdog
        self._link = coordinator.link
        self._climbing: asyncio.Task[Recovery] | None = None
        """The recovery that is under way: one at a time."""
        self._lesser = False
        """It does not try all steps."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._cancel_next: CALLBACK_TYPE | None = None
        self._cancel: list[CALLBACK_TYPE] = []

    @property
    def given_up(self) -> bool:
        """Whether only the slow recoveries are left."""
        return self._rule.given_up(self._link.failed_recoveries)

    @property
    def recovering(self) -> bool:
        """Whether a recovery is under way."""
        return self._climbing is not None

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

    @callback
    def start(self) -> None:
        """Start the heartbeat, the daily reconnect if one is wanted, and go on with a recovery's pause."""
        settings = self._coordinator.settings
        interval = timedelta(seconds=settings.heartbeat_interval)
        self._cancel = [
            async_track_time_interval(self._hass, self._beat, interval),
            self._coordinator.async_add_listener(self._on_update),
        ]
        if self._link.next_recovery is not None:
            left = (self._link.next_recovery - dt_util.utcnow()).total_seconds()
            self._cancel_next = async_call_later(self._hass, max(left, 0), self._on_next)
        if (daily := settings.daily_reconnect) is not None:
            self._cancel.append(
                async_track_time_change(
                    self._hass,
                    self._on_daily,
                    hour=daily.hour,
                    minute=daily.minute,
                    second=daily.second,
                )
            )

    async def stop(self) -> None:
        """Stop, also in the middle of a recovery."""
        for cancel in self._cancel:
            cancel()
        self._cancel = []
        self._cancel_pause()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @callback
    def _beat(self, _: datetime) -> None:
        """Count heartbeats that find the last fresh reading stale; enough of them begin a recovery."""
        self._coordinator.async_update_listeners()  # ages go on while nothing is polled
        link = self._link
        if self.recovering or link.next_recovery is not None or self._entry.pref_disable_polling:
            return
        if self._coordinator.excused:
            link.stale_checks = 0
            return
        link.stale_checks = self._rule.counted(link.stale_checks, self._age)
        if self._rule.due(link.stale_checks):
            self._begin(self._recover())

    @property
    def _age(self) -> float | None:
        """Seconds since the device was last alive, or had no need to be; None if it never was."""
        coordinator = self._coordinator
        answered = time.monotonic() - self._link.answered_at
        if coordinator.settings.may_be_off:
            return min(coordinator.silence, answered)
        if coordinator.age is None:
            return None if self._rule.stale(answered) else answered
        return min(coordinator.age, answered)

    @callback
    def _on_update(self) -> None:
        """Begin anew after any fresh reading, or when the device need not be heard."""
        if self._coordinator.excused:
            self._begin_anew()
            return
        if self._link.failures or self._rule.stale(self._coordinator.age):
            return
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._link.failed_recoveries = self._link.stale_checks = 0
        self._link.next_recovery = None
        self._cancel_pause()

    @callback
    def _on_daily(self, _: datetime) -> None:
        if not self.recovering:
            self._start(Trigger.DAILY, (RecoveryStep.CLOSE_LINK,))

    @callback
    def _on_next(self, _: datetime) -> None:
        self._cancel_next = self._link.next_recovery = None
        if not self.recovering:
            self._begin(self._recover())

    def _cancel_pause(self) -> None:
        if self._cancel_next is not None:
            self._cancel_next()
            self._cancel_next = None

    def _note(self, text: str) -> None:
        self._link.log.note(Topic.RECOVERY, text)

    def _begin[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Have something done that ends with the watchdog."""
        task = self._entry.async_create_background_task(
            self._hass, work, f"{self._entry.title} recovery"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def async_force(self) -> Recovery:
        """Climb the ladder now, whatever the back-off says; who comes meanwhile gets the same result.

        Raises ReaderError: the last step's, when none brought a fresh reading, or Interrupted.
        """
        while (climb := self._climbing) is not None and self._lesser:
            await asyncio.wait((climb,))  # the daily reconnect does not try everything
        climb = self._climbing or self._start(Trigger.USER, tuple(RecoveryStep))
        try:
            recovery = await asyncio.shield(climb)
        except asyncio.CancelledError:
            if climb.cancelled():
                raise Interrupted from None
            raise
        if not recovery.worked:
            raise self._error
        return recovery

    @property
    def _error(self) -> ReaderError:
        """What is wrong now."""
        return self._link.last_error or ReaderError(
            ErrorCode.READER_TIMEOUT, "no reading came to its end"
        )

    async def _recover(self) -> None:
        """Climb the ladder; after a failure see to the next time."""
        silence = self._coordinator.silence
        if not self._link.failed_recoveries:
            self._link.log.note(
                Topic.WATCHDOG, f"no fresh reading for {silence:.0f} s: {self._error.message}"
            )
        recovery = await self._start(Trigger.WATCHDOG, tuple(RecoveryStep))
        if not recovery.worked:
            self._see_to_next()
            return
        if recovery.step is not None:
            self._link.recoveries += 1
            if self._coordinator.settings.notify_on_recovery:
                self._notify(silence, recovery.step)
        self._coordinator.async_update_listeners()

    def _start(self, trigger: Trigger, steps: tuple[RecoveryStep, ...]) -> asyncio.Task[Recovery]:
        """Begin a recovery; there is none under way."""
        self._lesser = len(steps) < len(RecoveryStep)
        climb = self._climbing = self._begin(self._climb(trigger, steps))
        climb.add_done_callback(self._ended)
        return climb

    def _ended(self, _: asyncio.Task[Recovery]) -> None:
        self._climbing = None

    async def _climb(self, trigger: Trigger, steps: tuple[RecoveryStep, ...]) -> Recovery:
        """Try step by step until one brings a fresh reading."""
        started = time.monotonic()
        before = self._coordinator.fresh_readings
        problem = self._error.code if self._link.failures else None
        worked = None
        for step in steps:
            if await self._coordinator.async_reconnect(step, before):
                worked = step
                break
        recovery = Recovery(
            worked=self._coordinator.fresh_readings != before,
            step=worked,
            seconds=time.monotonic() - started,
        )
        self._tell(trigger, problem, recovery)
        return recovery

    def _tell(self, trigger: Trigger, problem: ErrorCode | None, recovery: Recovery) -> None:
        """Tell of a recovery that has ended."""
        after = f"after {recovery.seconds:.0f} s, begun by {trigger}"
        if recovery.worked:
            what = f"step {recovery.step}" if recovery.step else "another poll"
            self._note(f"{what} brought a fresh reading {after}")
        elif trigger is not Trigger.WATCHDOG:
            self._note(f"no step brought a fresh reading {after}: {self._error.message}")
        facts = {
            "trigger": trigger.value,
            "worked": recovery.worked,
            "step": recovery.step,
            "problem": problem.value if problem else None,
            "seconds": round(recovery.seconds, 1),
        }
        events.fire(self._hass, self._entry, LinkEvent.RECOVERY, facts)

    def _see_to_next(self) -> None:
        """Begin the next recovery after a pause; there always is a next one."""
        link = self._link
        # the slow ones go on for ever, and are all alike
        tell = link.log.detail if self.given_up else link.log.note
        link.failed_recoveries += 1
        pause = self._rule.pause(link.failed_recoveries, random.uniform(*RECOVERY_JITTER))
        link.next_recovery = dt_util.utcnow() + timedelta(seconds=pause)
        self._cancel_next = async_call_later(self._hass, pause, self._on_next)
        text = f"recovery {link.failed_recoveries} failed, the next one begins in {pause:.0f} s"
        tell(Topic.RECOVERY, f"{text}: {self._error.message}")
        self._coordinator.async_update_listeners()

    def _notify(self, silence: float, step: RecoveryStep) -> None:
        """Tell the user of a recovery that worked."""
        minutes = max(round(silence / 60), 1)
        persistent_notification.async_create(
            self._hass,
            f"{plain(self._entry.title)} is read again after about {minutes} min without a reading. "
            f"Step {step.value} of the recovery brought it back.",
            title="BluPow",
            notification_id=f"{DOMAIN}_recovery_{self._entry.entry_id}",
        )
