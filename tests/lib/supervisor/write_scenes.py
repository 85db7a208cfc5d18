"""Scenes of changed settings and schedules without Home Assistant; each runs in a process of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
import inspect
from itertools import pairwise
import sys
from typing import Any, override
from zoneinfo import ZoneInfo

from blupow_ble.profiles import PROFILES
from blupow_ble.profiles.setting_rules import Reason, SettingRefused, broken
from blupow_ble.protocol import session
from blupow_ble.protocol.errors import ErrorCode, ReaderError
from blupow_ble.reader import writing
from blupow_ble.reader.plan import Change
from blupow_ble.reader.result import Outcome
from blupow_ble.supervisor.exclusive import Interrupted
from blupow_ble.supervisor.protocols import ScheduleEvent
from blupow_ble.supervisor.schedule import Mode, Schedule, Wait
from blupow_ble.supervisor.supervisor import Supervisor
from blupow_ble.supervisor.unit_state import UnitState
from blupow_ble.virtual.device import VirtualDevice
from blupow_ble.virtual.inverter import RIV4835_MODEL, UNIT
from blupow_ble.virtual.writes import Habit
from host import FakeClock, Host
from hypothesis import HealthCheck, Phase, example, given, settings, strategies as st

BERLIN = ZoneInfo("Europe/Berlin")
CONTROLS = PROFILES["inverter"].register_map(PROFILES["inverter"].model(RIV4835_MODEL)).controls
PRIORITY, CURRENT, SOC = 4441, 0xE205, 4327

# time passes by the clock of the scene alone
session.DRAIN_QUIET = 0.0
writing.READ_BACK_PAUSES = (0.0, 0.0)


@dataclass
class Watched(VirtualDevice):
    """A RIV4835CSH1S that notes what each write met."""

    kind: str = "riv4835"
    model: str = RIV4835_MODEL
    unit_id: int = UNIT
    clock: Callable[[], float] = lambda: 1_795_000_000.0
    met: list[tuple[int, tuple[int, ...], Mapping[int, int]]] = field(default_factory=list)
    """Register and words of each write, and the registers before it."""
    now: Callable[[], float] = lambda: 0.0
    by_user: bool = False
    """Writes are the user's just now; others are the schedule's."""
    transfers: list[float] = field(default_factory=list)
    """When the schedule has sent another source of the loads."""

    @override
    def answer(self, request: bytes) -> bytes | None:
        if request[1] in (6, 16):
            before = dict(self.registers())
            reply = VirtualDevice.answer(self, request)
            self.met.append((*self.writes.seen[-1], before))
            if self.writes.seen[-1][0] == PRIORITY and not self.by_user:
                self.transfers.append(self.now())
            return reply
        return VirtualDevice.answer(self, request)


def a_host(start: str = "2026-11-21T12:00:00+01:00") -> Host:
    """Return a host in Berlin, with an inverter at 80 %."""
    clock = FakeClock(datetime.fromisoformat(start).astimezone(UTC), BERLIN)
    host = Host(clock=clock, device=Watched(now=clock.monotonic))
    host.device.overrides[SOC] = 80
    return host


async def begin(host: Host, **options: Any) -> Supervisor:
    """Start a supervisor that may change settings."""
    supervisor = host.supervisor(model=RIV4835_MODEL, allow_changes=True, **options)
    supervisor.start()
    await host.clock.settle()
    return supervisor


async def do[T](host: Host, work: Any) -> T:
    """Have something done, as far as it needs no time."""
    task = asyncio.ensure_future(work)
    for _ in range(50):
        await host.clock.settle()
        await asyncio.sleep(0)
        if task.done():
            break
    result: T = await task
    return result


async def error_of(work: Awaitable[Any]) -> ErrorCode:
    """Return the code of the error that something brings."""
    try:
        await work
    except ReaderError as err:
        return err.code
    raise AssertionError("it went well")


async def refusal_of(work: Awaitable[Any]) -> Reason:
    """Return why something is refused."""
    try:
        await work
    except SettingRefused as err:
        return err.reason
    raise AssertionError("it was taken")


def registers(host: Host) -> tuple[int, int]:
    """Return the output priority and the charge current (0.1 A) that the device has."""
    found = host.device.registers()
    return found[PRIORITY], found[CURRENT]


def told(host: Host) -> list[ScheduleEvent]:
    """Return what the schedule has told."""
    return [event for event, _ in host.schedule_events]


async def settings_of_a_device() -> None:
    """They are known from the first reading on, and what is changed is known at once."""
    host = a_host()
    supervisor = await begin(host)
    unit = supervisor.own
    assert unit.setting("ac_charge_current") == 10
    assert unit.setting("output_priority") == "solar_first"
    assert unit.setting("no_such_thing") is None
    updates = host.updates
    report = await do(host, supervisor.write(unit, [Change("ac_charge_current", 25)]))
    assert [item.outcome for item in report.settings] == [Outcome.WRITTEN]
    assert unit.setting("ac_charge_current") == 25
    assert host.updates > updates
    await do(host, supervisor.write(unit, [Change("ac_charge_current", 25)]))
    assert unit.settings.writes.counts == {"ac_charge_current": 1}
    host.device.writes.habit = Habit.FORGETS
    await do(host, supervisor.write(unit, [Change("ac_charge_current", 5)]))
    assert [line.text for line in supervisor.link.log.lines] == [
        "ac_charge_current from 10.0 to 25: written",
        "ac_charge_current from 25.0 to 5: unconfirmed (not_kept); it is 25.0 now",
    ]
    assert supervisor.link.failures == 0
    # what is not read again for half an hour is not known any more
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(1790)
    assert unit.setting("ac_charge_current") == 25
    await host.clock.pass_time(20)
    assert unit.setting("ac_charge_current") is None
    await supervisor.stop()


async def change_that_is_interrupted() -> None:
    """By a stop in its middle: it is said so, nothing is left, and nobody claims to know the setting."""
    host = a_host()
    supervisor = await begin(host)
    host.hang = True
    task = asyncio.ensure_future(
        supervisor.write(supervisor.own, [Change("ac_charge_current", 25)])
    )
    while not host.write_plans:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    await supervisor.stop()
    assert await error_of(task) is Interrupted().code
    assert supervisor.own.setting("ac_charge_current") is None
    assert host.cancelled == 1
    assert host.clock.pending == 0


async def change_of_a_device_that_is_away() -> None:
    """It is read first, as another one might answer now; without a reading nothing is written."""
    host = a_host()
    supervisor = await begin(host)
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(31)
    assert not supervisor.own.verified
    change = supervisor.write(supervisor.own, [Change("ac_charge_current", 25)])
    assert await error_of(do(host, change)) is ErrorCode.NO_RESPONSE
    assert host.write_plans == []
    host.error = None
    await do(host, supervisor.write(supervisor.own, [Change("ac_charge_current", 25)]))
    assert registers(host) == (0, 250)
    await supervisor.stop()


async def changes_that_are_not_allowed() -> None:
    """Without the option nothing is read or written, and no schedule runs."""
    host = a_host()
    supervisor = host.supervisor(model=RIV4835_MODEL)
    supervisor.start()
    await host.clock.settle()
    assert supervisor.own.setting("ac_charge_current") is None
    change = supervisor.write(supervisor.own, [Change("ac_charge_current", 25)])
    assert await error_of(change) is ErrorCode.CHANGES_NOT_ALLOWED
    assert not supervisor.scheduler.due
    await supervisor.stop()


NIGHT: dict[str, Any] = {
    "charge_window": True,
    "charge_start_time": time(23),
    "charge_end_time": time(6),
    "charge_window_current": 20.0,
    "discharge_window": True,
    "discharge_start_time": time(17),
    "discharge_end_time": time(22),
}


async def a_day_by_schedule() -> None:
    """Each edge within a minute, over the change of daylight saving time; all is put back."""
    host = a_host("2026-10-24T12:00:00+02:00")
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    assert host.device.writes.seen == []
    await host.clock.pass_time(5 * 3600)  # 17:00
    await host.clock.pass_time(60)
    assert registers(host) == (2, 100)
    assert supervisor.own.schedule.mode is Mode.DISCHARGE
    await host.clock.pass_time(5 * 3600)  # 22:01
    assert registers(host) == (0, 100)
    await host.clock.pass_time(3600)  # 23:01
    assert registers(host) == (1, 200)
    await host.clock.pass_time(8 * 3600 - 120)  # 05:59 on the day with 25 hours
    assert host.clock.local_now().hour == 5
    assert registers(host) == (1, 200)
    await host.clock.pass_time(120)
    assert registers(host) == (0, 100)
    assert told(host) == [
        ScheduleEvent.DISCHARGE_STARTED,
        ScheduleEvent.ENDED,
        ScheduleEvent.CHARGE_STARTED,
        ScheduleEvent.ENDED,
    ]
    _, facts = host.schedule_events[2]
    assert facts == {
        "mode": "charge",
        "settings": {
            "output_priority": {"from": "solar_first", "to": "grid_first"},
            "ac_charge_current": {"from": 10.0, "to": 20.0},
        },
    }
    assert supervisor.own.schedule.before == {}
    await do(
        host, supervisor.scheduler.set(supervisor.own, charge_window=False, discharge_window=False)
    )
    assert not supervisor.scheduler.due
    await supervisor.stop()


async def restart_in_the_middle_of_a_window() -> None:
    """What was before is kept, and put back; nothing is written a second time."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    await host.clock.pass_time(180)
    assert registers(host) == (1, 200)
    await supervisor.stop()
    written = len(host.device.writes.seen)
    supervisor = await begin(host)
    await host.clock.pass_time(3600)
    assert len(host.device.writes.seen) == written
    await supervisor.stop()
    host.clock._now += 8 * 3600  # away over the window's end
    supervisor = await begin(host)
    await host.clock.pass_time(120)
    assert registers(host) == (0, 100)
    await supervisor.stop()


