"""The heartbeat, and the recovery that climbs the ladder when readings stay away."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
import random
import time

from homeassistant.components import persistent_notification
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import (
    async_call_later,
    async_track_time_change,
    async_track_time_interval,
)
from homeassistant.util import dt as dt_util

from . import events
from .const import DOMAIN
from .coordinator import BluPowCoordinator
from .events import LinkEvent
from .journal import Topic
from .lib.blupow_ble.errors import ErrorCode, ReaderError
from .lib.blupow_ble.resilience import RECOVERY_JITTER, Rung


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
    rung: Rung | None
    """The rung that brought it; None if none did, or another poll was faster."""
    seconds: float


class Watchdog:
    """Looks after one device: its own timer, whatever the polls do."""

    def __init__(self, hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
        """Prepare to look after a device."""
        self._hass = hass
        self._coordinator = coordinator
        self._entry = coordinator.config_entry
        self._rule = coordinator.settings.watchdog
        self._stale_checks = 0
        self.failed = 0
        """Recoveries in a row that brought no fresh reading."""
        self.next_recovery: datetime | None = None
        """When the next one begins, after one that failed."""
        self._ladder = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancel_next: CALLBACK_TYPE | None = None
        self._cancel: list[CALLBACK_TYPE] = []

    @property
    def given_up(self) -> bool:
        """Whether only the slow recoveries are left."""
        return self._rule.given_up(self.failed)

    @property
    def recovering(self) -> bool:
        """Whether the ladder is being climbed."""
        return self._ladder.locked()

    @callback
    def start(self) -> None:
        """Start the heartbeat, and the daily reconnect if one is wanted."""
        settings = self._coordinator.settings
        interval = timedelta(seconds=settings.heartbeat_interval)
        self._cancel = [
            async_track_time_interval(self._hass, self._beat, interval),
            self._coordinator.async_add_listener(self._on_update),
        ]
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
        self._forget_next()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @callback
    def _beat(self, _: datetime) -> None:
        """Count heartbeats that find the last fresh reading stale; enough of them begin a recovery."""
        self._coordinator.async_update_listeners()  # ages go on while nothing is polled
        if self.recovering or self.next_recovery is not None or self._entry.pref_disable_polling:
            return
        self._stale_checks = self._rule.counted(self._stale_checks, self._coordinator.age)
        if self._rule.due(self._stale_checks):
            self._begin(Trigger.WATCHDOG)

    @callback
    def _on_update(self) -> None:
        """Begin anew after any fresh reading."""
        if self._coordinator.link.failures or self._rule.stale(self._coordinator.age):
            return
        self.failed = self._stale_checks = 0
        self._forget_next()

    @callback
    def _on_daily(self, _: datetime) -> None:
        if not self.recovering:
            self._begin(Trigger.DAILY)

    @callback
    def _on_next(self, _: datetime) -> None:
        self._cancel_next = self.next_recovery = None
        if not self.recovering:
            self._begin(Trigger.WATCHDOG)

    def _forget_next(self) -> None:
        if self._cancel_next is not None:
            self._cancel_next()
            self._cancel_next = None
        self.next_recovery = None

    def _note(self, text: str) -> None:
        self._coordinator.link.journal.note(Topic.RECOVERY, text)

    def _begin(self, trigger: Trigger) -> None:
        task = self._entry.async_create_background_task(
            self._hass, self._recover(trigger), f"{self._entry.title} recovery"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def async_force(self) -> Recovery:
        """Climb the ladder now, whatever the back-off says.

        Raises ReaderError, the last rung's, when none brought a fresh reading.
        """
        recovery = await self._climb(Trigger.USER, tuple(Rung))
        if not recovery.worked:
            raise self._error
        return recovery

    @property
    def _error(self) -> ReaderError:
        """What is wrong now."""
        return self._coordinator.link.last_error or ReaderError(
            ErrorCode.READER_TIMEOUT, "no reading came to its end"
        )

    async def _recover(self, trigger: Trigger) -> None:
        """Climb the ladder; after a failure see to the next time."""
        silence = self._coordinator.silence
        if trigger is Trigger.DAILY:
            await self._climb(trigger, (Rung.CLOSE_LINK,))
            return
        if not self.failed:
            self._coordinator.link.journal.note(
                Topic.WATCHDOG, f"no fresh reading for {silence:.0f} s: {self._error.message}"
            )
        recovery = await self._climb(trigger, tuple(Rung))
        if not recovery.worked:
            self._see_to_next()
            return
        if recovery.rung is not None:
            self._coordinator.link.recoveries += 1
            if self._coordinator.settings.notify_on_recovery:
                self._notify(silence, recovery.rung)
        self._coordinator.async_update_listeners()

    async def _climb(self, trigger: Trigger, rungs: tuple[Rung, ...]) -> Recovery:
        """Try rung by rung until one brings a fresh reading."""
        async with self._ladder:
            started = time.monotonic()
            problem = self._error.code if self._coordinator.link.failures else None
            before = self._coordinator.fresh_readings
            worked = None
            for rung in rungs:
                if await self._coordinator.async_reconnect(rung, before):
                    worked = rung
                    break
            recovery = Recovery(
                worked=self._coordinator.fresh_readings != before,
                rung=worked,
                seconds=time.monotonic() - started,
            )
        self._tell(trigger, problem, recovery)
        return recovery

    def _tell(self, trigger: Trigger, problem: ErrorCode | None, recovery: Recovery) -> None:
        """Tell of a recovery that has ended."""
        after = f"after {recovery.seconds:.0f} s, begun by {trigger}"
        if recovery.worked:
            what = f"step {recovery.rung}" if recovery.rung else "another poll"
            self._note(f"{what} brought a fresh reading {after}")
        elif trigger is not Trigger.WATCHDOG:
            self._note(f"no step brought a fresh reading {after}: {self._error.message}")
        facts = {
            "trigger": trigger.value,
            "worked": recovery.worked,
            "step": recovery.rung,
            "problem": problem.value if problem else None,
            "seconds": round(recovery.seconds, 1),
        }
        events.fire(self._hass, self._entry, LinkEvent.RECOVERY, facts)

    def _see_to_next(self) -> None:
        """Begin the next recovery after a pause; there always is a next one."""
        self.failed += 1
        pause = self._rule.pause(self.failed, random.uniform(*RECOVERY_JITTER))
        self.next_recovery = dt_util.utcnow() + timedelta(seconds=pause)
        self._cancel_next = async_call_later(self._hass, pause, self._on_next)
        text = f"recovery {self.failed} failed, the next one begins in {pause:.0f} s"
        journal = self._coordinator.link.journal
        # the slow ones go on for ever, and are all alike
        tell = journal.detail if self._rule.given_up(self.failed - 1) else journal.note
        tell(Topic.RECOVERY, f"{text}: {self._error.message}")
        self._coordinator.async_update_listeners()

    def _notify(self, silence: float, rung: Rung) -> None:
        """Tell the user of a recovery that worked."""
        minutes = max(round(silence / 60), 1)
        persistent_notification.async_create(
            self._hass,
            f"{self._entry.title} is read again after about {minutes} min without a reading. "
            f"Step {rung.value} of the recovery brought it back.",
            title="BluPow",
            notification_id=f"{DOMAIN}_recovery_{self._entry.entry_id}",
        )
