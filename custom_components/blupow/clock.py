"""Home Assistant's clock and tasks, as a supervisor needs them."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, time
from time import monotonic
from typing import TYPE_CHECKING, Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_time_change
from homeassistant.util import dt as dt_util

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry


class HomeAssistantClock:
    """Schedules for one entry; its tasks end when the entry is unloaded."""

    def __init__(self, hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
        """Schedule for an entry."""
        self._hass = hass
        self._entry = entry

    def monotonic(self) -> float:
        """Return the time of the monotonic clock, in seconds."""
        return monotonic()

    def now(self) -> datetime:
        """Return the date and time, in UTC."""
        return dt_util.utcnow()

    def local_now(self) -> datetime:
        """Return the date and time, in Home Assistant's time zone."""
        return dt_util.now()

    def call_later(self, delay: float, action: Callable[[], None]) -> CALLBACK_TYPE:
        """Call an action once, after a delay in seconds; return what cancels it."""

        @callback
        def call(_: datetime) -> None:
            action()

        return async_call_later(self._hass, delay, call)

    def call_daily(self, at: time, action: Callable[[], None]) -> CALLBACK_TYPE:
        """Call an action each day at a local time; return what cancels it."""

        @callback
        def call(_: datetime) -> None:
            action()

        return async_track_time_change(
            self._hass, call, hour=at.hour, minute=at.minute, second=at.second
        )

    def start_task[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task of the entry, not before what is under way is done.

        Home Assistant calls for an advertisement before it itself knows of it.
        """
        return self._entry.async_create_background_task(self._hass, work, name, eager_start=False)