async def crash_between_two_steps() -> None:
    """The write went out and nobody noted its end: it is put back all the same."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    saves = 0

    async def save() -> None:
        nonlocal saves
        saves += 1
        if saves == 1:
            await Host.save(host)

    host.save = save  # type: ignore[method-assign]
    await host.clock.pass_time(180)
    assert registers(host) == (1, 200)
    assert saves > 1
    await supervisor.stop()
    host.clock._now += 8 * 3600
    del host.save
    supervisor = await begin(host)
    await host.clock.pass_time(120)
    assert registers(host) == (0, 100)
    assert supervisor.own.schedule.before == {}
    await supervisor.stop()


async def device_that_is_away_at_an_edge() -> None:
    """Nothing is assumed; it is done when the device is back, if the window still holds."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host, grace_time=7200)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(3600)
    assert host.write_plans == []
    assert supervisor.scheduler.waits[""] is Wait.UNKNOWN
    host.error = None
    await host.clock.pass_time(300)
    assert registers(host) == (1, 200)
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(8 * 3600)
    assert registers(host) == (1, 200)
    host.error = None
    await host.clock.pass_time(600)
    assert registers(host) == (0, 100)
    await supervisor.stop()


async def manual_change_in_a_window() -> None:
    """By BluPow or at the device, it stays until the window's end."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    await host.clock.pass_time(180)
    await do(host, supervisor.write(supervisor.own, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(3600)
    assert registers(host) == (2, 200)
    assert supervisor.scheduler.waits[""] is Wait.MANUAL
    assert told(host)[-1] is ScheduleEvent.MANUAL_CHANGE
    assert told(host).count(ScheduleEvent.MANUAL_CHANGE) == 1
    await host.clock.pass_time(6 * 3600)
    assert registers(host) == (0, 100)
    # what is wanted differently meanwhile is carried out
    await host.clock.pass_time(17 * 3600)
    assert registers(host) == (1, 200)
    await do(host, supervisor.scheduler.set(supervisor.own, charge_window_current=30.0))
    await host.clock.settle()
    assert registers(host) == (1, 300)
    await supervisor.stop()


async def change_that_is_not_kept() -> None:
    """It is told, and tried again after ten minutes, then after twenty."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    host.device.writes.habit = Habit.FORGETS
    await host.clock.pass_time(180)
    assert told(host) == [ScheduleEvent.FAILED]
    assert "not_kept" in host.schedule_events[0][1]["why"]
    assert len(host.device.writes.seen) == 1
    await host.clock.pass_time(480)
    assert len(host.device.writes.seen) == 1
    await host.clock.pass_time(120)
    assert len(host.device.writes.seen) == 2
    host.device.writes.habit = Habit.KEEPS
    await host.clock.pass_time(1020)
    assert len(host.device.writes.seen) == 2
    await host.clock.pass_time(240)
    assert registers(host) == (1, 200)
    assert told(host)[-1] is ScheduleEvent.CHARGE_STARTED
    await supervisor.stop()


