"""Scenes of a supervisor without Home Assistant; each runs in a process of its own (test_supervisor.py)."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import time, timedelta
from itertools import pairwise
import sys
from typing import Any

from blupow_ble.profiles.declaration import Span
from blupow_ble.protocol.errors import ErrorCode, ReaderError
from blupow_ble.reader.plan import FindPlan, ReadPlan, UnitPlan
from blupow_ble.reader.result import Finding, Timings
from blupow_ble.supervisor.exclusive import Interrupted
from blupow_ble.supervisor.link_state import Poll
from blupow_ble.supervisor.policies import ConnectionStatus, RecoveryStep
from blupow_ble.supervisor.protocols import LinkEvent
from host import START, Host, Refusing, records_of

STEPS = tuple(RecoveryStep)


async def outage() -> None:
    """Offline at once, disconnected after 300 s, lost after 600 s, and back: each announced once."""
    host = Host()
    supervisor = host.supervisor(stale_checks=10)
    supervisor.start()
    await host.clock.settle()
    health, link = supervisor.health, supervisor.link
    assert health.status is ConnectionStatus.CONNECTED
    voltage = supervisor.own.value("battery_voltage")
    assert isinstance(voltage, float)
    assert voltage > 13
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(31)
    assert (health.status, health.serving) == (ConnectionStatus.OFFLINE, True)
    await host.clock.pass_time(268)
    assert health.status is ConnectionStatus.OFFLINE
    await host.clock.pass_time(2)
    assert (health.status, health.serving) == (ConnectionStatus.DISCONNECTED, False)
    assert supervisor.pause == 5
    assert health.shows(supervisor.own)
    assert supervisor.own.value("battery_voltage") == voltage
    await host.clock.pass_time(298)
    assert health.status is ConnectionStatus.DISCONNECTED
    assert host.events == []
    await host.clock.pass_time(2)
    assert health.status is ConnectionStatus.LOST
    assert not health.shows(supervisor.own)
    ((event, facts),) = host.events
    assert (event, facts["problem"]) == (LinkEvent.CONNECTION_LOST, "no_response")
    assert supervisor.connect_timeout == 45
    assert host.plans[-1].connect_timeout == 45
    assert supervisor.pause == 120
    host.error = None
    await host.clock.pass_time(121)
    assert health.status is ConnectionStatus.CONNECTED
    assert link.failures == 0
    assert supervisor.connect_timeout == 25
    assert [event for event, _ in host.events] == [
        LinkEvent.CONNECTION_LOST,
        LinkEvent.CONNECTION_RESTORED,
    ]
    assert host.events[-1][1] == {"outage": 720}
    assert [line.text for line in link.log.lines] == [
        "the last reading serves: scripted no_response",
        "the last reading is too old to serve: scripted no_response",
        "no reading: scripted no_response",
        "fresh readings again (was lost)",
    ]
    await supervisor.stop()


async def recovery_by_each_step() -> None:
    """The third stale heartbeat, at 600 s, starts it; the step that heals ends it."""
    for number, step in enumerate(STEPS, 1):
        host = Host()
        supervisor = host.supervisor()
        supervisor.start()
        await host.clock.settle()
        host.error, host.heals = ErrorCode.CONNECT_TIMEOUT, step
        await host.clock.pass_time(599)
        assert host.remedies == []
        await host.clock.pass_time(2)
        assert host.remedies == list(STEPS[:number])
        assert supervisor.health.status is ConnectionStatus.CONNECTED
        assert supervisor.link.recoveries == 1
        assert host.plans[-1].bypass_service_cache
        (facts,) = [facts for event, facts in host.events if event is LinkEvent.RECOVERY]
        assert (facts["trigger"], facts["worked"], facts["step"]) == ("watchdog", True, number)
        assert (facts["problem"], facts["silence"]) == ("connect_timeout", 600)
        assert (
            host.elsewhere[-number:]
            == [taken is RecoveryStep.LOOK_AGAIN for taken in STEPS][:number]
        )
        assert not any(host.elsewhere[:-number])
        await supervisor.stop()


async def recoveries_that_fail() -> None:
    """They begin again after 60, 120, 240, 300 s, and every 15 min from the limit on."""
    host = Host()
    supervisor = host.supervisor(stale_checks=1, recovery_limit=4)
    supervisor.start()
    await host.clock.settle()
    host.error = ErrorCode.NO_RESPONSE
    times: list[float] = []
    while len(times) < 7:
        await host.clock.pass_time(1)
        if len(host.remedies) > 3 * len(times):
            times.append(host.clock.monotonic())
    pauses = [later - earlier for earlier, later in pairwise(times)]
    for pause, (low, high) in zip(
        pauses, [(48, 73), (96, 145), (192, 289), (899, 902), (899, 902), (899, 902)], strict=True
    ):
        assert low <= pause <= high, pauses
    assert supervisor.watchdog.given_up
    host.error = None
    await supervisor.poll()
    assert not supervisor.watchdog.given_up
    assert supervisor.link.next_recovery is None
    await supervisor.stop()


async def stop_in_mid_reading() -> None:
    """The reading is cancelled, the reader is waited for, no timer and no task is left."""
    host = Host()
    supervisor = host.supervisor(daily_reconnect=time(3, 30))
    supervisor.start()
    await host.clock.settle()
    host.hang = True
    await host.clock.pass_time(31)
    assert len(host.plans) == 2
    waiting = [
        asyncio.create_task(supervisor.poll()),
        asyncio.create_task(supervisor.find_units()),
        asyncio.create_task(supervisor.watchdog.force()),
    ]
    await host.clock.settle()
    await supervisor.stop()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], Interrupted)
    assert isinstance(results[2], Interrupted)
    assert host.stopped >= 1
    assert host.cancelled == len(host.plans) - 1
    assert host.clock.pending == 0
    assert host.clock.daily == {}
    assert host.clock.tasks == set()
    plans = len(host.plans)
    supervisor.heard()
    await host.clock.pass_time(3600)
    assert len(host.plans) == plans


async def reading_that_never_ends() -> None:
    """It is no failed poll, and still the third stale heartbeat starts a recovery."""
    host = Host()
    supervisor = host.supervisor()
    supervisor.start()
    await host.clock.settle()
    host.hang = True
    await host.clock.pass_time(599)
    assert supervisor.link.failures == 0
    assert host.remedies == []
    await host.clock.pass_time(10)
    assert host.remedies == [RecoveryStep.CLOSE_LINK]
    host.hang = False
    host.release.set()
    await host.clock.settle()
    assert supervisor.link.stale_checks == 0
    await supervisor.stop()


async def two_recoveries() -> None:
    """Each is counted and told, with its seconds to a tenth."""
    host = Host()
    supervisor = host.supervisor()
    supervisor.start()
    await host.clock.settle()
    for _ in range(2):
        host.error, host.heals = ErrorCode.CONNECT_TIMEOUT, RecoveryStep.LOOK_AGAIN
        host.step_seconds = 1.26
        await host.clock.pass_time(700)
        assert host.error is None
        assert supervisor.link.stale_checks == 0
    assert supervisor.link.recoveries == 2
    ended = [facts for event, facts in host.events if event is LinkEvent.RECOVERY]
    assert [(facts["step"], facts["seconds"]) for facts in ended] == [(2, 2.5), (2, 2.5)]
    await supervisor.stop()


async def forced_recovery() -> None:
    """What is under way is interrupted; who comes meanwhile gets the same result; a failure is raised."""
    host = Host()
    supervisor = host.supervisor()
    supervisor.start()
    await host.clock.settle()
    host.hang = True
    await host.clock.pass_time(31)
    assert supervisor.link.failures == 0
    first = asyncio.create_task(supervisor.watchdog.force())
    second = asyncio.create_task(supervisor.watchdog.force())
    host.hang = False
    await host.clock.settle()
    assert (await first).step is RecoveryStep.CLOSE_LINK
    assert await second == await first
    assert host.remedies == [RecoveryStep.CLOSE_LINK]
    assert supervisor.link.failures == 0
    host.error = ErrorCode.HELD_BY_OTHER
    (failure,) = await asyncio.gather(supervisor.watchdog.force(), return_exceptions=True)
    assert isinstance(failure, ReaderError)
    assert failure.code is ErrorCode.HELD_BY_OTHER
    assert host.remedies[1:] == list(STEPS)
    assert host.events[-1][1]["trigger"] == "user"
    await supervisor.stop()


async def device_that_is_heard_again() -> None:
    """It is polled at once, and not more often than every 10 s."""
    host = Host(error=ErrorCode.NOT_ADVERTISING)
    supervisor = host.supervisor(stale_checks=10)
    supervisor.start()
    await host.clock.pass_time(700)
    polls = len(host.plans)
    supervisor.heard()
    await host.clock.settle()
    assert len(host.plans) == polls + 1
    supervisor.heard()
    await host.clock.settle()
    assert len(host.plans) == polls + 1
    await host.clock.pass_time(10)
    host.error = None
    supervisor.heard()
    await host.clock.settle()
    assert len(host.plans) == polls + 2
    assert supervisor.health.status is ConnectionStatus.CONNECTED
    await host.clock.pass_time(11)
    supervisor.heard()
    await host.clock.settle()
    assert len(host.plans) == polls + 2
    await supervisor.stop()


async def daily_reconnect() -> None:
    """At the user's time of day, by the first step alone."""
    host = Host()
    supervisor = host.supervisor(daily_reconnect=time(3, 30))
    supervisor.start()
    await host.clock.settle()
    host.clock.daily[time(3, 30)]()
    await host.clock.settle()
    assert host.remedies == [RecoveryStep.CLOSE_LINK]
    assert host.events[-1][1]["trigger"] == "daily"
    await supervisor.stop()


