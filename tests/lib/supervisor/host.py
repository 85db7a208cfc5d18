"""A host of a supervisor that is not Home Assistant: a clock that is moved by hand, a virtual device."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
import heapq
from itertools import count
import logging
from typing import Any, override

from blupow_ble.profiles import PROFILES
from blupow_ble.protocol import session
from blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from blupow_ble.protocol.modbus import EXCEPTION_FLAG, seal
from blupow_ble.reader.messages import Device
from blupow_ble.reader.plan import OWN_UNIT, FindPlan, ReadPlan, WritePlan
from blupow_ble.reader.reading import Reader
from blupow_ble.reader.result import Finding, Reading, UnitReading, WriteReport
from blupow_ble.reader.route import Route, RouteKind
from blupow_ble.reader.writing import Writer
from blupow_ble.supervisor.link_state import continued
from blupow_ble.supervisor.options import Options
from blupow_ble.supervisor.policies import RecoveryStep
from blupow_ble.supervisor.protocols import LinkEvent, ScheduleEvent
from blupow_ble.supervisor.schedule import ScheduleState
from blupow_ble.supervisor.supervisor import Supervisor
from blupow_ble.supervisor.unit_state import UnitState
from blupow_ble.virtual.device import Module, VirtualBus, VirtualDevice
from blupow_ble.virtual.link import VirtualLink

# time passes by the clock of the scene alone
session.DRAIN_QUIET = 0.0

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
TURNS = 400
"""So many turns of the event loop, and everything that can go on without time passing has."""


class FakeClock:
    """A clock that is moved by hand."""

    def __init__(self, start: datetime = START, zone: tzinfo = UTC) -> None:
        """Start at noon, where people live by UTC."""
        self._start, self._zone = start, zone
        self._now = 1000.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._canceled: set[int] = set()
        self._numbers = count()
        self.tasks: set[asyncio.Task[Any]] = set()
        self._faults: list[BaseException] = []
        """What tasks have failed of, and nobody has noticed: the scene fails of it."""
        self.daily: dict[time, Callable[[], None]] = {}

    def monotonic(self) -> float:
        """Return the time."""
        return self._now

    def now(self) -> datetime:
        """Return the date and time."""
        return self._start + timedelta(seconds=self._now - 1000.0)

    def local_now(self) -> datetime:
        """Return the date and time of the place."""
        return self.now().astimezone(self._zone)

    def call_later(self, delay: float, action: Callable[[], None]) -> Callable[[], None]:
        """Call an action when the clock gets there."""
        number = next(self._numbers)
        heapq.heappush(self._timers, (self._now + delay, number, action))
        return lambda: self._canceled.add(number)

    def call_daily(self, at: time, action: Callable[[], None]) -> Callable[[], None]:
        """Keep an action, to be called by the scene."""
        self.daily[at] = action
        return lambda: self.daily.pop(at, None) and None

    def start_task[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        asyncio.get_running_loop().set_exception_handler(self._on_fault)
        return task

    def _on_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        if (fault := context.get("exception")) is not None:
            self._faults.append(fault)

    @property
    def pending(self) -> int:
        """How many timers are left."""
        return sum(number not in self._canceled for _, number, _ in self._timers)

    async def pass_time(self, seconds: float) -> None:
        """Move on, timer by timer."""
        end = self._now + seconds
        await self.settle()
        while self._timers and self._timers[0][0] <= end:
            at, number, action = heapq.heappop(self._timers)
            if number in self._canceled:
                continue
            self._now = max(self._now, at)
            action()
            await self.settle()
        self._now = end

    def skip(self, seconds: float) -> None:
        """Move on at once; what was due meanwhile comes later."""
        self._now += seconds

    async def settle(self) -> None:
        """Let everything go on that needs no time."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if self._faults:
                raise self._faults.pop()
            if not self.tasks:
                return


