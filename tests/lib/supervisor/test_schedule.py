"""The rules of a schedule: which mode holds, what it changes, what is put back."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.setting import SettingValue
from custom_components.blupow.lib.blupow_ble.supervisor.schedule import (
    Decision,
    Mode,
    Schedule,
    ScheduleState,
    Wait,
    carried_out_by,
    decide,
    in_window,
    mode_at,
    settings_of,
)

BERLIN = ZoneInfo("Europe/Berlin")
BOTH = ("output_priority", "ac_charge_current")
DWELL = timedelta(minutes=10)
NIGHT = Schedule(
    charge_window=True,
    charge_start_time=time(23),
    charge_end_time=time(6),
    charge_window_current=20.0,
    discharge_window=True,
    discharge_start_time=time(17),
    discharge_end_time=time(22),
    minimum_soc=30,
)


@pytest.mark.parametrize(
    ("start", "end", "now", "inside"),
    [
        (time(8), time(9), time(8), True),
        (time(8), time(9), time(8, 59, 59), True),
        (time(8), time(9), time(9), False),
        (time(8), time(9), time(7, 59), False),
        (time(23), time(6), time(23), True),
        (time(23), time(6), time(0), True),
        (time(23), time(6), time(5, 59), True),
        (time(23), time(6), time(6), False),
        (time(23), time(6), time(12), False),
        (time(8), time(8), time(8), False),
        (time(8), time(8), time(20), False),
    ],
)
def test_windows(start: time, end: time, now: time, inside: bool) -> None:
    """A begin belongs to its window, an end does not; one may pass midnight."""
    assert in_window(start, end, now) is inside


@pytest.mark.parametrize(
    ("now", "soc", "holding", "mode"),
    [
        (time(12), 80, False, Mode.NONE),
        (time(18), 80, False, Mode.DISCHARGE),
        (time(18), 31, False, Mode.DISCHARGE),
        (time(18), 30, False, Mode.HOLD),
        (time(18), 34, True, Mode.HOLD),
        (time(18), 35, True, Mode.DISCHARGE),
        (time(12), 20, False, Mode.HOLD),
        (time(23), 20, False, Mode.CHARGE),
        (time(23), 90, False, Mode.CHARGE),
        (time(12), None, False, Mode.NONE),
        (time(12), None, True, Mode.HOLD),
        (time(18), None, False, Mode.DISCHARGE),
    ],
)
def test_modes(now: time, soc: float | None, holding: bool, mode: Mode) -> None:
    """Charging comes first, then the minimum with its hysteresis; what is not known changes nothing."""
    assert mode_at(NIGHT, now, soc, holding=holding) is mode


def test_a_schedule_that_asks_for_nothing() -> None:
    """Times alone do not; 0 is no minimum."""
    idle = Schedule(charge_start_time=time(1), charge_end_time=time(5))
    assert not idle.active
    assert not ScheduleState(schedule=idle).busy
    assert mode_at(idle, time(2), 0, holding=False) is Mode.NONE
    assert Schedule(minimum_soc=1).active


def test_what_modes_set() -> None:
    """By the settings that the device has; without a current the device's own stays."""
    charge = {"output_priority": "grid_first", "ac_charge_current": 20.0}
    assert settings_of(Mode.CHARGE, NIGHT, BOTH) == charge
    assert settings_of(Mode.CHARGE, NIGHT, BOTH[:1]) == {"output_priority": "grid_first"}
    assert settings_of(Mode.CHARGE, Schedule(), BOTH) == {"output_priority": "grid_first"}
    assert settings_of(Mode.DISCHARGE, NIGHT, BOTH) == {"output_priority": "battery_first"}
    assert settings_of(Mode.HOLD, NIGHT, BOTH) == {"output_priority": "grid_first"}
    assert settings_of(Mode.NONE, NIGHT, BOTH) == {}


def test_which_devices_have_a_schedule() -> None:
    """Those with an output priority, but not those that keep windows themselves."""
    inverter = PROFILES["inverter"]
    controls = {model.key: inverter.register_map(model).controls for model in inverter.models}
    assert {key: carried_out_by(item) for key, item in controls.items()} == {
        "RIV1230RCH": ("output_priority",),
        "RIV4835CSH1S": BOTH,
        "RIV1230PCH": ("output_priority",),
        "SRNE": (),
        "other": (),
    }
    for family in ("controller", "dcdc", "battery", "shunt"):
        assert carried_out_by(PROFILES[family].register_map().controls) == ()


KNOWN: dict[str, SettingValue | None] = {
    "output_priority": "solar_first",
    "ac_charge_current": 10.0,
}


def decided(
    state: ScheduleState,
    at: str,
    known: dict[str, SettingValue | None] | None = None,
    soc: float = 80,
) -> Decision:
    """Decide at a local time of a day."""
    now = datetime.fromisoformat(f"2026-11-26T{at}").replace(tzinfo=BERLIN)
    return decide(state, BOTH, KNOWN if known is None else known, now=now, soc=soc, dwell=DWELL)