async def registers_on_request() -> None:
    """They are read by number; a device that answers is alive, whatever the polls do."""
    host = Host()
    supervisor = host.supervisor(stale_checks=1)
    supervisor.start()
    await host.clock.settle()
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(330)
    host.error = None
    reading = await supervisor.read_registers([Span(start=4109, words=1)], supervisor.own)
    assert reading.registers == {4109: (32,)}
    assert host.plans[-1].connect_timeout == 45
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(200)
    assert host.remedies == []
    await supervisor.stop()


async def good_reading_between_heartbeats() -> None:
    """It ends the count of stale checks, also where each heartbeat finds an older one."""
    host = Host()
    supervisor = host.supervisor(heartbeat_interval=600, update_interval=10)
    supervisor.start()
    await host.clock.settle()
    for _ in range(6):
        host.error = ErrorCode.NO_RESPONSE
        await host.clock.pass_time(190)
        host.error = None
        await supervisor.poll()
        host.error = ErrorCode.NO_RESPONSE
        await host.clock.pass_time(410)
    assert supervisor.link.stale_checks <= 1
    assert host.remedies == []
    await supervisor.stop()


async def stop_when_a_recovery_has_failed() -> None:
    """Whoever stops it just then has it stopped for good."""
    host = Host(error=ErrorCode.NO_RESPONSE)
    supervisor = host.supervisor(stale_checks=1, heartbeat_interval=60)
    stopping: list[asyncio.Task[None]] = []

    def stop(event: LinkEvent, facts: dict[str, Any]) -> None:
        host.events.append((event, facts))
        if event is LinkEvent.RECOVERY:
            stopping.append(asyncio.create_task(supervisor.stop()))

    host.event = stop  # type: ignore[method-assign]
    supervisor.start()
    await host.clock.pass_time(400)
    (task,) = stopping
    await task
    assert host.clock.pending == 0
    assert supervisor.link.next_recovery is None
    assert supervisor.link.failed_recoveries == 0
    events = len(host.events)
    await host.clock.pass_time(3600)
    assert len(host.events) == events


