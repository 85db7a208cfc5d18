"""Twelve hours of a weak link by the real rules: how often a device is lost, with each pace of the polls.

Polls succeed by chance, one by one (independent) or in runs (bursty). A good poll takes two seconds, a failed
one its connect timeout. The device is heard all the time: reception is weak, not gone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from blupow_ble.reader.timeouts import connect_timeout
from blupow_ble.supervisor.policies import Freshness

HOURS: Final = 12
INTERVAL: Final = 30.0
GOOD_POLL: Final = 2.0

type Luck = Callable[[float], bool]
"""Whether a poll that begins at a time (s) succeeds."""
type Rule = Callable[[float, bool], float]
"""The pause after a poll: from the seconds since the last fresh reading, and whether it succeeded."""


class Pace(StrEnum):
    """The paces that are compared."""

    PLAIN = "plain"
    """The interval, whatever happens."""
    BREAKER = "breaker"
    """What BluPow did before: 300 s while under half of the last ten polls succeed."""
    NOW = "now"
    """The rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the hours went."""

    losses: int
    """How often the values became unavailable."""
    dark: float
    """The share of the time that they were."""
    fresh_again: tuple[float, ...]
    """When the first fresh reading came after each loss (s)."""


def independent(share: float, random: Random) -> Luck:
    """Return luck that knows no yesterday."""
    return lambda _: random.random() < share


def bursty(share: float, mean_bad: float, random: Random) -> Luck:
    """Return luck that comes in runs: bad ones of a mean length (s), good ones as long as the share wants."""

    def turns() -> Iterator[tuple[float, bool]]:
        at, good = 0.0, random.random() < share
        while True:
            yield at, good
            mean = mean_bad * share / (1 - share) if good else mean_bad
            at, good = at + random.expovariate(1 / mean), not good

    runs = turns()
    _, now_good = next(runs)
    until, next_good = next(runs)

    def lucky(now: float) -> bool:
        nonlocal now_good, until, next_good
        while now >= until:
            now_good = next_good
            until, next_good = next(runs)
        return now_good

    return lucky


def rule_of(pace: Pace, freshness: Freshness) -> Rule:
    """Return the pause between polls by a pace."""
    if pace is Pace.PLAIN:
        return lambda _silence, _good: INTERVAL
    if pace is Pace.NOW:
        return lambda silence, _good: freshness.pause(INTERVAL, silence, heard=True)
    outcomes: list[bool] = []
    is_open = False

    def broken(_: float, good: bool) -> float:
        nonlocal is_open
        if good and is_open:
            outcomes.clear()
            is_open = False
        outcomes.append(good)
        del outcomes[:-10]
        trips = not good and len(outcomes) >= 3 and 2 * sum(outcomes) < len(outcomes)
        is_open = is_open or trips
        return 300.0 if is_open else INTERVAL

    return broken


def simulate(luck: Luck, pace: Pace, freshness: Freshness | None = None) -> Outcome:
    """Let twelve hours pass."""
    freshness = freshness or Freshness()
    rule = rule_of(pace, freshness)
    now = fresh = 0.0
    failures = losses = 0
    dark = 0.0
    fresh_again: list[float] = []
    while now < HOURS * 3600:
        good = luck(now)
        now += GOOD_POLL if good else connect_timeout(failures)
        failures = 0 if good else failures + 1
        if good:
            if (late := now - fresh - freshness.grace) > 0:
                losses += 1
                dark += late
                fresh_again.append(now)
            fresh = now
        now += rule(now - fresh, good)
    return Outcome(losses=losses, dark=dark / (HOURS * 3600), fresh_again=tuple(fresh_again))


def mean_losses(share: float, pace: Pace, seeds: int, mean_bad: float | None = None) -> float:
    """Return how often a device is lost in twelve hours, on average over so many seeds."""
    losses = 0
    for seed in range(seeds):
        random = Random(seed)
        luck = independent(share, random) if mean_bad is None else bursty(share, mean_bad, random)
        losses += simulate(luck, pace).losses
    return losses / seeds
