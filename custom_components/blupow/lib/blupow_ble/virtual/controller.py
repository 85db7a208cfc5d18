"""A virtual Rover 40."""

from collections.abc import Mapping
from typing import Final

from .waves import EPOCH, Wave, double, flat, midnight, text

UNIT: Final = 1
MODEL: Final = "RNG-CTRL-RVR40"

SOLAR: Final = Wave(210.0, 160.0, 811.0)
LOAD: Final = Wave(36.0, 12.0, 173.0)
SOLAR_VOLTAGE: Final = Wave(36.5, 1.5, 509.0)
BATTERY_VOLTAGE: Final = Wave(13.5, 0.3, 1709.0)
SOC: Final = Wave(78.0, 14.0, 7200.0)
TEMPERATURE: Final = Wave(27.0, 6.0, 3600.0)
BATTERY_TEMPERATURE: Final = Wave(-1.0, 4.0, 5400.0)
"""Below zero half of the time."""

SETTINGS: Final = (
    200,
    0x0C0C,
    4,
    160,
    155,
    146,
    144,
    138,
    132,
    126,
    120,
    111,
    106,
    0x6432,
    5,
    120,
    120,
    30,
    3,
)
"""Registers 0xE002 to 0xE014."""

TYPE_REGISTER: Final = 0xE004
VOLTAGES_REGISTER: Final = 0xE005
LOAD_REGISTER: Final = 0x010A
MODE_REGISTER: Final = 0xE01D
MANUAL: Final = 15
STATE_REGISTER: Final = 0x0120
USER: Final = 0
TABLES: Final = {
    0: (160, 155, 146, 144, 138, 132, 126, 120, 111, 106),
    1: (160, 155, 148, 146, 138, 132, 126, 120, 111, 106),
    2: (160, 155, 146, 144, 138, 132, 126, 120, 111, 106),
    3: (160, 155, 142, 142, 138, 132, 126, 120, 111, 106),
    4: (160, 155, 144, 144, 144, 132, 126, 120, 111, 106),
}
"""Registers 0xE005 to 0xE00E, as the firmware loads them with a battery type; the user's begin as the sealed ones."""

_LOAD_ON: Final = 0x8000
_MPPT: Final = 2


def _magnitude(value: float) -> int:
    """Return a temperature as a byte with a sign and a magnitude."""
    whole = round(value)
    return 0x80 | -whole if whole < 0 else whole


def controller_registers(now: float, unit_id: int = UNIT, model: str = MODEL) -> dict[int, int]:
    """Return the registers of a charge controller at a time (seconds since 1970)."""
    solar, load, battery = SOLAR.at(now), LOAD.at(now), BATTERY_VOLTAGE.at(now)
    today = midnight(now)
    amp_seconds = 3600.0 * BATTERY_VOLTAGE.mean
    return flat(
        {
            0x000A: (0x1828, 0x2800),
            0x000C: text(f"  {model}", 8),
            0x0014: (0x0003, 0x0201, 0x0001, 0x0203, 0x1501, 0xFFFF, unit_id),
            0x0100: (
                round(SOC.at(now)),
                round(battery * 10),
                round(solar / battery * 100),
                _magnitude(TEMPERATURE.at(now)) << 8 | _magnitude(BATTERY_TEMPERATURE.at(now)),
                round(battery * 10),
                round(load / battery * 100),
                round(load),
                round(SOLAR_VOLTAGE.at(now) * 10),
                round(solar / SOLAR_VOLTAGE.at(now) * 100),
                round(solar),
                1,
                132,
                138,
                2741,
                356,
                370,
                48,
                SOLAR.counted(today, now, amp_seconds),
                LOAD.counted(today, now, amp_seconds),
                SOLAR.counted(today, now),
                LOAD.counted(today, now),
                int((now - EPOCH) // 86_400),
                1,
                int((now - EPOCH) // 86_400),
                *double(SOLAR.counted(EPOCH, now, amp_seconds)),
                *double(LOAD.counted(EPOCH, now, amp_seconds)),
                *double(SOLAR.counted(EPOCH, now)),
                *double(LOAD.counted(EPOCH, now)),
                _LOAD_ON | 100 << 8 | _MPPT,
                0,
                0,
            ),
            0xE002: SETTINGS,
            MODE_REGISTER: (MANUAL,),
        }
    )


def type_effects(registers: Mapping[int, int], changes: dict[int, int]) -> dict[int, int]:
    """Return what registers are after some were written: a battery type loads its own voltages.

    With another type than the user's, the voltages stay as they are.
    """
    effects = dict(changes)
    if (table := TABLES.get(changes.get(TYPE_REGISTER, -1))) is not None:
        effects |= dict(enumerate(table, VOLTAGES_REGISTER))
    elif TYPE_REGISTER not in changes and registers[TYPE_REGISTER] != USER:
        locked = range(VOLTAGES_REGISTER, VOLTAGES_REGISTER + len(TABLES[1]))
        effects = {register: word for register, word in effects.items() if register not in locked}
    return effects


def effects(registers: Mapping[int, int], changes: dict[int, int]) -> dict[int, int]:
    """Return what registers are after some were written: the load is switched in manual mode alone."""
    after = type_effects(registers, changes)
    if (load := after.pop(LOAD_REGISTER, None)) is not None and registers[MODE_REGISTER] == MANUAL:
        after[STATE_REGISTER] = registers[STATE_REGISTER] & ~_LOAD_ON | (_LOAD_ON if load else 0)
    return after


def controller_records(now: float) -> dict[int, tuple[int, ...]]:
    """Return the days that it keeps: today, and seven before it."""
    amp_seconds = 3600.0 * BATTERY_VOLTAGE.mean
    records: dict[int, tuple[int, ...]] = {}
    for day in range(8):
        begin, end = midnight(now, day), min(midnight(now, day - 1), now)
        records[0xF000 + day] = (
            132,
            138,
            2741,
            356,
            370,
            48,
            SOLAR.counted(begin, end, amp_seconds),
            LOAD.counted(begin, end, amp_seconds),
            SOLAR.counted(begin, end),
            LOAD.counted(begin, end),
        )
    return records