async def polling_switched_off() -> None:
    """The first reading is taken, none after it; a recovery that was due is not carried out."""
    host = Host(error=ErrorCode.NO_RESPONSE)
    supervisor = host.supervisor(polling=False)
    supervisor.link.next_recovery = host.clock.now()
    supervisor.link.failed_recoveries = 3
    supervisor.start()
    await host.clock.pass_time(7200)
    assert len(host.plans) == 1
    assert host.remedies == []
    assert supervisor.link.next_recovery is None
    await supervisor.stop()


async def another_poll_is_faster() -> None:
    """The recovery has worked, but none of its steps has; it is no merit of the watchdog."""
    host = Host()
    supervisor = host.supervisor(stale_checks=1, heartbeat_interval=360)
    supervisor.start()
    await host.clock.settle()
    host.error = ErrorCode.NO_RESPONSE
    polls: list[asyncio.Task[None]] = []

    def meanwhile() -> None:
        if host.remedies and not polls:
            host.error = None
            polls.append(asyncio.create_task(supervisor.poll()))

    host.on_read = meanwhile
    host.failing_steps = 1
    await host.clock.pass_time(361)
    await asyncio.gather(*polls)
    await host.clock.settle()
    (facts,) = [facts for event, facts in host.events if event is LinkEvent.RECOVERY]
    assert (facts["worked"], facts["step"]) == (True, None)
    assert host.remedies == [RecoveryStep.CLOSE_LINK]
    assert supervisor.link.recoveries == 0
    assert supervisor.link.log.lines[-1].text.startswith("another poll brought a fresh reading")
    await supervisor.stop()


