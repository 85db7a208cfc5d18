"""What a supervisor needs of its host: a clock, a reader, remedies for the radio, and a listener."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, time
from enum import StrEnum
from typing import Any, Protocol

from ..reader.plan import FindPlan, ReadPlan, WritePlan
from ..reader.result import Finding, Reading, UnitReading, WriteReport
from ..reader.route import Route
from .policies import RecoveryStep
from .unit_state import UnitState

type Cancel = Callable[[], None]


class LinkEvent(StrEnum):
    """What happens to a link."""

    CONNECTION_LOST = "connection_lost"
    """No fresh reading within the grace time: the values are unavailable."""
    CONNECTION_RESTORED = "connection_restored"
    """A fresh reading after that."""
    RECOVERY = "recovery"
    """A recovery has ended, with a fresh reading or without."""


class ScheduleEvent(StrEnum):
    """What a schedule has done."""

    CHARGE_STARTED = "charge_started"
    DISCHARGE_STARTED = "discharge_started"
    HOLD_STARTED = "hold_started"
    ENDED = "ended"
    MANUAL_CHANGE = "manual_change"
    """Somebody has changed a setting: the schedule rests until the next edge."""
    FAILED = "failed"


class Clock(Protocol):
    """Time, and what is to be done later. Times are seconds."""

    def monotonic(self) -> float:
        """Return the time of the monotonic clock."""

    def now(self) -> datetime:
        """Return the date and time, in UTC."""

    def local_now(self) -> datetime:
        """Return the date and time where the device is, by whose days and hours people live."""

    def call_later(self, delay: float, action: Callable[[], None]) -> Cancel:
        """Call an action once, after a delay; return what cancels it."""

    def call_daily(self, at: time, action: Callable[[], None]) -> Cancel:
        """Call an action each day at a local time; return what cancels it."""

    def start_task[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task that the host may end."""


class Reader(Protocol):
    """Reads one device."""

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Take one reading; return it with its route. Raises ReaderError.

        `elsewhere`: not over the scanner that has just failed, where another one hears the device.
        """

    async def write(self, plan: WritePlan) -> WriteReport:
        """Change settings; return what has become of them.

        Raises ReaderError: nothing was sent, or the write was interrupted and nobody knows.
        """

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Find units; nothing but reads is sent. Raises ReaderError."""

    async def stop(self) -> None:
        """Wait until neither a process nor a link is left; a job is cancelled by its own task."""


class Remedies(Protocol):
    """What helps a device that cannot be read."""

    async def prepare(self, step: RecoveryStep) -> None:
        """Do what a step of a recovery does before a reading is tried. Raises ReaderError."""

    async def wait_connectable(self) -> None:
        """Wait until the device can be connected to, at most for a while."""


class Listener(Protocol):
    """What a supervisor tells its host."""

    def updated(self) -> None:
        """Show what may have changed."""

    def event(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        """Tell what has happened to the link."""

    def schedule_event(self, unit: UnitState, event: ScheduleEvent, facts: dict[str, Any]) -> None:
        """Tell what the schedule of a unit has done."""

    async def save(self) -> None:
        """Keep what is known, now: a write follows whose end must not be forgotten."""

    def unit_read(self, unit: UnitState, reading: UnitReading) -> None:
        """Take what a unit sent; it may have named its model, or have another unit ID."""

    def units_found(self, found: Sequence[Finding]) -> None:
        """Take units that the background search has found and that are not known."""