def test_what_is_changed_and_put_back() -> None:
    """Only what differs; at the end what was before."""
    state = ScheduleState(schedule=NIGHT)
    assert decided(state, "12:00") == Decision(Mode.NONE)
    changes = {"output_priority": "grid_first", "ac_charge_current": 20.0}
    assert decided(state, "23:00") == Decision(Mode.CHARGE, changes)
    state = ScheduleState(schedule=NIGHT, mode=Mode.CHARGE, before=dict(KNOWN))  # type: ignore[arg-type]
    assert decided(state, "23:30", dict(changes)) == Decision(Mode.CHARGE)
    assert decided(state, "06:00", dict(changes)) == Decision(Mode.NONE, KNOWN)
    # all of it, whatever is known: what is so already is found out when it is written
    half = {"output_priority": "grid_first", "ac_charge_current": 10.0}
    assert decided(state, "06:00", dict(half)).changes == KNOWN
    # from one window to the next: what the next does not set is put back
    assert decided(state, "17:00", dict(changes)).changes == {
        "output_priority": "battery_first",
        "ac_charge_current": 10.0,
    }


def test_what_is_not_known_is_not_changed() -> None:
    """Nothing is assumed."""
    state = ScheduleState(schedule=NIGHT)
    known = KNOWN | {"output_priority": None}
    assert decided(state, "23:00", known) == Decision(Mode.CHARGE, wait=Wait.UNKNOWN)
    assert decided(state, "23:00", {}).wait is Wait.UNKNOWN


def test_a_manual_change_stays_until_the_next_edge() -> None:
    """It is seen by its value."""
    state = ScheduleState(schedule=NIGHT, mode=Mode.CHARGE, before=dict(KNOWN))  # type: ignore[arg-type]
    other: dict[str, SettingValue | None] = {
        "output_priority": "battery_first",
        "ac_charge_current": 20.0,
    }
    assert decided(state, "23:30", other) == Decision(Mode.CHARGE, wait=Wait.MANUAL)
    state.manual = True
    as_set: dict[str, SettingValue | None] = {
        "output_priority": "grid_first",
        "ac_charge_current": 20.0,
    }
    assert decided(state, "23:30", as_set).wait is Wait.MANUAL
    assert decided(state, "06:00", other).changes == KNOWN


def test_time_between_two_changes() -> None:
    """Ten minutes between two changes of the source, or after a failed try, by a clock that is never set."""
    at = datetime(2026, 11, 26, 22, 55, tzinfo=BERLIN).astimezone(UTC)
    state = ScheduleState(schedule=NIGHT, source_changed_at=at)
    assert decided(state, "23:00").wait is Wait.DWELL
    assert decided(state, "23:04:59").wait is Wait.DWELL
    assert decided(state, "23:05").changes
    amperes: dict[str, SettingValue | None] = {
        "output_priority": "grid_first",
        "ac_charge_current": 10.0,
    }
    assert decided(state, "23:00", amperes).changes
    # each try that was not confirmed doubles the pause, up to six hours; an edge begins anew
    tried = {"schedule": NIGHT, "tried_at": at, "tried_mode": Mode.CHARGE}
    for tries, minutes in ((1, 10), (2, 20), (3, 40), (6, 320), (7, 360), (30, 360), (5000, 360)):
        state = ScheduleState(**tried, tries=tries)
        until = datetime(2026, 11, 26, 22, 55, tzinfo=BERLIN) + timedelta(minutes=minutes)
        for early, wait in ((timedelta(seconds=1), Wait.DWELL), (timedelta(), None)):
            decision = decide(state, BOTH, amperes, now=until - early, soc=80, dwell=DWELL)
            assert decision.wait is wait
    assert decided(ScheduleState(**tried, tries=9), "17:00").changes
    # a clock that was set back does not wait for a year
    state = ScheduleState(schedule=NIGHT, source_changed_at=at + timedelta(days=365))
    assert decided(state, "23:00").changes
    # 01:55 CEST and 02:00 CET are an hour and five minutes apart
    before = datetime(2026, 10, 25, 2, 55, tzinfo=BERLIN, fold=0).astimezone(UTC)
    state = ScheduleState(
        schedule=Schedule(charge_window=True, charge_start_time=time(2), charge_end_time=time(4)),
        source_changed_at=before,
    )
    now = datetime(2026, 10, 25, 2, 0, tzinfo=BERLIN, fold=1)
    assert decide(state, BOTH, KNOWN, now=now, soc=80, dwell=DWELL).wait is Wait.DWELL
    now = datetime(2026, 10, 25, 2, 5, tzinfo=BERLIN, fold=1)
    assert decide(state, BOTH, KNOWN, now=now, soc=80, dwell=DWELL).changes


def test_what_was_sent_and_not_confirmed() -> None:
    """It is looked at again, and put back when the window is over by then."""
    state = ScheduleState(schedule=NIGHT, target=Mode.CHARGE, before=dict(KNOWN))  # type: ignore[arg-type]
    as_set: dict[str, SettingValue | None] = {
        "output_priority": "grid_first",
        "ac_charge_current": 20.0,
    }
    assert decided(state, "23:10", as_set) == Decision(Mode.CHARGE, as_set)
    state.traces = {"output_priority": ["grid_first"], "ac_charge_current": [20.0]}
    assert decided(state, "12:00", as_set) == Decision(Mode.NONE, KNOWN)
    assert decided(state, "12:00") == Decision(Mode.NONE, KNOWN)


def test_a_manual_change_while_something_is_pending() -> None:
    """What the schedule can not have made is somebody else's."""
    state = ScheduleState(
        schedule=NIGHT,
        target=Mode.CHARGE,
        before=dict(KNOWN),  # type: ignore[arg-type]
        traces={"output_priority": ["grid_first"], "ac_charge_current": [20.0, 15.0]},
    )
    other: dict[str, SettingValue | None] = {
        "output_priority": "battery_first",
        "ac_charge_current": 15.0,
    }
    decision = decided(state, "23:10", other)
    assert (decision.wait, decision.by_hand) == (Wait.MANUAL, {"output_priority": "battery_first"})