async def stop_before_anything_is_done() -> None:
    """There is nothing to interrupt; a reconnect by hand needs no poll before it."""
    host = Host()
    supervisor = host.supervisor()
    assert (await supervisor.watchdog.force()).step is RecoveryStep.CLOSE_LINK
    await supervisor.stop()
    untouched = Host().supervisor()
    await untouched.stop()
    (refused,) = await asyncio.gather(untouched.watchdog.force(), return_exceptions=True)
    assert isinstance(refused, Interrupted)
    await untouched.poll()
    assert untouched.link.polls == deque()


async def stop_while_a_device_is_waited_for() -> None:
    """It was heard again, but BlueZ has no object for it yet."""
    host = Host(error=ErrorCode.NOT_ADVERTISING, unconnectable=True)
    supervisor = host.supervisor(stale_checks=10)
    supervisor.start()
    await host.clock.pass_time(31)
    polls = len(host.plans)
    supervisor.heard()
    await host.clock.settle()
    assert len(host.plans) == polls
    await supervisor.stop()
    assert host.clock.tasks == set()


async def daily_reconnect_during_a_recovery() -> None:
    """It is left out; who asks during the daily one waits for it, and then takes all steps."""
    host = Host()
    supervisor = host.supervisor(daily_reconnect=time(3, 30))
    supervisor.start()
    await host.clock.settle()
    host.hang = True
    host.clock.daily[time(3, 30)]()
    await host.clock.settle()
    asked = asyncio.create_task(supervisor.watchdog.force())
    await host.clock.settle()
    host.clock.daily[time(3, 30)]()
    host.hang = False
    host.release.set()
    assert (await asked).step is RecoveryStep.CLOSE_LINK
    triggers = [facts["trigger"] for event, facts in host.events if event is LinkEvent.RECOVERY]
    assert triggers == ["daily", "user"]
    await supervisor.stop()


async def pause_that_ends_during_a_forced_recovery() -> None:
    """The user was faster: no second recovery begins beside that one."""
    host = Host()
    supervisor = host.supervisor(stale_checks=1, heartbeat_interval=600)
    supervisor.start()
    await host.clock.settle()
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(601)
    assert supervisor.link.failed_recoveries == 1
    host.hang = True
    asked = asyncio.create_task(supervisor.watchdog.force())
    await host.clock.pass_time(100)
    assert supervisor.link.next_recovery is None
    assert host.remedies == [*STEPS, RecoveryStep.CLOSE_LINK]
    host.error, host.hang = None, False
    host.release.set()
    assert (await asked).worked
    await supervisor.stop()


