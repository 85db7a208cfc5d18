"""Energy from power."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.supervisor.energy import (
    Sample,
    energy_between,
    longest_gap,
)


@pytest.mark.parametrize(
    ("before", "after", "in_", "out"),
    [
        (Sample(120, 0), Sample(120, 30), 1.0, 0.0),
        (Sample(120, 5000), Sample(120, 5030), 1.0, 0.0),
        (Sample(3600, 7), Sample(3600, 7.5), 0.5, 0.0),
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


@pytest.mark.parametrize(("interval", "gap"), [(10, 300), (240, 300), (300, 360)])
def test_longest_gap(interval: float, gap: float) -> None:
    """Two readings in a row are always bridged."""
    assert longest_gap(interval) == gap
    assert energy_between(Sample(60, 0), Sample(60, gap), 1, gap) == pytest.approx(gap / 60)
