"""The supervisor of one link: it polls, keeps the last reading, and says how fresh it is."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
import logging
from typing import Any, Final

from ..connection_log import Topic
from ..profiles.declaration import Span
from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..reader.plan import OWN_UNIT, Change, FindPlan, ReadPlan
from ..reader.result import Finding, Reading, UnitReading, WriteReport
from ..reader.route import Route
from ..reader.timeouts import CONNECT_TIMEOUT, connect_timeout
from .announcer import Announcer
from .background_search import BackgroundSearch
from .block_plan import BlockPlan
from .energy import longest_gap
from .exclusive import ExclusiveAccess, Interrupted
from .health import LinkHealth
from .link_state import LinkState, Poll, Snapshot
from .options import LONGEST_INTERVAL, Options
from .policies import RecoveryStep
from .protocols import Cancel, Clock, Listener, Reader, Remedies
from .scheduler import Scheduler
from .setting_changes import SettingChanges
from .unit_matching import new_units
from .unit_state import UnitState
from .watchdog import Watchdog

_LOGGER = logging.getLogger(__name__)

ADVERT_POLL_PAUSE: Final = 10.0
"""An advertisement of a device that had vanished brings a poll, at most once in so many seconds."""
NETWORK_JITTER: Final = 1.0
"""Seconds by which the age of the same reading may differ from one time to the next."""
UNHEARD_TIME: Final = 30.0
"""An advertisement after so many seconds without one tells that the device is back."""


class Supervisor:
    """Keeps one device alive. One thing at a time is done with the device."""

    def __init__(
        self,
        *,
        link: LinkState,
        options: Options,
        clock: Clock,
        reader: Reader,
        remedies: Remedies | None,
        listener: Listener,
        polling: bool = True,
        virtual: bool = False,
        remote: bool = False,
    ) -> None:
        """Prepare to keep the device of a link alive.

        `remedies` is None where nothing can be done for the radio: the device is virtual, or `remote`,
        which another machine reads and recovers. Without `polling` it is read on request alone.
        """
        self.link: Final = link
        self.options: Final = options
        self.units: Final = list(link.units.values())
        """The own unit first."""
        self.health: Final = LinkHealth(
            link, options, clock, polling=polling, virtual=virtual, remote=remote
        )
        self.fresh_readings = 0
        """Since the start."""
        self.polling: Final = polling
        self.virtual: Final = virtual
        self.recovers: Final = polling and not remote
        """Whether the watchdog starts recoveries."""
        self._clock = clock
        self._reader = reader
        self._remedies = remedies
        self._listener = listener
        self._announcer = Announcer(link, listener)
        self._access = ExclusiveAccess(link.log)
        interval = options.update_interval if polling else LONGEST_INTERVAL
        self._blocks = BlockPlan(self.units, settings=options.allow_changes, interval=interval)
        self._search = BackgroundSearch(self.units)
        self._fault: str | None = None
        """A fault of BluPow's own that was logged already."""
        self._step: RecoveryStep | None = None
        """The step whose reading is under way."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancel_poll: Cancel | None = None
        self._cancel_ageing: Cancel | None = None
        self._advert_poll_at = float("-inf")
        self._heard_again = False
        for unit in self.units:
            unit.grace = self.health.freshness.grace
            unit.monotonic = clock.monotonic
            unit.longest_gap = longest_gap(options.update_interval)
            unit.settings.interval = interval
        self.pause = self.health.pause
        """Seconds between the last poll and the next one."""
        self.watchdog: Final = Watchdog(self, clock, listener)
        self._changes = SettingChanges(
            units=self.units,
            link=link,
            options=options,
            clock=clock,
            reader=reader,
            access=self._access,
            poll=self._poll,
            updated=self._updated,
        )
        units = self.units if options.allow_changes else ()
        self.scheduler: Final = Scheduler(self, units, clock, listener, options.source_dwell)

    # What is known

    @property
    def own(self) -> UnitState:
        """The unit that the link was made for."""
        return self.units[0]

    @property
    def connect_timeout(self) -> float:
        """Seconds that the next connection may take."""
        return connect_timeout(self.link.failures, self.options.connect_timeout)

    # What the host asks for

    def start(self, delay: float = 0.0) -> None:
        """Start the watchdog, and poll after a delay."""
        self._announce()
        if delay:
            self._cancel_poll = self._clock.call_later(delay, self._on_poll_due)
        else:
            self._on_poll_due()
        self.watchdog.start()
        self.scheduler.start()

    async def stop(self) -> None:
        """Stop, also in the middle of a reading; wait until neither a process nor a link is left."""
        await self.watchdog.stop()
        self.scheduler.stop()
        self._cancel_timers()
        await self._access.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._cancel_timers()
        await self._reader.stop()

    async def poll(self) -> None:
        """Take one reading, after what is under way; never raises for what the device does."""
        async with self._access:
            await self._poll()

    async def reconnect(self, step: RecoveryStep, since: int) -> bool:
        """Take a reading by a step of a recovery; return whether it came.

        What is under way is interrupted: it may be what hangs. Nothing is done when another poll has
        brought a fresh reading since the recovery began, when there were `since`.
        """
        self._access.interrupt()
        async with self._access:
            if self.fresh_readings != since:
                return False
            self._step = step
            try:
                await self._poll()
            finally:
                self._step = None
            return self.fresh_readings != since

    async def read_registers(self, spans: Sequence[Span], unit: UnitState) -> UnitReading:
        """Read registers of a unit by number, after what is under way. Raises ReaderError."""
        async with self._access:
            plan = ReadPlan(
                units=(self._blocks.of(unit, self._clock.monotonic()),),
                connect_timeout=self.connect_timeout,
                spans=tuple(spans),
            )
            try:
                _, reading = await self._access.run(self._reader.read(plan))
            finally:
                self.link.note_busy(self._clock.monotonic())
            self.link.answered_at = self._clock.monotonic()
            return reading.main

    async def write(self, unit: UnitState, changes: Sequence[Change]) -> WriteReport:
        """Change settings of a unit, after what is under way; return what came of it.

        Raises ReaderError where nothing was sent, ChangeUnknown where nobody knows whether it was.
        """
        return await self._changes.write(unit, changes)

    async def find_units(self, unit_ids: tuple[int, ...] = ()) -> list[Finding]:
        """Find all units behind the module, known ones too: they may have moved. Raises ReaderError.

        Those with `unit_ids` are asked first, beside all usual ones.
        """
        plan = FindPlan(connect_timeout=CONNECT_TIMEOUT, everything=True, unit_ids=unit_ids)
        async with self._access:
            try:
                return await self._access.run(self._reader.find(plan))
            finally:
                self.link.note_busy(self._clock.monotonic())

    def take(self, route: Route, reading: Reading, seconds: float) -> None:
        """Keep a reading that came without a poll, and took so many seconds; an older one is dropped."""
        if self._access.closed or self._is_old_news(reading.age):
            return
        self._keep(route, reading, seconds)
        self._schedule_poll()
        self._updated()

    def note_failure(self, err: ReaderError, seconds: float, age: float = 0.0) -> None:
        """Note that a poll of the machine that reads the device has failed, after so many seconds.

        That was `age` seconds ago; nothing is noted where a newer reading is known.
        """
        if self._access.closed or self._is_old_news(age):
            return
        self._failed(err, seconds)
        self._schedule_poll()
        self._updated()

    def _is_old_news(self, age: float) -> bool:
        """Whether something so many seconds old came before the last fresh reading."""
        snapshot = self.link.snapshot
        if snapshot is None:
            return False
        return self._clock.monotonic() - age < snapshot.taken_at_monotonic - NETWORK_JITTER

    def heard(self) -> None:
        """Note an advertisement by a scanner that can connect; poll when the device was not heard before."""
        now = self._clock.monotonic()
        self._heard_again = self._heard_again or now - self.link.heard_at >= UNHEARD_TIME
        self.link.heard_at = now
        if self._access.busy or self._access.closed or not self._is_back:
            return
        if now - self._advert_poll_at < ADVERT_POLL_PAUSE:
            return
        self._advert_poll_at = now
        self.start_task(self._poll_again())

    # Polls

    def _on_poll_due(self) -> None:
        self._cancel_poll = None
        self.start_task(self._due_poll())

    async def _due_poll(self) -> None:
        """Poll, unless a recovery has read the device while this one waited."""
        before = self.fresh_readings
        async with self._access:
            if self.fresh_readings == before:
                await self._poll()

    def start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that ends with the supervisor."""
        task = self._clock.start_task(work, f"{self.link.log.name} poll")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def _is_back(self) -> bool:
        """Whether the last poll failed, and the device was heard again after a silence since."""
        error = self.link.last_error
        if error is None:
            return False
        unheard = (ErrorCode.NOT_ADVERTISING, ErrorCode.ADAPTER_UNAVAILABLE)
        nobody_heard_it = error.code in unheard and error.stage is Stage.START
        return nobody_heard_it or self._heard_again

    async def _poll_again(self) -> None:
        """Poll once the device can be connected to, unless another poll was faster.

        The host may hear a device some seconds before BlueZ has an object for it.
        """
        assert self._remedies is not None  # neither a virtual nor a remote device is heard
        await self._remedies.wait_connectable()
        if self._is_back:
            await self.poll()

    async def _poll(self) -> None:
        """Take one reading, with exclusive access; a failure is noted, and the next poll is scheduled."""
        self._cancel_due_poll()
        if self._access.closed:
            return
        started = self._clock.monotonic()
        self._heard_again = False
        try:
            route, reading = await self._access.run(self._read())
            self._keep(route, reading, self._clock.monotonic() - started)
        except Interrupted:
            pass  # nothing is known of the device by it
        except ReaderError as err:
            self._failed(err, self._clock.monotonic() - started)
        except Exception as err:
            # a fault of BluPow: logged once, and the status must not hide it
            if self._fault != (fault := repr(err)):
                self._fault = fault
                _LOGGER.exception("[poll] %s: a fault of BluPow itself", self.link.log.name)
            self._failed(
                ReaderError(ErrorCode.READER_CRASHED, f"a fault of BluPow itself: {fault}"),
                self._clock.monotonic() - started,
            )
        finally:
            self.link.note_busy(self._clock.monotonic())
            self._schedule_poll()
        self._updated()

    async def _read(self) -> tuple[Route, Reading]:
        """Take one reading, after what the step of a recovery does before it. Raises ReaderError."""
        step, now = self._step, self._clock.monotonic()
        if step is not None:
            await self._prepare(step)
        plan = ReadPlan(
            units=tuple(self._blocks.of(unit, now) for unit in self.units),
            connect_timeout=self.connect_timeout,
            bypass_service_cache=step is not None,
            look_at=None if self._remedies is None or step is not None else self._search.due(),
        )
        return await self._reader.read(plan, elsewhere=step is RecoveryStep.LOOK_AGAIN)

    async def _prepare(self, step: RecoveryStep) -> None:
        """Do what a step does before its reading. Raises ReaderError."""
        if self._remedies is None:
            return
        await self._reader.stop()
        if step is RecoveryStep.REDISCOVER and len(self.units) == 1:
            self.own.unit_id = self.options.unit_id  # of several, another one could be taken for it
        await self._remedies.prepare(step)

    def _keep(self, route: Route, reading: Reading, seconds: float) -> None:
        """Keep a fresh reading, which took so many seconds."""
        link, now = self.link, self._clock.monotonic() - reading.age
        taken_at = self._clock.now() - timedelta(seconds=reading.age)
        self._search.poll_was_good()
        for unit in self.units:
            self._keep_unit(unit, reading, taken_at, now)
        if found := new_units(self.units, reading.found):
            self._listener.units_found(found)
        self._announcer.route(route)
        outage = self.health.age
        link.snapshot = Snapshot(
            taken_at=taken_at,
            taken_at_monotonic=now,
            route=route,
            timings=reading.timings,
            attempts=reading.attempts,
        )
        link.fresh_at = now
        self.fresh_readings += 1
        link.failures = 0
        self._fault = None
        missing = tuple(self._blocks.missing(reading))
        link.polls.append(Poll(at=self._clock.now(), seconds=seconds, partial=bool(missing)))
        self._announcer.partial(missing)
        self._announcer.restored(outage)
        self.pause = self.health.pause
        self._announce()

    def _keep_unit(self, unit: UnitState, reading: Reading, taken_at: datetime, now: float) -> None:
        """Keep what a reading brought of one unit."""
        of_unit, before = reading.units.get(unit.key), unit.unresponsive
        if of_unit is not None:
            self._blocks.learn(unit, of_unit, now)
            if unit.key == OWN_UNIT:
                unit.unit_id = self.options.unit_id or of_unit.unit_id
            self._listener.unit_read(unit, of_unit)
        replaced = of_unit is not None and len(self.units) > 1 and unit.is_another(of_unit)
        if of_unit is not None and not replaced:
            unit.keep(of_unit, taken_at, now)
        else:
            unit.verified = False
            unit.unresponsive = reading.unresponsive.get(unit.key, ErrorCode.WRONG_UNIT)
        self._announcer.unit(unit, before, replaced=replaced)

    def _failed(self, err: ReaderError, seconds: float) -> None:
        """Note that a poll failed after so many seconds, and why."""
        link = self.link
        link.failures += 1
        for unit in self.units:
            unit.verified = False  # what is behind the module may be plugged in differently now
        link.polls.append(Poll(at=self._clock.now(), seconds=seconds, error=err))
        link.log.debug(Topic.POLL, f"failed {link.failures} times in a row: {err}")
        if self.health.excused:
            link.excused_until = self._clock.monotonic()
        self.pause = self.health.pause
        self._announce()

    # Time

    def _schedule_poll(self) -> None:
        self._cancel_due_poll()
        if self.polling and not self._access.closed:
            self._cancel_poll = self._clock.call_later(self.pause, self._on_poll_due)

    def _cancel_due_poll(self) -> None:
        if self._cancel_poll is not None:
            self._cancel_poll()
            self._cancel_poll = None

    def _cancel_timers(self) -> None:
        self._cancel_due_poll()
        if self._cancel_ageing is not None:
            self._cancel_ageing()
            self._cancel_ageing = None

    def _announce(self) -> None:
        """Announce what has changed, and have ageing alone announced on time."""
        link, health = self.link, self.health
        self._announcer.status(health.status)
        if link.polls:  # before the first one is over there is nothing to miss
            shown = None if health.excused else health.within_grace
            link.availability = link.availability.noted(self._clock.monotonic(), available=shown)
        if health.lost:
            self._announcer.lost(health.silence)
        if self._cancel_ageing is not None:
            self._cancel_ageing()
            self._cancel_ageing = None
        if (change := health.next_change) is not None and not self._access.closed:
            self._cancel_ageing = self._clock.call_later(change, self._on_aged)

    def _on_aged(self) -> None:
        """Note that the last reading got too old to serve, or to be shown."""
        self._cancel_ageing = None
        self._announce()
        before, self.pause = self.pause, self.health.pause
        if self.pause < before and not self._access.busy:
            self._schedule_poll()  # a long interval does not delay the last effort
        self._updated()

    def _updated(self) -> None:
        self.watchdog.updated()
        self.scheduler.updated()
        self._listener.updated()