async def manual_change_while_a_try_is_pending() -> None:
    """What the user has set meanwhile is not overridden, and stays at the end."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    host.device.writes.habit = Habit.FORGETS
    await host.clock.pass_time(180)
    assert told(host) == [ScheduleEvent.FAILED]
    host.device.writes.habit = Habit.KEEPS
    await do(host, supervisor.write(supervisor.own, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(3600)
    assert registers(host) == (2, 100)
    assert told(host)[1:] == [ScheduleEvent.MANUAL_CHANGE]
    await host.clock.pass_time(7 * 3600)
    assert registers(host) == (2, 100)
    assert supervisor.own.schedule.before == {}
    await supervisor.stop()


async def schedule_that_is_changed_meanwhile() -> None:
    """While the change for its window is under way: the newer wish is carried out too."""
    host = a_host("2026-11-21T23:30:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    await do(host, supervisor.scheduler.set(unit, **NIGHT | {"charge_window": False}))
    host.hang = True
    first = asyncio.ensure_future(supervisor.scheduler.set(unit, charge_window=True))
    while not host.write_plans:
        await asyncio.sleep(0)
    second = asyncio.ensure_future(supervisor.scheduler.set(unit, charge_window_current=30.0))
    await asyncio.sleep(0)
    host.hang = False
    host.release.set()
    await do(host, asyncio.gather(first, second))
    assert registers(host) == (1, 300)
    assert ScheduleEvent.MANUAL_CHANGE not in told(host)
    assert unit.schedule.before == {"output_priority": "solar_first", "ac_charge_current": 10.0}
    await supervisor.stop()


async def schedule_that_is_set_again() -> None:
    """The same wish, or one for another time, ends no rest after a manual change, and saves nothing."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    await do(host, supervisor.scheduler.set(unit, **NIGHT))
    await host.clock.pass_time(180)
    await do(host, supervisor.write(unit, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(61)
    host.saved = None
    await do(host, supervisor.scheduler.set(unit, **NIGHT))
    assert host.saved is None
    await do(host, supervisor.scheduler.set(unit, discharge_end_time=time(21), minimum_soc=10))
    await host.clock.pass_time(700)
    assert registers(host) == (2, 200)
    assert unit.schedule.manual
    await supervisor.stop()


async def change_at_the_device_before_a_window() -> None:
    """It was not read yet: the window begins all the same, and its end restores what really was."""
    host = a_host("2026-11-21T22:50:00+01:00")
    host.device.overrides[PRIORITY] = 1
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    host.device.overrides[PRIORITY] = 0
    await host.clock.pass_time(420)
    assert supervisor.own.setting("output_priority") == "grid_first"  # not read again yet
    await host.clock.pass_time(240)
    assert registers(host) == (1, 200)
    await host.clock.pass_time(7 * 3600)
    assert registers(host) == (0, 100)
    await supervisor.stop()


async def dwell_after_a_lost_report() -> None:
    """The source may have changed: its next change waits."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    await do(
        host, supervisor.scheduler.set(supervisor.own, **NIGHT | {"charge_end_time": time(23, 5)})
    )
    host.loses_reports = True
    await host.clock.pass_time(180)
    host.loses_reports = False
    assert registers(host) == (1, 200)
    await host.clock.pass_time(480)
    assert registers(host)[0] == 1
    await host.clock.pass_time(180)
    assert registers(host) == (0, 100)
    await supervisor.stop()


async def what_can_never_be() -> None:
    """A current off its step, a minimum too high: refused at once, nothing is kept."""
    host = a_host()
    supervisor = await begin(host)
    for wanted, reason in (
        ({"charge_window_current": 12.0}, Reason.OFF_STEP),
        ({"minimum_soc": 96}, Reason.OUT_OF_RANGE),
    ):
        assert await refusal_of(supervisor.scheduler.set(supervisor.own, **wanted)) is reason
    assert supervisor.own.schedule.schedule == Schedule()
    assert host.saved is None
    await supervisor.stop()


async def wrong_values_cost_no_connection() -> None:
    """They are no sign of life either."""
    host = a_host()
    supervisor = await begin(host)
    answered = supervisor.link.answered_at
    await host.clock.pass_time(10)
    host.error = ErrorCode.NO_RESPONSE
    report = await supervisor.write(supervisor.own, [Change("ac_charge_current", 12)])
    assert [item.reason for item in report.settings] == [Reason.OFF_STEP]
    assert host.write_plans == []
    assert supervisor.link.answered_at == answered
    await supervisor.stop()


async def settings_at_long_intervals() -> None:
    """Each is read in time, and known all the while; a span that was answered is not given up."""
    for interval in (300, 600, 3600):
        host = a_host()
        supervisor = await begin(host, update_interval=interval, stale_checks=10)
        for _ in range(20):
            await host.clock.pass_time(interval)
            assert supervisor.own.setting("output_priority") == "solar_first", interval
            assert supervisor.own.setting("overload_bypass") is True
        await supervisor.stop()


async def stop_while_a_change_waits() -> None:
    """It is not begun any more; a caller that goes away leaves a setting that nobody knows."""
    host = a_host()
    supervisor = await begin(host)
    unit = supervisor.own
    host.hang = True
    going = asyncio.ensure_future(supervisor.write(unit, [Change("ac_charge_current", 25)]))
    while not host.write_plans:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    going.cancel()
    await asyncio.wait((going,))
    assert going.cancelled()
    assert unit.setting("ac_charge_current") is None
    assert unit.settings.writes.counts == {"ac_charge_current": 1}
    host.hang = False
    await host.clock.pass_time(31)
    assert unit.setting("ac_charge_current") == 10
    host.hang = True
    reading = asyncio.ensure_future(supervisor.poll())
    waiting = asyncio.ensure_future(supervisor.write(unit, [Change("ac_charge_current", 25)]))
    wanting = asyncio.ensure_future(
        supervisor.scheduler.set(unit, charge_window=True, charge_end_time=time(23))
    )
    await asyncio.sleep(0)
    await supervisor.stop()
    await asyncio.wait((reading, waiting, wanting))
    assert isinstance(waiting.exception(), Interrupted)
    assert wanting.exception() is None
    assert len(host.write_plans) == 1
    assert host.clock.pending == 0


async def crash_at_the_end_of_a_window() -> None:
    """Before the write went out, or while nobody heard of its end: what was before is put back all the same."""
    for lost in (False, True):
        host = a_host("2026-11-21T22:58:00+01:00")
        supervisor = await begin(host)
        await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
        await host.clock.pass_time(180)
        await host.clock.pass_time(7 * 3600 - 300)
        assert registers(host) == (1, 200)
        if lost:
            host.loses_reports = True
            host.device.writes.habit = Habit.DEAF
        else:
            host.hang = True
        await host.clock.pass_time(300)
        saved = host.saved
        await supervisor.stop()
        host.saved, host.loses_reports, host.hang = saved, False, False
        host.device.writes.habit = Habit.KEEPS
        supervisor = await begin(host)
        await host.clock.pass_time(1300)
        assert registers(host) == (0, 100), lost
        assert ScheduleEvent.MANUAL_CHANGE not in told(host)
        await supervisor.stop()


async def setting_that_could_not_be_put_back() -> None:
    """It is left alone; the others follow the schedule, and are put back."""
    host = a_host("2026-11-21T22:58:00+01:00")
    host.device.overrides[CURRENT] = 120  # off the step
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    await host.clock.pass_time(180)
    assert registers(host) == (1, 120)
    await host.clock.pass_time(8 * 3600)
    assert registers(host) == (0, 120)
    assert told(host) == [ScheduleEvent.CHARGE_STARTED, ScheduleEvent.ENDED]
    await supervisor.stop()


async def current_that_is_set_within_the_window() -> None:
    """For the first time: it is applied, and taken for nobody's change; put back with the rest."""
    host = a_host("2026-11-21T23:30:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    await do(host, supervisor.scheduler.set(unit, **NIGHT | {"charge_window_current": None}))
    await do(host, supervisor.scheduler.set(unit, charge_window_current=20.0))
    assert registers(host) == (1, 200)
    assert ScheduleEvent.MANUAL_CHANGE not in told(host)
    await host.clock.pass_time(7 * 3600)
    assert registers(host) == (0, 100)
    await supervisor.stop()


async def window_after_a_hold_that_was_not_confirmed() -> None:
    """The next mode is tried with all that it sets."""
    host = a_host("2026-11-21T22:40:00+01:00")
    host.device.writes.habit = Habit.FORGETS
    host.device.overrides[SOC] = 20
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT | {"minimum_soc": 30}))
    assert told(host) == [ScheduleEvent.FAILED]
    host.device.writes.habit = Habit.KEEPS
    await host.clock.pass_time(1500)
    assert registers(host) == (1, 200)
    assert ScheduleEvent.MANUAL_CHANGE not in told(host)
    await supervisor.stop()


async def manual_change_at_the_end() -> None:
    """While the end is tried: it stays, the rest is put back, and the next window begins anew."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    await do(host, supervisor.scheduler.set(unit, **NIGHT))
    await host.clock.pass_time(7 * 3600 - 120)
    host.device.writes.habit = Habit.FORGETS
    await host.clock.pass_time(300)
    assert told(host)[-1] is ScheduleEvent.FAILED
    host.device.writes.habit = Habit.KEEPS
    await do(host, supervisor.write(unit, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(1300)
    assert registers(host) == (2, 100)
    assert (unit.schedule.mode, unit.schedule.before) == (Mode.NONE, {})
    await do(host, supervisor.write(unit, [Change("output_priority", "solar_first")]))
    await host.clock.pass_time(24 * 3600)
    assert registers(host) == (0, 100)
    await supervisor.stop()


async def manual_change_while_the_end_waits() -> None:
    """Between an edge and the time at which the source may change again."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    night = NIGHT | {"charge_end_time": time(23, 5), "charge_window_current": None}
    await do(host, supervisor.scheduler.set(unit, **night))
    await host.clock.pass_time(480)
    assert supervisor.scheduler.waits[""] is Wait.DWELL
    await do(host, supervisor.write(unit, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(1200)
    assert registers(host) == (2, 100)
    await supervisor.stop()


async def manual_changes_before_and_after_the_end() -> None:
    """The second one too is respected, and what it is not about is put back."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    night = NIGHT | {"charge_end_time": time(23, 5)}
    await do(host, supervisor.scheduler.set(unit, **night))
    await host.clock.pass_time(180)
    await do(host, supervisor.write(unit, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(300)
    assert supervisor.scheduler.waits[""] is Wait.DWELL
    await do(host, supervisor.write(unit, [Change("ac_charge_current", 35)]))
    await host.clock.pass_time(1200)
    assert registers(host) == (0, 350)
    assert (unit.schedule.mode, unit.schedule.before) == (Mode.NONE, {})
    await supervisor.stop()


async def percentage_that_is_too_old() -> None:
    """A hold neither begins nor ends by it."""
    host = a_host()
    supervisor = await begin(host, update_interval=3600, cache_time=10, grace_time=20)
    supervisor.own.grace = 20.0
    await host.clock.pass_time(600)
    host.device.overrides[SOC] = 10
    await do(host, supervisor.scheduler.set(supervisor.own, minimum_soc=85))
    assert supervisor.own.schedule.mode is Mode.NONE
    await host.clock.pass_time(3100)
    assert supervisor.own.schedule.mode is Mode.HOLD
    await supervisor.stop()


async def unit_that_is_asked_by_everybodys_address() -> None:
    """Behind a module of several a write to 255 would reach them all."""
    host = a_host()
    supervisor = await begin(host)
    supervisor.units.append(
        UnitState(key="48", profile=PROFILES["battery"], model=None, unit_id=48)
    )
    supervisor.own.unit_id = 255
    change = supervisor.write(supervisor.own, [Change("ac_charge_current", 25)])
    assert await error_of(change) is ErrorCode.WRONG_UNIT
    assert host.write_plans == []
    supervisor.units.pop()
    await supervisor.stop()


async def wish_that_is_so_already() -> None:
    """Nothing is sent, and nothing is told; a mode without anything to put back just ends."""
    host = a_host("2026-11-21T23:30:00+01:00")
    host.device.overrides[CURRENT] = 200
    supervisor = await begin(host)
    unit = supervisor.own
    await do(host, supervisor.scheduler.set(unit, **NIGHT | {"charge_window_current": None}))
    assert told(host) == [ScheduleEvent.CHARGE_STARTED]
    await do(host, supervisor.scheduler.set(unit, charge_window_current=20.0))
    assert told(host) == [ScheduleEvent.CHARGE_STARTED]
    assert unit.schedule.before == {"output_priority": "solar_first", "ac_charge_current": 20.0}
    assert len(host.device.writes.seen) == 1
    unit.schedule.before = {}
    await do(host, supervisor.scheduler.set(unit, charge_window=False, discharge_window=False))
    assert unit.schedule.mode is Mode.NONE
    await supervisor.stop()


async def window_that_asks_for_what_is() -> None:
    """Nothing is written at its begin nor at its end."""
    host = a_host("2026-11-21T22:58:00+01:00")
    host.device.overrides |= {PRIORITY: 1, CURRENT: 200}
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    await host.clock.pass_time(180)
    assert supervisor.own.schedule.mode is Mode.CHARGE
    assert supervisor.own.schedule.before == {
        "output_priority": "grid_first",
        "ac_charge_current": 20.0,
    }
    await host.clock.pass_time(8 * 3600)
    assert supervisor.own.schedule.mode is Mode.NONE
    assert host.device.writes.seen == []
    assert told(host) == [ScheduleEvent.CHARGE_STARTED, ScheduleEvent.ENDED]
    await supervisor.stop()


async def change_that_cannot_be_sent() -> None:
    """The device is read and not connected to: it is tried with the next look, and said nowhere."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    host.write_error = ErrorCode.CONNECT_FAILED
    await host.clock.pass_time(240)
    assert len(host.write_plans) > 1
    assert supervisor.scheduler.waits[""] is Wait.UNKNOWN
    host.write_error = None
    await host.clock.pass_time(61)
    assert registers(host) == (1, 200)
    assert told(host) == [ScheduleEvent.CHARGE_STARTED]
    # one whose end nobody knows is told, and waits
    await host.clock.pass_time(6 * 3600 + 3300)
    host.loses_reports = True
    await host.clock.pass_time(240)
    assert told(host)[1:] == [ScheduleEvent.FAILED]
    host.loses_reports = False
    await host.clock.pass_time(660)
    assert registers(host) == (0, 100)
    assert told(host)[-1] is ScheduleEvent.ENDED
    await supervisor.stop()


async def minimum_state_of_charge() -> None:
    """The grid serves from the minimum on, the battery again five points above it, not at every bounce."""
    host = a_host()
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, minimum_soc=30))
    host.device.overrides[SOC] = 30
    await host.clock.pass_time(61)
    assert registers(host)[0] == 1
    assert told(host) == [ScheduleEvent.HOLD_STARTED]
    host.device.overrides[SOC] = 34
    await host.clock.pass_time(3600)
    assert registers(host)[0] == 1
    host.device.overrides[SOC] = 35
    await host.clock.pass_time(61)
    assert registers(host)[0] == 0
    host.device.overrides[SOC] = 29
    await host.clock.pass_time(300)
    assert registers(host)[0] == 0  # the last transfer of the loads is too recent
    assert supervisor.scheduler.waits[""] is Wait.DWELL
    await host.clock.pass_time(400)
    assert registers(host)[0] == 1
    await supervisor.stop()


# Any sequence of all this

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "ac_charge_current": st.sampled_from([0, 5, 12, 40, 41, -5, True, "x"]),
    "output_priority": st.sampled_from(["solar_first", "grid_first", "battery_first", "moon"]),
    "equalization_voltage": st.sampled_from([54.0, 58.0, 60.0]),
    "boost_voltage": st.sampled_from([54.0, 57.0, 58.0, 62.1, 55.05]),
    "float_voltage": st.sampled_from([54.0, 55.0, 58.0, 35.9]),
    "discharge_limit_voltage": st.sampled_from([42.8, 45.0, 55.0]),
    "no_such_thing": st.just(1),
}
MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: time(*divmod(minute, 60)))
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 180)),
    st.tuples(
        st.just("write"),
        st.dictionaries(st.sampled_from(list(VALUES)), st.none(), min_size=1, max_size=3).flatmap(
            lambda keys: st.fixed_dictionaries({key: VALUES[key] for key in keys})
        ),
    ),
    st.tuples(st.just("panel"), st.sampled_from([(PRIORITY, 2), (PRIORITY, 0), (CURRENT, 300)])),
    st.tuples(st.just("habit"), st.sampled_from(Habit)),
    st.tuples(st.just("error"), st.sampled_from([None, ErrorCode.NO_RESPONSE])),
    st.tuples(st.just("crash"), st.sampled_from([0, 3600, 9 * 3600])),
    st.tuples(st.just("lose"), st.booleans()),
    st.tuples(st.just("soc"), st.integers(0, 100)),
    st.tuples(
        st.just("schedule"),
        st.fixed_dictionaries(
            {},
            optional={
                "charge_window": st.booleans(),
                "charge_start_time": MINUTES,
                "charge_end_time": MINUTES,
                "discharge_window": st.booleans(),
                "discharge_start_time": MINUTES,
                "discharge_end_time": MINUTES,
                "minimum_soc": st.integers(0, 95),
                "charge_window_current": st.sampled_from([0.0, 20.0, 40.0]),
            },
        ),
    ),
)


