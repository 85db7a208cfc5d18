"""Counters: what can be true, what is doubted, and when it is believed after all."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.supervisor.counters import ANOTHER_DAY, CounterGuard

TOTAL = CounterGuard(per_hour=6000, step=1)
"""A controller of 6 kW that counts watt hours."""
DAILY = CounterGuard(per_hour=6000, step=1, daily=True)
HOUR = 3600


def judged(*readings: tuple[float, float], guard: CounterGuard = TOTAL) -> list[bool]:
    """Return which readings (seconds, value) are believed."""
    believed = []
    for now, value in readings:
        guard, belief = guard.judged(value, now)
        believed.append(belief)
    return believed


def every(pause: float, *values: float, start: float = 0) -> list[tuple[float, float]]:
    """Return readings at a pause."""
    return [(start + pause * number, value) for number, value in enumerate(values)]


def test_growth() -> None:
    """It may stand still, and grow as fast as the device can; five minutes' worth at once, too."""
    assert judged((0, 1000), (30, 1000), (60, 1502), (7260, 13_504)) == [True] * 4


def test_jump_is_dropped_and_what_follows_the_truth_is_believed() -> None:
    """A single impossible step costs that reading alone."""
    assert judged((0, 1000), (30, 99_000), (60, 1001)) == [True, False, True]
    assert judged((0, 1000), (30, 1503)) == [True, False]


