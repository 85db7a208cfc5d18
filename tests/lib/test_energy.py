"""Energy from power, and what a bank of batteries amounts to."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.energy import (
    Bank,
    Member,
    Sample,
    bank_of,
    energy_between,
    longest_gap,
)


@pytest.mark.parametrize(
    ("before", "after", "in_", "out"),
    [
        (Sample(120, 0), Sample(120, 30), 1.0, 0.0),
        (Sample(100, 0), Sample(140, 30), 1.0, 0.0),
        (Sample(-120, 0), Sample(-120, 30), 0.0, 1.0),
        (Sample(120, 0), Sample(-120, 30), 0.5, 0.5),
        (Sample(120, 0), Sample(120, 300), 10.0, 0.0),
        (Sample(120, 0), Sample(120, 300.1), 0.0, 0.0),
        (Sample(120, 30), Sample(120, 0), 0.0, 0.0),
        (None, Sample(120, 30), 0.0, 0.0),
    ],
)
def test_energy(before: Sample | None, after: Sample, in_: float, out: float) -> None:
    """By the mean of two fresh readings; no gap over 300 s is bridged, and no first reading counts."""
    assert energy_between(before, after, 1) == pytest.approx(in_)
    assert energy_between(before, after, -1) == pytest.approx(out)


@given(st.floats(-5000, 5000), st.floats(-5000, 5000), st.floats(0, 1000))
def test_energy_is_never_negative(one: float, other: float, seconds: float) -> None:
    """A counter that only grows."""
    for direction in (1, -1):
        assert energy_between(Sample(one, 0), Sample(other, seconds), direction) >= 0


def test_bank() -> None:
    """The state of charge is weighed by capacity; power and current are sums."""
    small = Member(remaining=25, capacity=50, current=-2.5, power=-33.1)
    large = Member(remaining=190, capacity=200, current=10.25, power=136.0)
    assert bank_of([small, large]) == Bank(
        percentage=86.0, remaining=215, current=7.75, power=102.9
    )
    empty = Member(remaining=0, capacity=0, current=0, power=0)
    assert bank_of([empty, empty]).percentage is None


@pytest.mark.parametrize(("interval", "gap"), [(10, 300), (240, 300), (300, 360)])
def test_longest_gap(interval: float, gap: float) -> None:
    """Two readings in a row are always bridged."""
    assert longest_gap(interval) == gap
    assert energy_between(Sample(60, 0), Sample(60, gap), 1, gap) == pytest.approx(gap / 60)