async def fault_of_our_own() -> None:
    """It counts as a failed poll, and the next poll comes; each is logged once, until a poll was good."""
    logged = records_of("blupow_ble.supervisor.supervisor")
    host = Host()
    supervisor = host.supervisor()
    supervisor.start()
    await host.clock.settle()
    device = host.device
    for fault in range(2):
        host.device = None  # type: ignore[assignment]
        await host.clock.pass_time(31)
        error = supervisor.link.last_error
        assert error is not None
        assert error.code is ErrorCode.READER_CRASHED
        assert error.message.startswith("a fault of BluPow itself: AttributeError(")
        assert supervisor.link.polls[-1].seconds == 0
        polls = len(host.plans)
        await host.clock.pass_time(31)
        assert len(host.plans) == polls + 1
        assert [record.getMessage() for record in logged] == [
            "[poll] Inverter: a fault of BluPow itself"
        ] * (2 * fault + 1)
        # another one is logged too
        host.device = Host  # type: ignore[assignment]
        await host.clock.pass_time(31)
        assert len(logged) == 2 * fault + 2
        host.device = device
        await host.clock.pass_time(31)
        assert supervisor.health.status is ConnectionStatus.CONNECTED
    await supervisor.stop()


async def start_after_a_while() -> None:
    """The first poll comes after the delay; a stop before it leaves no timer, a second one does nothing."""
    host = Host()
    supervisor = host.supervisor()
    supervisor.start(20)
    await host.clock.pass_time(19)
    assert host.plans == []
    await host.clock.pass_time(1)
    assert len(host.plans) == 1
    await supervisor.stop()
    host = Host()
    supervisor = host.supervisor()
    supervisor.start(20)
    await supervisor.stop()
    assert host.clock.pending == 0
    await supervisor.stop()


async def what_is_noted_of_each_poll() -> None:
    """When it ended, how long it took, and why it failed; of a reading also how it came."""
    host = Host()
    host.on_read = lambda: host.clock.skip(3)
    supervisor = host.supervisor()
    link = supervisor.link
    assert (supervisor.fresh_readings, supervisor.pause) == (0, 30)
    supervisor.start()
    await host.clock.settle()
    assert list(link.polls) == [Poll(at=START + timedelta(seconds=3), seconds=3)]
    assert link.polls[0].partial is False
    assert supervisor.fresh_readings == 1
    ((unit, reading),) = host.units_read
    assert (unit, reading.unit_id) == (supervisor.own, 32)
    assert link.snapshot is not None
    assert (link.snapshot.taken_at, link.snapshot.taken_at_monotonic) == (link.polls[0].at, 1003)
    assert isinstance(link.snapshot.timings, Timings)
    assert link.snapshot.attempts == 1
    assert unit.snapshot is not None
    assert (unit.snapshot.taken_at, unit.snapshot.taken_at_monotonic) == (link.polls[0].at, 1003)
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(40)
    assert (link.polls[1].at, link.polls[1].seconds) == (START + timedelta(seconds=36), 3)
    assert link.last_error is not None
    assert link.last_error.code is ErrorCode.NO_RESPONSE
    assert link.failures == 1
    host.error = None
    await host.clock.pass_time(40)
    assert supervisor.fresh_readings == 2
    assert supervisor._tasks == set()
    await supervisor.stop()


async def search() -> None:
    """Everything that may be there is asked, what the user names first; the device is busy with us then."""
    host = Host(findings=[Finding(unit_id=48, profile="battery")])
    supervisor = host.supervisor()
    assert await supervisor.find_units((7,)) == host.findings
    assert host.find_plans == [FindPlan(connect_timeout=25, everything=True, unit_ids=(7,))]
    assert supervisor.link.heard_at == 1000
    await supervisor.stop()