async def run(steps: list[tuple[str, Any]]) -> None:
    """Do the steps, from the noon before a change of daylight saving time on; then all is well again."""
    host = a_host("2026-10-24T12:00:00+02:00")
    device = host.device
    assert isinstance(device, Watched)
    supervisor = await begin(host, update_interval=600)
    by_hand: dict[int, int] = {}
    """What the user has really set, by the register."""
    for step, what in steps:
        match step:
            case "pass":
                await host.clock.pass_time(60 * what)
            case "write":
                device.by_user, sent = True, len(device.met)
                changes = [Change(key, value) for key, value in what.items()]
                try:
                    await do(host, supervisor.write(supervisor.own, changes))
                except ReaderError:
                    assert host.error is not None or host.loses_reports
                device.by_user = False
                by_hand |= {register: words[0] for register, words, _ in device.met[sent:]}
            case "panel":
                by_hand[what[0]] = device.overrides[what[0]] = what[1]
            case "habit":
                device.writes.habit = what
            case "error":
                host.error = what
            case "lose":
                host.loses_reports = what
            case "crash":
                saved = host.saved
                await supervisor.stop()
                host.saved = saved
                host.clock._now += what
                supervisor = await begin(host, update_interval=600)
            case "soc":
                device.overrides[SOC] = what
            case "schedule":
                await do(host, supervisor.scheduler.set(supervisor.own, **what))
    device.writes.habit, host.error, host.loses_reports = Habit.KEEPS, None, False
    await host.clock.pass_time(3600)
    over: dict[str, Any] = {"charge_window": False, "discharge_window": False, "minimum_soc": 0}
    await do(host, supervisor.scheduler.set(supervisor.own, **over))
    await host.clock.pass_time(3600)
    state = supervisor.own.schedule
    assert (state.mode, state.target, state.before) == (Mode.NONE, None, {}), state
    # what neither the user nor a device that keeps its own way has changed is as it was
    for register, initial in ((PRIORITY, 0), (CURRENT, 100)):
        assert register in by_hand or device.registers()[register] == initial, register
    check_writes(device)
    for earlier, later in pairwise(device.transfers):
        assert later - earlier >= 600, "the loads were transferred too often"
    await supervisor.stop()
    assert host.clock.pending == 0


