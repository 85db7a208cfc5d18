"""What the readings of an hour or a day come to. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from blupow_ble.profiles.declaration import Value

HOUR: Final = 3600

type Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What a field came to within an hour or a day; `added` is what a counter has counted."""

    min: float
    mean: float
    max: float
    last: float
    samples: int
    added: float | None = None


def of_readings(
    readings: Sequence[Values], before: Sequence[Values], counters: Mapping[str, bool]
) -> dict[str, Aggregate]:
    """Return what readings come to, by their fields; they and those `before` stand in order of time.

    `counters` are the fields that count, with whether they begin anew each day.
    """
    series: dict[str, list[float]] = {}
    for values in readings:
        for key, value in values.items():
            if isinstance(value, int | float):
                series.setdefault(key, []).append(float(value))
    return {
        key: Aggregate(
            min=min(numbers),
            mean=sum(numbers) / len(numbers),
            max=max(numbers),
            last=numbers[-1],
            samples=len(numbers),
            added=counted(numbers, _last(before, key), daily=counters[key])
            if key in counters
            else None,
        )
        for key, numbers in series.items()
    }


def counted(numbers: Iterable[float], before: float | None, *, daily: bool) -> float:
    """Return what a counter has counted over its readings, since the one before them.

    A daily counter that falls has begun anew; what else falls has counted nothing.
    """
    total = 0.0
    for number in numbers:
        if before is not None and number >= before:
            total += number - before
        elif before is not None and daily:
            total += number
        before = number
    return total


def of_hours(hours: Sequence[Aggregate]) -> Aggregate:
    """Return what hours come to together; they stand in order of time."""
    samples = sum(hour.samples for hour in hours)
    added = [hour.added for hour in hours if hour.added is not None]
    return Aggregate(
        min=min(hour.min for hour in hours),
        mean=sum(hour.mean * hour.samples for hour in hours) / samples,
        max=max(hour.max for hour in hours),
        last=hours[-1].last,
        samples=samples,
        added=sum(added) if added else None,
    )


def _last(readings: Sequence[Values], key: str) -> float | None:
    for values in reversed(readings):
        if isinstance(value := values.get(key), int | float):
            return float(value)
    return None