async def unit_id_that_is_looked_at() -> None:
    """One more in the tenth good poll, beside a recovery; of a virtual device none."""
    for virtual in (False, True):
        host = Host()
        supervisor = host.supervisor(virtual=virtual)
        assert supervisor.virtual is virtual
        supervisor.start()
        await host.clock.pass_time(8 * 30 + 1)
        assert supervisor.health.status is (
            ConnectionStatus.TEST_MODE if virtual else ConnectionStatus.CONNECTED
        )
        await supervisor.watchdog.force()
        await host.clock.pass_time(61)
        looks = [plan.look_at for plan in host.plans]
        assert looks[:10] == [None] * 10
        assert (looks[10] is None) is virtual
        assert looks[11] is None
        await supervisor.stop()


async def device_that_another_machine_reads() -> None:
    """What it sends is kept as of when it was read; it is asked when nothing comes, and recovers by itself."""
    host = Host()
    supervisor = host.supervisor(remote=True)
    link, clock, unit = supervisor.link, host.clock, supervisor.own
    plan = ReadPlan(units=(UnitPlan(profile=unit.profile, unit_id=32),), connect_timeout=25)
    route, reading = await host.read(plan)
    host.plans.clear()
    supervisor.start(supervisor.pause)
    await clock.pass_time(20)
    updates = host.updates
    supervisor.take(route, replace(reading, age=10), 4)
    assert host.updates == updates + 1
    assert list(link.polls) == [Poll(at=START + timedelta(seconds=20), seconds=4)]
    assert link.snapshot is not None
    assert unit.snapshot is not None
    taken = (START + timedelta(seconds=10), 1010)
    assert (link.snapshot.taken_at, link.snapshot.taken_at_monotonic) == taken
    assert (unit.snapshot.taken_at, unit.snapshot.taken_at_monotonic) == taken
    assert supervisor.health.status is ConnectionStatus.CONNECTED
    # what is older than the last reading says nothing any more
    supervisor.take(route, replace(reading, age=11.5), 4)
    supervisor.note_failure(ReaderError(ErrorCode.NO_SLOT, "long ago"), 2, age=12)
    assert (supervisor.fresh_readings, link.failures) == (1, 0)
    await clock.pass_time(29)
    assert host.plans == []
    updates = host.updates
    error = ReaderError(ErrorCode.NO_RESPONSE, "nothing came")
    supervisor.note_failure(error, 2)
    assert host.updates == updates + 1
    assert link.polls[-1] == Poll(at=START + timedelta(seconds=49), seconds=2, error=error)
    assert supervisor.health.status is ConnectionStatus.OFFLINE
    await clock.pass_time(29)
    assert host.plans == []
    host.error = ErrorCode.NO_RESPONSE
    await clock.pass_time(1)
    assert len(host.plans) == 1
    await clock.pass_time(3600)
    assert len(host.plans) == 121
    assert (supervisor.health.status, supervisor.pause) == (ConnectionStatus.LOST, 30)
    host.error = None
    await clock.pass_time(600)
    assert {plan.look_at for plan in host.plans} == {None}
    assert not any(plan.bypass_service_cache for plan in host.plans)
    await supervisor.stop()
    polls = len(link.polls), link.polls[-1]
    supervisor.take(route, reading, 4)
    supervisor.note_failure(error, 2)
    assert (len(link.polls), link.polls[-1]) == polls
    assert clock.pending == 0


async def unit_id_in_a_recovery() -> None:
    """The last step asks for it anew, unless the user has set it."""
    for wanted in (None, 48):
        host = Host(error=ErrorCode.NO_RESPONSE)
        supervisor = host.supervisor(unit_id=wanted)
        await asyncio.gather(supervisor.watchdog.force(), return_exceptions=True)
        assert [plan.units[0].unit_id for plan in host.plans] == [32, 32, wanted]
        await supervisor.stop()


