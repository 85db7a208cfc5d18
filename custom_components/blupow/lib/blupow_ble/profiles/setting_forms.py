"""Short forms of settings that profiles declare in numbers."""

from collections.abc import Mapping
from typing import Any

from .declaration import UnitOfMeasurement
from .setting import SWITCH, Evidence, Setting, SettingKind

type Claim = tuple[Evidence, str]
"""What a setting rests on, and where that comes from."""
type Range = tuple[float, float, float]
"""The smallest and the largest value, and the step."""


def number_setting(
    key: str, register: int, limits: Range, claim: Claim, scale: float = 1, **more: Any
) -> Setting:
    """Return a setting that is a number."""
    (low, high, step), (evidence, source) = limits, claim
    return Setting(
        key=key,
        register=register,
        evidence=evidence,
        source=source,
        low=low,
        high=high,
        step=step,
        scale=scale,
        **more,
    )


def amperes(key: str, register: int, limits: Range, claim: Claim, scale: float = 0.1) -> Setting:
    """Return a setting in amperes, in tenths of one where nothing else is given."""
    unit = UnitOfMeasurement.AMPERE
    return number_setting(key, register, limits, claim, scale, unit_of_measurement=unit)


def volts(
    key: str, register: int, limits: tuple[float, float], claim: Claim, **more: Any
) -> Setting:
    """Return a setting in tenths of a volt."""
    unit = UnitOfMeasurement.VOLT
    return number_setting(
        key, register, (*limits, 0.1), claim, 0.1, unit_of_measurement=unit, **more
    )


def choice(
    key: str, register: int, choices: Mapping[int, str], claim: Claim, **more: Any
) -> Setting:
    """Return a setting that is one of several choices."""
    return Setting(
        key=key,
        register=register,
        kind=SettingKind.CHOICE,
        evidence=claim[0],
        source=claim[1],
        choices=choices,
        **more,
    )


def switch(
    key: str, register: int, claim: Claim, choices: Mapping[int, str] = SWITCH, **more: Any
) -> Setting:
    """Return a setting that is on or off."""
    return Setting(
        key=key,
        register=register,
        kind=SettingKind.SWITCH,
        evidence=claim[0],
        source=claim[1],
        choices=choices,
        **more,
    )
