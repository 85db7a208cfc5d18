"""What readings come to by hour and day, by value."""

from blupow_bridge.store.aggregates import Aggregate, counted, of_hours, of_readings
from hypothesis import given, strategies as st
import pytest


def test_of_readings() -> None:
    """Numbers by their field; texts and lists come to nothing."""
    found = of_readings(
        [
            {"power": 10, "state": "on", "faults": [], "energy_total": 105.0, "energy_today": 1},
            {"power": 30, "energy_total": 107.5, "energy_today": 2},
            {"power": 20, "voltage": 13.5},
        ],
        [{"energy_total": 90.0}, {"energy_total": 100.0, "energy_today": 7}, {"power": 1}],
        {"energy_total": False, "energy_today": True},
    )
    assert found == {
        "power": Aggregate(min=10, mean=20, max=30, last=20, samples=3),
        "voltage": Aggregate(min=13.5, mean=13.5, max=13.5, last=13.5, samples=1),
        "energy_total": Aggregate(
            min=105, mean=106.25, max=107.5, last=107.5, samples=2, added=7.5
        ),
        "energy_today": Aggregate(min=1, mean=1.5, max=2, last=2, samples=2, added=2),
    }


@pytest.mark.parametrize(
    ("numbers", "before", "daily", "total"),
    [
        ([5.0, 7.0, 7.0], None, False, 2.0),
        ([5.0, 7.0], 4.0, False, 3.0),
        ([5.0, 1.0, 2.0], 4.0, True, 3.0),
        ([5.0, 1.0, 2.0], 4.0, False, 2.0),
        ([], 4.0, False, 0.0),
        ([0.0], 9.0, True, 0.0),
    ],
)
def test_counted(numbers: list[float], before: float | None, daily: bool, total: float) -> None:
    """A daily counter begins anew; a total that falls was replaced, and has counted nothing."""
    assert counted(numbers, before, daily=daily) == total


NUMBERS = st.lists(st.floats(0, 1e6), min_size=1, max_size=20)


@given(NUMBERS, NUMBERS)
def test_parts_come_to_the_whole(first: list[float], second: list[float]) -> None:
    """Two hours come to what their readings come to together, counters too."""
    readings = [[{"x": number} for number in part] for part in (first, second)]
    counters = {"x": True}
    one = of_readings(readings[0], [], counters)["x"]
    two = of_readings(readings[1], readings[0], counters)["x"]
    whole = of_readings([*readings[0], *readings[1]], [], counters)["x"]
    together = of_hours([one, two])
    assert (together.min, together.max, together.last) == (whole.min, whole.max, whole.last)
    assert together.samples == whole.samples
    assert together.mean == pytest.approx(whole.mean)
    assert together.added == pytest.approx(whole.added)