async def device_that_is_heard_after_a_silence() -> None:
    """Whatever its poll failed of, it is polled at once; one that was heard all the while is not."""
    host = Host(error=ErrorCode.NO_RESPONSE)
    supervisor = host.supervisor(update_interval=200)
    supervisor.start()
    await host.clock.settle()
    for seconds, polls in ((5, 1), (29, 1), (30, 2), (29, 2), (31, 3)):
        await host.clock.pass_time(seconds)
        supervisor.heard()
        await host.clock.settle()
        assert len(host.plans) == polls
    await supervisor.stop()


async def device_that_is_heard_all_the_time() -> None:
    """While all is well, or a poll is under way, nothing comes of it, nor does it delay a later poll."""
    host = Host()
    supervisor = host.supervisor()
    supervisor.start()
    await host.clock.pass_time(28)
    supervisor.heard()
    await host.clock.settle()
    assert host.waits == 0
    host.error = ErrorCode.NOT_ADVERTISING
    await host.clock.pass_time(3)
    assert len(host.plans) == 2
    host.hang = True
    poll = asyncio.create_task(supervisor.poll())
    await asyncio.sleep(0)
    supervisor.heard()
    host.hang = False
    host.release.set()
    await poll
    await host.clock.settle()
    assert (len(host.plans), host.waits) == (3, 0)
    supervisor.heard()
    await host.clock.settle()
    assert (len(host.plans), host.waits) == (4, 1)
    await supervisor.stop()


async def device_that_is_switched_off_at_times() -> None:
    """While it is not heard no silence counts, and no availability."""
    host = Host()
    supervisor = host.supervisor(may_be_off=True)
    link, health, clock = supervisor.link, supervisor.health, host.clock
    supervisor.start()
    await clock.pass_time(299)
    host.error = ErrorCode.NOT_ADVERTISING
    await clock.pass_time(1000)
    assert health.status is ConnectionStatus.NOT_HEARD
    assert link.excused_until == 1000 + 1290
    assert health.silence == 9
    assert (link.availability.observed(2299), link.availability.share(2299)) == (300, 1)
    host.error = ErrorCode.NO_RESPONSE
    await clock.pass_time(321)
    assert link.availability.observed(2620) == 600
    assert link.availability.share(2620) == 0.5
    await supervisor.stop()


async def last_effort_of_a_long_interval() -> None:
    """It begins when the cache ends, and not with the next poll."""
    host = Host()
    times: list[float] = []
    host.on_read = lambda: times.append(round(host.clock.monotonic() - 1000))
    supervisor = host.supervisor(update_interval=3600, stale_checks=10)
    supervisor.start()
    await host.clock.settle()
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(7230)
    assert times == [0, 3600, 7200, 7205, 7210, 7215, 7220, 7225]
    await supervisor.stop()


async def readings_without_a_block() -> None:
    """They are noted as partial; the values stay for a while, whose ageing delays no poll."""
    device = Refusing()
    host = Host(device=device)
    times: list[float] = []
    host.on_read = lambda: times.append(round(host.clock.monotonic() - 1000))
    supervisor = host.supervisor()
    link = supervisor.link
    supervisor.start()
    await host.clock.settle()
    percentage = supervisor.own.value("battery_percentage")
    device.refused = {4327}
    await host.clock.pass_time(310)
    assert [poll.partial for poll in link.polls] == [False, *[True] * 10]
    assert times == list(range(0, 301, 30))
    assert supervisor.own.value("battery_percentage") == percentage is not None
    await host.clock.pass_time(310)
    assert times == list(range(0, 601, 30))
    assert supervisor.own.value("battery_percentage") is None
    device.refused = set()
    await host.clock.pass_time(3600)
    assert [line.text for line in link.log.lines] == [
        "partial readings, without battery; their last values stay",
        "whole readings again",
    ]
    assert link.polls[-1].partial is False
    await supervisor.stop()


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](), debug=True)
    assert not [name for name in sys.modules if name.partition(".")[0] == "homeassistant"]