@pytest.mark.parametrize("pause", [10, 30, 300])
def test_steady_nonsense_is_never_believed(pause: float) -> None:
    """73.5 kWh with its words exchanged: it stands still, and leaps by 65536 with each step."""
    guard = CounterGuard(per_hour=20, step=0.1)
    nonsense = [round((number // 40 + 735) * 6553.6, 1) for number in range(400)]
    readings = every(pause, 73.5, *nonsense)
    assert judged(*readings, guard=guard) == [True] + [False] * 400


def test_jump_that_lasts_and_counts_is_believed_at_last() -> None:
    """Three minutes, and one step that the device can have counted."""
    steady = every(30, *[99_000] * 20, start=30)
    assert judged((0, 1000), *steady) == [True] + [False] * 20
    assert judged((0, 1000), *steady, (630, 99_001), (660, 99_001)) == [
        *(True, *[False] * 20),
        *(True, True),
    ]
    assert judged((0, 1000), (30, 99_000), (60, 99_001)) == [True, False, False]


def test_jumps_that_do_not_agree_are_never_believed() -> None:
    """Noise is noise, however long."""
    readings = [(30 * number, 99_000 + 40_000 * (number % 2)) for number in range(1, 40)]
    assert judged((0, 1000), *readings) == [True] + [False] * 39


@pytest.mark.parametrize(("pause", "zeros"), [(10, 6), (10, 12), (30, 6), (60, 60)])
def test_zeros_of_a_device_that_starts_are_no_reset(pause: float, zeros: int) -> None:
    """The energy of years is not counted a second time, however long the zeros last."""
    readings = every(pause, 426_038, *[0] * zeros, 426_039, 426_040)
    assert judged(*readings) == [True, *[False] * zeros, True, True]


def test_reset_is_believed_once_it_lasts_and_counts() -> None:
    """Somebody has cleared the device's memory: it counts from zero."""
    readings = every(60, 426_038, 0, 0, 0, 0, 0, 1, 2)
    assert judged(*readings) == [True, *[False] * 5, True, True]


def test_midnight() -> None:
    """A daily counter falls, and stays at zero for the night: minutes are enough, readings are not."""
    readings = every(30, 1000, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    assert judged(*readings, guard=DAILY) == [True, *[False] * 6, *[True] * 3]
    assert judged((0, 1000), (300, 0), (600, 0), guard=DAILY) == [True, False, True]


def test_daily_counter_that_comes_back_is_no_new_energy() -> None:
    """Zeros for minutes, then the truth of the same day: not shown again before the next day begins."""
    back = every(30, *range(1001, 1041), start=630)
    zeros = every(30, *[0] * 20, start=30)
    assert judged((0, 1000), *zeros, *back, guard=DAILY)[21:] == [False] * 40
    next_day = every(30, 0, 0, 5, start=8 * HOUR)
    assert judged((0, 1000), *zeros, *back, *next_day, guard=DAILY)[-3:] == [True] * 3


def test_daily_counter_that_is_read_once_a_day() -> None:
    """A lower value after half a day is that of another day."""
    assert judged((0, 1000), (24 * HOUR, 800), (48 * HOUR, 900), guard=DAILY) == [True] * 3
    assert judged((0, 1000), (HOUR, 800), guard=DAILY) == [True, False]
    assert judged((0, 1000), (24 * HOUR, 800)) == [True, False]
    assert judged((20 * HOUR, 1000), (21 * HOUR, 800), guard=DAILY) == [True, False]
    assert judged((0, 1000), (ANOTHER_DAY, 800), guard=DAILY) == [True, True]
    assert judged((0, 1000), (ANOTHER_DAY - 1, 800), guard=DAILY) == [True, False]


def test_doubt_of_a_leap_begins_once() -> None:
    """What follows a leap within a doubt is measured from where the doubt began, not from each reading."""
    grows = [(30 * number, 99_000 + number) for number in range(1, 6)]
    assert judged((0, 1000), *grows) == [True, *[False] * 5]
    assert judged((0, 1000), *grows, (240, 99_008)) == [True, *[False] * 5, True]


@given(
    st.lists(
        st.tuples(st.floats(1, 3600), st.floats(0, 1)),
        min_size=1,
        max_size=30,
    )
)
def test_an_honest_counter_is_always_believed(steps: list[tuple[float, float]]) -> None:
    """Whatever the pauses, as long as it grows no faster than it can."""
    now, value, guard = 0.0, 100.0, TOTAL
    for pause, share in steps:
        now, value = now + pause, value + share * 6000 * pause / 3600
        guard, believed = guard.judged(int(value), now)
        assert believed


@given(st.lists(st.tuples(st.floats(5, 900), st.integers(0, 1 << 32)), max_size=60))
def test_believed_totals_only_rise_or_have_counted_anew(readings: list[tuple[float, int]]) -> None:
    """Whatever is sent: a total that is shown has grown as it can, or has counted where it is."""
    guard, now = TOTAL, 0.0
    shown = before = None
    for pause, value in readings:
        now += pause
        guard, believed = guard.judged(value, now)
        if not believed:
            before = value
            continue
        if shown is not None and not 0 <= value - shown[1] <= 6000 * (now - shown[0]) / 3600 + 502:
            assert before is not None
            assert before <= value
        shown = (now, value)


LATE = 1_000_000.0
"""A device that has been followed for days: nothing is measured from the beginning."""


def test_jumps_after_days() -> None:
    """Each is measured from the reading before."""
    leaps = every(30, *(99_000 + 100_000 * number for number in range(20)), start=LATE + 30)
    assert judged((LATE, 1000), *leaps) == [True] + [False] * 20


def test_jump_that_goes_on_growing() -> None:
    """Measured from reading to reading it can be, though not from the first one."""
    grows = every(30, *(99_000 + 100 * number for number in range(9)), start=LATE + 30)
    assert judged((LATE, 1000), *grows) == [True, *[False] * 6, *[True] * 3]


def test_fall_after_days() -> None:
    """Zeros for minutes, then more than it can have counted since: the fall was real."""
    cleared = every(60, 0, 0, 0, 0, 0, 1, start=LATE + 60)
    readings = judged((LATE, 1000), *cleared, (LATE + 420, 1), (LATE + 600, 40_000))
    assert readings == [True, *[False] * 5, True, True, False]
    later = every(60, 40_001, 40_002, 40_003, 40_004, start=LATE + 660)
    assert judged((LATE, 1000), *cleared, (LATE + 420, 1), (LATE + 600, 40_000), *later)[-4:] == [
        False,
        False,
        True,
        True,
    ]


def test_fine_counter() -> None:
    """Two of its last digits may be late, not twenty."""
    fine = CounterGuard(per_hour=20, step=0.1)
    assert judged((0, 100.0), (300, 101.8), guard=fine) == [True, True]
    assert judged((0, 100.0), (300, 102.0), guard=fine) == [True, False]


def test_leap_that_is_forgotten() -> None:
    """Once the truth was read again, an earlier doubt neither hinders nor helps what comes later."""
    forgotten = [(0, 1000), (30, 99_000), (60, 1001)]
    assert judged(*forgotten, (60 + 2 * HOUR, 12_001)) == [True, False, True, True]
    assert judged(*forgotten, (HOUR, 99_500)) == [True, False, True, False]


def test_leaps_far_apart() -> None:
    """Each is measured from the reading before it, however long the doubt has lasted."""
    assert judged((LATE, 1000), (LATE + 30, 99_000), (LATE + 230, 200_000)) == [True, False, False]
    steady = every(30, *[99_000] * 120, start=LATE + 30)
    leap = (LATE + 3660, 104_000)
    assert judged((LATE, 1000), *steady, leap) == [True] + [False] * 121
