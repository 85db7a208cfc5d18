"""Scenes of changed settings without Home Assistant; each runs in a process of its own."""

import asyncio
from datetime import date, time
import logging
import sys

from blupow_ble.connection_log import Topic
from blupow_ble.profiles import PROFILES
from blupow_ble.profiles.setting_rules import Reason
from blupow_ble.protocol.errors import ChangeUnknown, ErrorCode, Stage
from blupow_ble.reader.plan import Change, UnitPlan, WritePlan
from blupow_ble.reader.result import Outcome
from blupow_ble.supervisor.exclusive import Interrupted
from blupow_ble.supervisor.schedule import Schedule
from blupow_ble.supervisor.unit_state import UnitState
from blupow_ble.virtual import battery, controller
from blupow_ble.virtual.device import VirtualDevice
from blupow_ble.virtual.inverter import RIV4835_MODEL, UNIT
from blupow_ble.virtual.writes import Habit
from host import Host, Refusing, records_of
from inverter_host import NIGHT, a_host, begin, do, error_of, failure_of, registers


async def settings_of_a_device() -> None:
    """They are known from the first reading on, and what is changed is known at once."""
    logged = records_of("blupow_ble.connection_log")
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
    assert {line.topic for line in supervisor.link.log.lines} == {Topic.WRITE}
    levels = [record.levelno for record in logged if record.levelno > logging.DEBUG]
    assert levels == [logging.INFO, logging.WARNING]
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
    failure = await failure_of(change)
    assert (failure.code, failure.stage) == (ErrorCode.CHANGES_NOT_ALLOWED, Stage.START)
    assert failure.message == "changes of settings are not allowed"
    supervisor.own.schedule.schedule = Schedule(**NIGHT)
    assert supervisor.own.schedule.busy
    assert not supervisor.scheduler.due
    await supervisor.stop()
    allowed = await begin(a_host())
    allowed.own.schedule.schedule = Schedule(**NIGHT)
    assert allowed.scheduler.due
    await allowed.stop()


async def settings_without_polls() -> None:
    """They are known as long as if they were read once a day."""
    host = a_host()
    supervisor = await begin(host, polling=False)
    await host.clock.pass_time(3 * 24 * 3600 - 1)
    assert supervisor.own.setting("ac_charge_current") == 10
    await host.clock.pass_time(2)
    assert supervisor.own.setting("ac_charge_current") is None
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


async def unit_that_is_asked_by_everybodys_address() -> None:
    """Behind a module of several a write to 255 would reach them all."""
    host = a_host()
    supervisor = await begin(host)
    supervisor.units.append(
        UnitState(key="48", profile=PROFILES["battery"], model=None, unit_id=48)
    )
    supervisor.own.unit_id = 255
    change = Change("ac_charge_current", 25)
    failure = await failure_of(supervisor.write(supervisor.own, [change]))
    assert (failure.code, failure.stage) == (ErrorCode.WRONG_UNIT, Stage.START)
    assert failure.message == "the unit ID is that of all units: find it again"
    assert host.write_plans == []
    # by an address of its own it can be changed, and one that is alone also by everybody's
    supervisor.own.unit_id = 32
    await do(host, supervisor.write(supervisor.own, [change]))
    assert registers(host) == (0, 250)
    supervisor.units.pop()
    supervisor.own.unit_id = 255
    await asyncio.gather(supervisor.write(supervisor.own, [change]), return_exceptions=True)
    assert [plan.unit.unit_id for plan in host.write_plans] == [32, 255]
    await supervisor.stop()


async def plan_of_a_change() -> None:
    """All that is known of the unit, and the time for a connection, also the user's."""
    for options, seconds in (({}, 25), ({"connect_timeout": 40}, 40)):
        host = a_host()
        supervisor = await begin(host, **options)
        changes = (Change("ac_charge_current", 25), Change("beeper", False))
        await do(host, supervisor.write(supervisor.own, changes))
        unit = UnitPlan(
            key="", profile=supervisor.own.profile, model=supervisor.own.model, unit_id=UNIT
        )
        assert host.write_plans == [WritePlan(unit=unit, changes=changes, connect_timeout=seconds)]
        await supervisor.stop()


async def change_of_another_unit() -> None:
    """Behind the same module: it is asked under its own unit ID, and the own unit is left alone."""
    charger = VirtualDevice(kind="controller", model=controller.MODEL, unit_id=controller.UNIT)
    host = a_host()
    host.others.append(charger)
    unit = UnitState(key="1", profile=PROFILES["controller"], model=None, unit_id=1)
    supervisor = await begin(host, others=[unit])
    report = await do(host, supervisor.write(unit, [Change("boost_time", 60)]))
    assert [item.outcome for item in report.settings] == [Outcome.WRITTEN]
    assert (host.write_plans[0].unit.key, host.write_plans[0].unit.unit_id) == ("1", 1)
    assert len(charger.writes.seen) == 1
    assert host.device.writes.seen == []
    assert unit.setting("boost_time") == 60
    await supervisor.stop()


async def change_that_nobody_heard_of() -> None:
    """It is told as such, with its cause, and counts for the day of the place."""
    host = a_host("2026-11-22T00:30:00+01:00")
    supervisor = await begin(host)
    unit = supervisor.own
    host.loses_reports = True
    failure = await failure_of(do(host, supervisor.write(unit, [Change("ac_charge_current", 25)])))
    assert isinstance(failure, ChangeUnknown)
    assert (failure.code, failure.stage) == (ErrorCode.READER_CRASHED, Stage.WRITE)
    assert failure.message == "scripted crash"
    assert unit.setting("ac_charge_current") is None
    today = date(2026, 11, 22)
    assert (unit.settings.writes.day, unit.settings.writes.counts) == (
        today,
        {"ac_charge_current": 1},
    )
    host.loses_reports = False
    await do(host, supervisor.write(unit, [Change("ac_charge_current", 30)]))
    assert (unit.settings.writes.day, unit.settings.writes.counts) == (
        today,
        {"ac_charge_current": 2},
    )
    await supervisor.stop()


async def change_of_a_unit_that_does_not_answer() -> None:
    """While others do: the cause is the unit's own. Once all is over there is none."""
    device = Refusing(kind="riv4835", model=RIV4835_MODEL, unit_id=UNIT, refused={4000})
    host = Host(
        device=device, others=[VirtualDevice(kind="battery", model=battery.MODEL, unit_id=48)]
    )
    other = UnitState(key="48", profile=PROFILES["battery"], model=None, unit_id=48)
    supervisor = await begin(host, others=[other])
    change = [Change("ac_charge_current", 25)]
    failure = await failure_of(do(host, supervisor.write(supervisor.own, change)))
    assert failure.code is ErrorCode.MODBUS_EXCEPTION
    assert failure.message == "the unit does not answer"
    await supervisor.stop()
    supervisor = await begin(a_host())
    await supervisor.stop()
    supervisor.own.verified = False
    failure = await failure_of(supervisor.write(supervisor.own, change))
    assert (failure.code, failure.message) == (ErrorCode.NO_RESPONSE, "the unit does not answer")


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](), debug=True)
    assert not [name for name in sys.modules if name.partition(".")[0] == "homeassistant"]
