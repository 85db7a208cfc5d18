"""Energy from power, where a device does not count it, and what a bank of batteries holds. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LONGEST_GAP: Final = 300.0
"""Seconds without a fresh reading that are still bridged."""
POLL_TIME: Final = 60.0
"""What a reading may take, beside the interval between two of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A power (W) at a time (s)."""

    watts: float
    at: float


def longest_gap(interval: float) -> float:
    """Return the gap that is still bridged: two readings in a row always are."""
    return max(LONGEST_GAP, interval + POLL_TIME)


def energy_between(
    before: Sample | None, after: Sample, direction: int, longest: float = LONGEST_GAP
) -> float:
    """Return the energy (Wh) of one direction between two fresh readings; none over a longer gap.

    direction is 1 for positive power, -1 for negative power.
    """
    if before is None or not 0 <= after.at - before.at <= longest:
        return 0.0
    mean = (max(direction * before.watts, 0.0) + max(direction * after.watts, 0.0)) / 2
    return mean * (after.at - before.at) / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What one battery of a bank sent: Ah, A, W."""

    remaining: float
    capacity: float
    current: float
    power: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """What batteries in parallel amount to."""

    percentage: float | None
    remaining: float
    current: float
    power: float


def bank_of(members: Sequence[Member]) -> Bank:
    """Return the total of batteries in parallel; the state of charge is weighed by capacity."""
    remaining = sum(member.remaining for member in members)
    capacity = sum(member.capacity for member in members)
    return Bank(
        percentage=round(100 * remaining / capacity, 1) if capacity else None,
        remaining=round(remaining, 3),
        current=round(sum(member.current for member in members), 2),
        power=round(sum(member.power for member in members), 1),
    )
