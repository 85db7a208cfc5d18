"""Scenes of a schedule without Home Assistant; each runs in a process of its own."""

import asyncio
from datetime import time, timedelta
import sys

from blupow_ble.connection_log import Topic
from blupow_ble.profiles.setting_rules import Reason
from blupow_ble.protocol.errors import ErrorCode
from blupow_ble.reader.plan import Change
from blupow_ble.supervisor.protocols import ScheduleEvent
from blupow_ble.supervisor.schedule import Mode, Schedule, Wait
from blupow_ble.virtual.writes import Habit
from host import Host
from inverter_host import (
    CURRENT,
    NIGHT,
    PRIORITY,
    SOC,
    a_host,
    begin,
    do,
    refusal_of,
    registers,
    told,
)


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
    assert host.schedule_events[0][1]["why"] == (
        "output_priority from solar_first to grid_first: unconfirmed (not_kept); "
        "it is solar_first now; "
        "ac_charge_current from 10.0 to 20.0: refused (earlier_failed); it is 10.0 now"
    )
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
    assert unit.schedule.before == {"output_priority": "solar_first", "ac_charge_current": 10.0}
    assert told(host) == [ScheduleEvent.CHARGE_STARTED, ScheduleEvent.MANUAL_CHANGE]
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
    limits = {"low": "0", "high": "95"}
    for wanted, reason, facts in (
        ({"charge_window_current": 12.0}, Reason.OFF_STEP, {"step": "5", "low": "0"}),
        ({"charge_window_current": 45.0}, Reason.OUT_OF_RANGE, {"low": "0", "high": "40"}),
        ({"minimum_soc": 96}, Reason.OUT_OF_RANGE, limits),
        ({"minimum_soc": -1}, Reason.OUT_OF_RANGE, limits),
    ):
        refused = await refusal_of(supervisor.scheduler.set(supervisor.own, **wanted))
        assert (refused.reason, [refused.key]) == (reason, list(wanted))
        assert refused.facts == facts
    assert supervisor.own.schedule.schedule == Schedule()
    assert host.saved is None
    await do(host, supervisor.scheduler.set(supervisor.own, minimum_soc=95))
    assert supervisor.own.schedule.schedule == Schedule(minimum_soc=95)
    await supervisor.stop()


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
    assert (unit.schedule.mode, unit.schedule.target) == (Mode.NONE, None)
    assert unit.schedule.traces == {}
    assert told(host) == [ScheduleEvent.CHARGE_STARTED, ScheduleEvent.MANUAL_CHANGE]
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


async def percentage_that_is_as_old_as_it_may_be() -> None:
    """It counts at the end of the grace, and not a second later."""
    for seconds, mode in ((600, Mode.HOLD), (601, Mode.NONE)):
        host = a_host()
        supervisor = await begin(host, update_interval=3600)
        supervisor.own.grace = 600
        await host.clock.pass_time(seconds)
        await do(host, supervisor.scheduler.set(supervisor.own, minimum_soc=85))
        assert supervisor.own.schedule.mode is mode
        await supervisor.stop()


async def setting_that_is_not_known() -> None:
    """Nothing is done, and it is said that it waits; then it is done, and nothing is said any more."""
    host = a_host("2026-11-21T23:30:00+01:00")
    supervisor = await begin(host)
    supervisor.own.settings.forget()
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    assert supervisor.scheduler.waits == {"": Wait.UNKNOWN}
    assert host.write_plans == []
    await host.clock.pass_time(61)
    assert registers(host) == (1, 200)
    assert supervisor.scheduler.waits == {}
    await supervisor.stop()


