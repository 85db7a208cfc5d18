"""Counters: what can be true, what is doubted, and when it is believed after all."""

from hypothesis import given, strategies as st

from custom_components.blupow.lib.blupow_ble.counters import CounterGuard

FRESH = CounterGuard(per_hour=6000, step=1)
"""A controller of 6 kW that counts watt hours."""


def judged(*readings: tuple[float, float]) -> list[bool]:
    """Return which readings (seconds, value) are believed."""
    guard, believed = FRESH, []
    for now, value in readings:
        guard, belief = guard.judged(value, now)
        believed.append(belief)
    return believed


def test_growth() -> None:
    """It may stand still, and grow as fast as the device can; five minutes' worth at once, too."""
    assert judged((0, 1000), (30, 1000), (60, 1502), (7260, 13_504)) == [True] * 4


def test_jump_is_dropped_and_what_follows_the_truth_is_believed() -> None:
    """A single impossible step costs that reading alone."""
    assert judged((0, 1000), (30, 99_000), (60, 1001)) == [True, False, True]
    assert judged((0, 1000), (30, 1503)) == [True, False]


def test_jump_that_persists_is_believed_at_last() -> None:
    """Ten readings in a row that go on from each other."""
    readings = [(30 * number, 99_000 + number) for number in range(1, 11)]
    assert judged((0, 1000), *readings) == [True] + [False] * 9 + [True]


def test_jumps_that_do_not_agree_are_never_believed() -> None:
    """Noise is noise, however long."""
    readings = [(30 * number, 99_000 + 40_000 * (number % 2)) for number in range(1, 40)]
    assert judged((0, 1000), *readings) == [True] + [False] * 39


def test_reset_is_believed_once_the_next_reading_agrees() -> None:
    """At midnight, or when the device was reset."""
    assert judged((0, 1000), (30, 0), (60, 1), (90, 2)) == [True, False, True, True]


def test_zero_of_a_device_that_starts_is_no_reset() -> None:
    """The energy of years is not counted a second time."""
    assert judged((0, 426_038), (30, 0), (60, 426_039)) == [True, False, True]


@given(
    st.lists(
        st.tuples(st.floats(1, 3600), st.floats(0, 1)),
        min_size=1,
        max_size=30,
    )
)
def test_an_honest_counter_is_always_believed(steps: list[tuple[float, float]]) -> None:
    """Whatever the pauses, as long as it grows no faster than it can."""
    now, value, guard = 0.0, 100.0, FRESH
    for pause, share in steps:
        now, value = now + pause, value + share * 6000 * pause / 3600
        guard, believed = guard.judged(int(value), now)
        assert believed