ALLOWED: dict[int, tuple[str, Container[int]]] = {
    PRIORITY: ("output_priority", range(3)),
    CURRENT: ("ac_charge_current", range(0, 401, 50)),
    4425: ("equalization_voltage", range(360, 621)),
    4426: ("boost_voltage", range(360, 621)),
    4427: ("float_voltage", range(360, 621)),
    4432: ("discharge_limit_voltage", range(360, 621)),
}
"""What may be written at all in these sequences, written out once more."""


def check_writes(device: Watched) -> None:
    """Check each write: a setting of the profile, a value that it may have, another than there was, in order."""
    for register, (word,), before in device.met:
        key, allowed = ALLOWED[register]
        assert word in allowed, f"{key} cannot be {word}"
        assert before[register] != word, f"{key} was {word} already"
        after = broken(CONTROLS, {**before, register: word})
        assert after <= broken(CONTROLS, before), f"{key} = {word} breaks {after}"


def any_sequence() -> None:
    """Whatever happens: nothing wrong is written, and no window's setting is left behind."""

    @settings(
        max_examples=100,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @example([("write", {"ac_charge_current": 12})])
    @example(
        [("write", {"float_voltage": 58.0, "boost_voltage": 58.0, "equalization_voltage": 60.0})]
    )
    @example(
        [
            ("write", {"float_voltage": 58.0, "boost_voltage": 58.0, "equalization_voltage": 60.0}),
            ("write", {"equalization_voltage": 54.0, "boost_voltage": 54.0, "float_voltage": 54.0}),
        ]
    )
    @given(st.lists(STEPS, max_size=14))
    def sequences(steps: list[tuple[str, Any]]) -> None:
        asyncio.run(run(steps))

    sequences()


if __name__ == "__main__":
    scene = globals()[sys.argv[1]]
    if inspect.iscoroutinefunction(scene):
        asyncio.run(scene(), debug=True)
    else:
        scene()
    assert not [name for name in sys.modules if name.partition(".")[0] == "homeassistant"]
