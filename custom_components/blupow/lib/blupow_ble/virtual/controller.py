"""A virtual Rover 40."""

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
            0xE01D: (15,),
        }
    )


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