async def what_is_told() -> None:
    """Each step, to the log and to the host: what has changed from what to what, or why it has not."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    at_the_end = host.clock.now() + timedelta(minutes=42)
    night = NIGHT | {"charge_end_time": time(23, 40)}
    await do(host, supervisor.scheduler.set(unit, **night))
    await host.clock.pass_time(180)
    assert (unit.schedule.manual, unit.schedule.tries) == (False, 0)
    await do(host, supervisor.scheduler.set(unit, charge_window_current=30.0))
    await do(host, supervisor.write(unit, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(2310)
    host.loses_reports = True
    host.device.writes.habit = Habit.FORGETS
    await host.clock.pass_time(60)
    assert (unit.schedule.tried_at, unit.schedule.tries) == (at_the_end, 1)
    host.loses_reports = False
    host.device.writes.habit = Habit.KEEPS
    await host.clock.pass_time(660)
    assert registers(host) == (0, 100)
    both = {
        "output_priority": {"from": "solar_first", "to": "grid_first"},
        "ac_charge_current": {"from": 10.0, "to": 20.0},
    }
    current = {"ac_charge_current": {"from": 20.0, "to": 30.0}}
    ended = {
        "output_priority": {"from": "battery_first", "to": "solar_first"},
        "ac_charge_current": {"from": 30.0, "to": 10.0},
    }
    lost = "reader_crashed: scripted crash"
    assert host.schedule_events == [
        (ScheduleEvent.CHARGE_STARTED, {"mode": "charge", "settings": both}),
        (ScheduleEvent.CHARGE_STARTED, {"mode": "charge", "settings": current}),
        (ScheduleEvent.MANUAL_CHANGE, {"mode": "charge", "settings": {}}),
        (ScheduleEvent.FAILED, {"mode": "none", "settings": {}, "why": lost}),
        (ScheduleEvent.ENDED, {"mode": "none", "settings": ended}),
    ]
    logged = [line.text for line in supervisor.link.log.lines if line.topic is Topic.SCHEDULE]
    begun = "output_priority solar_first -> grid_first, ac_charge_current 10.0 -> 20.0"
    over = "output_priority battery_first -> solar_first, ac_charge_current 30.0 -> 10.0"
    assert logged == [
        f"charge_started, mode charge: {begun}",
        "charge_started, mode charge: ac_charge_current 20.0 -> 30.0",
        "manual_change, mode charge",
        f"failed, mode none: {lost}",
        f"ended, mode none: {over}",
    ]
    await supervisor.stop()


async def current_that_is_changed_soon_after_the_source() -> None:
    """However that ends, the pause between two changes of the source counts from the last one."""
    for sent, lost in ((True, False), (True, True), (False, False)):
        host = a_host("2026-11-21T22:58:00+01:00")
        supervisor = await begin(host)
        unit = supervisor.own
        await do(host, supervisor.scheduler.set(unit, **NIGHT | {"charge_end_time": time(23, 8)}))
        await host.clock.pass_time(150)
        assert registers(host) == (1, 200)
        changed_at = unit.schedule.source_changed_at
        await host.clock.pass_time(270)
        host.loses_reports = lost
        host.write_error = None if sent else ErrorCode.CONNECT_FAILED
        await do(host, supervisor.scheduler.set(unit, charge_window_current=30.0))
        assert registers(host) == (1, 300 if sent else 200)
        assert unit.schedule.source_changed_at == changed_at
        assert not unit.schedule.manual
        assert supervisor.scheduler.waits == ({} if sent else {"": Wait.UNKNOWN})
        host.loses_reports, host.write_error = False, None
        await host.clock.pass_time(240)  # 23:09
        assert registers(host)[0] == 1
        assert supervisor.scheduler.waits == {"": Wait.DWELL}
        await host.clock.pass_time(120)  # 23:11
        assert registers(host) == (0, 100)
        await supervisor.stop()


async def current_that_the_device_does_not_tell() -> None:
    """The window begins all the same, and does not touch it."""
    host = a_host("2026-11-21T23:30:00+01:00")
    host.device.overrides[CURRENT] = 0xFFFF
    supervisor = await begin(host)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    assert registers(host) == (1, 0xFFFF)
    assert told(host) == [ScheduleEvent.CHARGE_STARTED]
    await supervisor.stop()


async def current_that_is_set_at_the_device() -> None:
    """In a window, to what could not be written: what was before is put back all the same."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host, update_interval=600)
    await do(
        host, supervisor.scheduler.set(supervisor.own, **NIGHT | {"charge_end_time": time(23, 30)})
    )
    await host.clock.pass_time(180)
    assert registers(host) == (1, 200)
    host.device.overrides[CURRENT] = 120  # off the step
    await host.clock.pass_time(1500)
    assert supervisor.own.setting("ac_charge_current") == 12
    await host.clock.pass_time(600)
    assert registers(host) == (0, 100)
    await supervisor.stop()


async def manual_change_to_what_the_schedule_had_set() -> None:
    """After the end, while that waits: it cannot be told from the schedule's own, and is put back."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    await do(host, supervisor.scheduler.set(unit, **NIGHT | {"charge_end_time": time(23, 5)}))
    await host.clock.pass_time(180)
    await do(host, supervisor.write(unit, [Change("output_priority", "battery_first")]))
    await host.clock.pass_time(300)
    assert supervisor.scheduler.waits[""] is Wait.DWELL
    await do(host, supervisor.write(unit, [Change("output_priority", "grid_first")]))
    await host.clock.pass_time(600)
    assert registers(host) == (0, 100)
    assert told(host).count(ScheduleEvent.MANUAL_CHANGE) == 1
    await supervisor.stop()


async def tries_are_counted_anew() -> None:
    """After one that went well, for another wish, and in another mode: ten minutes again."""
    for what in ("went well", "another wish", "another mode"):
        host = a_host("2026-11-21T23:30:00+01:00")
        supervisor = await begin(host)
        unit = supervisor.own
        host.device.writes.habit = Habit.FORGETS
        night = NIGHT | {"charge_end_time": time(23, 50), "minimum_soc": 90}
        await do(host, supervisor.scheduler.set(unit, **NIGHT if what == "went well" else night))
        await host.clock.pass_time(610)
        assert (unit.schedule.tries, unit.schedule.tried_mode) == (2, Mode.CHARGE)
        if what == "went well":
            host.device.writes.habit = Habit.KEEPS
            await host.clock.pass_time(1260)
            assert registers(host) == (1, 200)
            assert unit.schedule.tries == 0
        elif what == "another wish":
            night = {"charge_end_time": time(6), "charge_window_current": 30.0}
            await do(host, supervisor.scheduler.set(unit, **night))
            await host.clock.pass_time(610)
            assert (unit.schedule.tries, unit.schedule.tried_mode) == (1, Mode.CHARGE)
        else:
            await host.clock.pass_time(610)
            assert (unit.schedule.tries, unit.schedule.tried_mode) == (1, Mode.HOLD)
        assert not unit.schedule.manual
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
    assert (unit.schedule.mode, unit.schedule.target) == (Mode.NONE, None)
    await supervisor.stop()


async def edge_between_two_readings() -> None:
    """The clock is looked at each minute, however seldom the device is read."""
    host = a_host("2026-11-21T22:58:00+01:00")
    supervisor = await begin(host, update_interval=3600)
    await do(host, supervisor.scheduler.set(supervisor.own, **NIGHT))
    await host.clock.pass_time(180)
    assert registers(host) == (1, 200)
    assert len(host.plans) == 1
    await supervisor.stop()
    assert host.clock.pending == 0


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


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](), debug=True)
    assert not [name for name in sys.modules if name.partition(".")[0] == "homeassistant"]