def records_of(logger: str) -> list[logging.LogRecord]:
    """Return a list that what a logger records is added to from now on."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger(logger).addHandler(handler)
    logging.getLogger(logger).setLevel(logging.DEBUG)
    return records


@dataclass
class Refusing(VirtualDevice):
    """A device that refuses to tell some of its registers."""

    refused: set[int] = field(default_factory=set)
    """First registers of blocks."""

    @override
    def answer(self, request: bytes) -> bytes | None:
        if request[0] == self.unit_id and int.from_bytes(request[2:4]) in self.refused:
            return seal(bytes((self.unit_id, request[1] | EXCEPTION_FLAG, 2)))
        return VirtualDevice.answer(self, request)


@dataclass
class Host:
    """Reads a virtual device, or fails as the scene says; notes what the supervisor tells."""

    clock: FakeClock = field(default_factory=FakeClock)
    device: VirtualDevice = field(default_factory=VirtualDevice)
    others: list[VirtualDevice] = field(default_factory=list)
    """What else answers behind the same module."""
    error: ErrorCode | None = None
    heals: RecoveryStep | None = None
    """The step that heals the device."""
    write_error: ErrorCode | None = None
    """Readings go well, changes do not."""
    loses_reports: bool = False
    """Changes are made, and nobody hears of it."""
    hang: bool = False
    """Readings wait for `release`."""
    release: asyncio.Event = field(default_factory=asyncio.Event)
    step_seconds: float = 0.0
    """How long each step of a recovery takes."""
    unconnectable: bool = False
    """The device can never be connected to."""
    failing_steps: int = 0
    """So many readings of recoveries fail, whatever heals the device meanwhile."""
    on_read: Callable[[], None] = lambda: None
    plans: list[ReadPlan] = field(default_factory=list)
    elsewhere: list[bool] = field(default_factory=list)
    """Whether each reading was to come over another scanner."""
    find_plans: list[FindPlan] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    """What a search finds."""
    write_plans: list[WritePlan] = field(default_factory=list)
    remedies: list[RecoveryStep] = field(default_factory=list)
    events: list[tuple[LinkEvent, dict[str, Any]]] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    units_read: list[tuple[UnitState, UnitReading]] = field(default_factory=list)
    waits: int = 0
    """How often it was waited for that the device can be connected to."""
    schedule_events: list[tuple[ScheduleEvent, dict[str, Any]]] = field(default_factory=list)
    saved: ScheduleState | None = None
    unit: UnitState = field(init=False)
    updates: int = 0
    stopped: int = 0
    cancelled: int = 0

    def supervisor(
        self,
        *,
        polling: bool = True,
        virtual: bool = False,
        remote: bool = False,
        model: str | None = None,
        others: Sequence[UnitState] = (),
        **options: Any,
    ) -> Supervisor:
        """Return a supervisor of the device; it goes on from what was saved."""
        profile = PROFILES["inverter"]
        unit = self.unit = UnitState(
            key=OWN_UNIT,
            profile=profile,
            model=None if model is None else profile.model(model),
            unit_id=self.device.unit_id,
        )
        if self.saved is not None:
            unit.schedule = deepcopy(self.saved)
        return Supervisor(
            link=continued(None, [unit, *others], name="Inverter", now=self.clock.monotonic()),
            options=Options(**options),
            clock=self.clock,
            reader=self,
            remedies=None if virtual or remote else self,
            virtual=virtual,
            remote=remote,
            listener=self,
            polling=polling,
        )

    @property
    def _module(self) -> Module:
        return VirtualBus([self.device, *self.others]) if self.others else self.device

    # the reader

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Take one reading."""
        self.plans.append(plan)
        self.elsewhere.append(elsewhere)
        failing = self.error if plan.bypass_service_cache and self.failing_steps else None
        self.on_read()
        try:
            if self.hang:
                await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if failing is not None:
            self.failing_steps -= 1
            raise ReaderError(failing, f"scripted {failing}", stage=Stage.READ)
        if self.error is not None:
            stage = Stage.START if self.error is ErrorCode.NOT_ADVERTISING else Stage.READ
            raise ReaderError(self.error, f"scripted {self.error}", stage=stage)
        # one that nobody has would be waited for
        look_at = plan.look_at if plan.look_at in {other.unit_id for other in self.others} else None
        reader = Reader(VirtualLink(self._module), plan.units, look_at=look_at)
        try:
            reading = await (reader.read_spans(plan.spans) if plan.spans else reader.read())
        finally:
            await reader.close()
        device = Device(address="C4:D3:6A:00:00:35", name="Inverter")
        return Route(
            kind=RouteKind.ISOLATED, reason="the only one", device=device, source="hci0"
        ), reading

    async def write(self, plan: WritePlan) -> WriteReport:
        """Change settings of the device."""
        self.write_plans.append(plan)
        try:
            if self.hang:
                await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if (error := self.error or self.write_error) is not None:
            raise ReaderError(error, f"scripted {error}", stage=Stage.READ)
        writer = Writer(VirtualLink(self._module), plan.unit, plan.changes, budget=plan.budget)
        try:
            report = await writer.write()
        finally:
            await writer.close()
        if self.loses_reports:
            raise ReaderError(ErrorCode.READER_CRASHED, "scripted crash", stage=Stage.WRITE)
        return report

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Find what the scene says."""
        self.find_plans.append(plan)
        return self.findings

    async def stop(self) -> None:
        """Note it."""
        self.stopped += 1

    # the remedies

    async def prepare(self, step: RecoveryStep) -> None:
        """Note the step; it may heal the device."""
        self.remedies.append(step)
        self.clock.skip(self.step_seconds)
        if self.heals is step:
            self.error = None

    async def wait_connectable(self) -> None:
        """Need no time, or for ever."""
        self.waits += 1
        if self.unconnectable:
            await asyncio.Event().wait()

    # the listener

    def updated(self) -> None:
        """Note it."""
        self.updates += 1

    def event(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        """Note it."""
        self.events.append((event, facts))

    def schedule_event(self, unit: UnitState, event: ScheduleEvent, facts: dict[str, Any]) -> None:
        """Note it; only the own unit has a schedule."""
        assert unit is self.unit
        self.schedule_events.append((event, facts))

    async def save(self) -> None:
        """Keep the schedule, as a file would."""
        self.saved = deepcopy(self.unit.schedule)

    def unit_read(self, unit: UnitState, reading: UnitReading) -> None:
        """Note it."""
        self.units_read.append((unit, reading))

    def units_found(self, found: Sequence[Finding]) -> None:
        """Note it."""
        self.found += found
