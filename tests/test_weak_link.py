"""Twelve hours of a weak link by the real rules: the bar for losses, over two hundred seeds."""

from random import Random

import pytest

from custom_components.blupow.lib.blupow_ble.reader.timeouts import CONNECT_TIMEOUT_CAP
from simulator.weak_link import GOOD_POLL, Pace, bursty, independent, mean_losses, simulate

SEEDS = 200


@pytest.mark.parametrize(("share", "most"), [(0.6, 0.05), (0.5, 0.3), (0.4, 1.5)])
def test_independent_failures(share: float, most: float) -> None:
    """A device that is heard, and connects by chance, is hardly ever lost."""
    assert mean_losses(share, Pace.NOW, SEEDS) <= most


@pytest.mark.parametrize("minutes", [2, 5, 10])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_failures_in_runs(minutes: float, share: float) -> None:
    """No more losses than with plain intervals."""
    losses = {pace: mean_losses(share, pace, SEEDS, 60 * minutes) for pace in Pace}
    assert losses[Pace.NOW] <= losses[Pace.PLAIN]
    assert losses[Pace.NOW] < losses[Pace.BREAKER]


@pytest.mark.parametrize("outage", range(605, 7200, 331))
def test_values_come_back_soon_after_an_outage(outage: int) -> None:
    """At most 120 s later than with plain intervals, and than the link."""
    fresh = {
        pace: simulate(lambda now, outage=outage: now >= outage, pace).fresh_again
        for pace in (Pace.NOW, Pace.PLAIN)
    }
    (now,), (plain,) = fresh[Pace.NOW], fresh[Pace.PLAIN]
    assert now - plain <= 120
    assert now - outage <= 120 + CONNECT_TIMEOUT_CAP + GOOD_POLL


def test_luck_is_as_good_as_it_should_be() -> None:
    """Both kinds succeed as often as they are asked to."""
    random = Random(1)
    luck = independent(0.6, random)
    assert sum(luck(0) for _ in range(10_000)) / 10_000 == pytest.approx(0.6, abs=0.02)
    luck = bursty(0.6, 300, random)
    assert sum(luck(10.0 * at) for at in range(200_000)) / 200_000 == pytest.approx(0.6, abs=0.03)
