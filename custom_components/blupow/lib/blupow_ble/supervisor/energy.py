"""Energy from power, where a device does not count it. Pure."""

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
