"""A virtual Smart LFP battery."""

import math
from typing import Final

from .waves import Wave, double, flat, signed, text

UNIT: Final = 48
MODEL: Final = "RBT100LFP12-BT"

CAPACITY: Final = 100_000
"""In thousandths of an ampere hour."""
CURRENT: Final = Wave(0.0, 12.0, 1201.0)
"""Positive when charging."""
VOLTAGE: Final = Wave(13.3, 0.1, 1201.0)
TEMPERATURE: Final = Wave(12.0, 15.0, 5400.0)

_HEATER: Final = 0x2000
_MOSFETS_AND_LOAD: Final = 0x000E


def battery_registers(now: float, unit_id: int = UNIT, model: str = MODEL) -> dict[int, int]:
    """Return the registers of a battery at a time (seconds since 1970). Each unit has a phase of its own."""
    now = now + 97.0 * unit_id
    cell = round(VOLTAGE.at(now) / 4 * 10)
    # what the current has charged since a time when the battery was at 70 %
    swing = CURRENT.swing * CURRENT.period / math.tau / 3.6
    remaining = round(0.7 * CAPACITY - swing * math.cos(math.tau * now / CURRENT.period))
    heat = round(TEMPERATURE.at(now) * 10)
    warm = TEMPERATURE.at(now) >= 0
    return flat(
        {
            5000: (4, *(cell,) * 4, *(0,) * 12),
            5017: (4, *(signed(heat + offset) for offset in (0, 0, 10, 10)), *(0,) * 12),
            5034: (0, signed(heat + 20), 1, signed(heat), 0, 1, signed(heat + 5), 0),
            5042: (
                signed(CURRENT.at(now) * 100),
                round(VOLTAGE.at(now) * 10),
                *double(remaining),
                *double(CAPACITY),
                41,
                148,
                100,
                5000,
                signed(-10_000),
            ),
            5100: (0, 0, 0, 0, 0, 0, _MOSFETS_AND_LOAD, 0 if warm else _HEATER, 0, 0x00C0),
            5110: (
                *text(f"VIRTUAL-BATT-{unit_id:03}", 8),
                *text("01", 1),
                *text("0001", 2),
                *text("19", 1),
                *text(model, 8),
                *text("V104", 2),
                *text("RENOGY", 10),
            ),
            5223: (unit_id,),
        }
    )
