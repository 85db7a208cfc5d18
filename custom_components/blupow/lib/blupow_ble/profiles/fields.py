"""Short forms of fields that profiles declare in numbers."""

from typing import Any

from .declaration import Counter, Field, UnitOfMeasurement
from .profile import HistoryField


def number(
    key: str,
    register: int,
    unit: UnitOfMeasurement,
    valid: tuple[float, float],
    scale: float = 1,
    **more: Any,
) -> Field:
    """Return a field that holds a measured or a set number."""
    return Field(
        key=key, register=register, unit_of_measurement=unit, valid=valid, scale=scale, **more
    )


def setting(
    key: str,
    register: int,
    unit: UnitOfMeasurement | None,
    maximum: float,
    scale: float = 1,
    **more: Any,
) -> Field:
    """Return a field that holds what a device is set to, from 0 on; not every model answers it."""
    return Field(
        key=key,
        register=register,
        unit_of_measurement=unit,
        valid=(0, maximum),
        scale=scale,
        optional=True,
        setting=True,
        **more,
    )


def counter(
    key: str,
    register: int,
    kind: Counter,
    unit: UnitOfMeasurement,
    per_hour: float,
    *,
    scale: float = 1,
    **more: Any,
) -> Field:
    """Return a field that counts up, by so much in an hour at most."""
    return Field(
        key=key,
        register=register,
        unit_of_measurement=unit,
        counter=kind,
        per_hour=per_hour,
        scale=scale,
        **more,
    )


def ring_of_days(
    key: str,
    word: int,
    unit: UnitOfMeasurement,
    maximum: float,
    scale: float = 1,
    *,
    summed: bool = False,
) -> HistoryField:
    """Return a value of each day, in blocks from 0xF000 on: block n is the day n days ago (ROVER 3.2)."""
    return HistoryField(
        key=key,
        span=0xF000,
        span_step=1,
        word=word,
        scale=scale,
        unit_of_measurement=unit,
        maximum=maximum,
        summed=summed,
    )
