"""What several batteries behind one link, in parallel, amount to. Pure functions of their states."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..profiles.battery import BATTERY
from .unit_state import UnitState


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
    remaining_capacity: float
    current: float
    power: float


def bank_of(members: Sequence[Member]) -> Bank:
    """Return the total of batteries in parallel; the state of charge is weighed by capacity."""
    remaining = sum(member.remaining for member in members)
    capacity = sum(member.capacity for member in members)
    return Bank(
        percentage=round(100 * remaining / capacity, 1) if capacity else None,
        remaining_capacity=round(remaining, 3),
        current=round(sum(member.current for member in members), 2),
        power=round(sum(member.power for member in members), 1),
    )


def batteries_of(units: Iterable[UnitState]) -> list[UnitState]:
    """Return the batteries behind a link, where there are several; else nothing."""
    found = [unit for unit in units if unit.profile is BATTERY]
    return found if len(found) > 1 else []


def known_bank(batteries: Sequence[UnitState]) -> Bank | None:
    """Return the total of batteries; None if one of them did not send its part."""
    members = [found for unit in batteries if (found := _member(unit)) is not None]
    return bank_of(members) if len(members) == len(batteries) else None


def _member(unit: UnitState) -> Member | None:
    """Return what a battery sent; None if it did not send all of it."""
    keys = ("remaining_capacity", "total_capacity", "battery_current", "battery_power")
    numbers = [value for key in keys if isinstance(value := unit.value(key), int | float)]
    if len(numbers) < len(keys):
        return None
    remaining, capacity, current, power = numbers
    return Member(remaining=remaining, capacity=capacity, current=current, power=power)
