"""Any sequence of changes, faults, restarts, and clock changes, without Home Assistant."""

import asyncio
from collections.abc import Container
from datetime import time
from itertools import pairwise
import sys
from typing import Any

from blupow_ble.profiles.setting_rules import broken
from blupow_ble.protocol.errors import ErrorCode, ReaderError
from blupow_ble.reader.plan import Change
from blupow_ble.supervisor.schedule import Mode
from blupow_ble.virtual.writes import Habit
from hypothesis import HealthCheck, Phase, example, given, settings, strategies as st
from inverter_host import CONTROLS, CURRENT, PRIORITY, SOC, Watched, a_host, begin, do

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
    globals()[sys.argv[1]]()
    assert not [name for name in sys.modules if name.partition(".")[0] == "homeassistant"]
