"""The clock of a bridge: the event loop's timers, and the local time of the configuration."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, time, timedelta
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

type Cancel = Callable[[], None]


class LoopClock:
    """Schedules on the running event loop."""

    def __init__(self, zone: ZoneInfo) -> None:
        """Take the time zone of the place."""
        self._zone = zone

    def monotonic(self) -> float:
        """Return the time of the monotonic clock, in seconds."""
        return monotonic()

    def now(self) -> datetime:
        """Return the date and time, in UTC."""
        return datetime.now(UTC)

    def local_now(self) -> datetime:
        """Return the date and time of the place."""
        return datetime.now(self._zone)

    def call_later(self, delay: float, action: Callable[[], None]) -> Cancel:
        """Call an action once, after a delay in seconds; return what cancels it."""
        return asyncio.get_running_loop().call_later(delay, action).cancel

    def call_daily(self, at: time, action: Callable[[], None]) -> Cancel:
        """Call an action each day at a local time; return what cancels it."""
        timer: asyncio.TimerHandle

        def due() -> None:
            schedule()
            action()

        def schedule() -> None:
            nonlocal timer
            delay = seconds_until(at, self.local_now())
            timer = asyncio.get_running_loop().call_later(delay, due)

        def cancel() -> None:
            timer.cancel()

        schedule()
        return cancel

    def start_task[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task."""
        return asyncio.get_running_loop().create_task(work, name=name)


def seconds_until(at: time, now: datetime) -> float:
    """Return the seconds until the next time that clocks show a local time, a second at least."""
    following = now.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
    while (following.astimezone(UTC) - now.astimezone(UTC)).total_seconds() < 1:
        following += timedelta(days=1)
    return (following.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
