"""What several batteries in parallel amount to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


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
