"""A virtual RBC50D1S, charged by the alternator and by the sun."""

from typing import Final

from .controller import BATTERY_TEMPERATURE, BATTERY_VOLTAGE, SETTINGS, SOC, TEMPERATURE
from .waves import EPOCH, Wave, double, flat, midnight, text

UNIT: Final = 1
MODEL: Final = "RBC50D1S-G6"

ALTERNATOR: Final = Wave(240.0, 80.0, 401.0)
SOLAR: Final = Wave(130.0, 90.0, 977.0)
ALTERNATOR_VOLTAGE: Final = Wave(14.1, 0.2, 331.0)
SOLAR_VOLTAGE: Final = Wave(21.5, 1.0, 557.0)

_MPPT: Final = 2
_BOTH: Final = 4


def dcdc_registers(now: float, unit_id: int = UNIT, model: str = MODEL) -> dict[int, int]:
    """Return the registers of a DC-DC charger at a time (seconds since 1970)."""
    alternator, solar, battery = ALTERNATOR.at(now), SOLAR.at(now), BATTERY_VOLTAGE.at(now)
    charging = (alternator + solar) * 0.95
    heat, cold = round(TEMPERATURE.at(now)), round(BATTERY_TEMPERATURE.at(now))
    days = int((now - EPOCH) // 86_400)
    return flat(
        {
            0x000A: (0x0C32, 0x0000),
            0x000C: text(model, 8),
            0x0014: (0x0001, 0x0300, 0x0001, 0x0000, 0x2201, 0x0042, unit_id),
            0x0100: (
                round(SOC.at(now)),
                round(battery * 10),
                round(charging / battery * 100),
                heat << 8 | (0x80 | -cold if cold < 0 else cold),
                round(ALTERNATOR_VOLTAGE.at(now) * 10),
                round(alternator / ALTERNATOR_VOLTAGE.at(now) * 100),
                round(alternator),
                round(SOLAR_VOLTAGE.at(now) * 10),
                round(solar / SOLAR_VOLTAGE.at(now) * 100),
                round(charging),
                0,
                131,
                144,
                4010,
                0,
                540,
                0,
                _charged(midnight(now), now, 3600.0 * BATTERY_VOLTAGE.mean),
                0,
                _charged(midnight(now), now, 3600.0) & 0xFFFF,
                0,
                days,
                0,
                days,
                *double(_charged(EPOCH, now, 3600.0 * BATTERY_VOLTAGE.mean)),
                0,
                0,
                *double(_charged(EPOCH, now, 3600.0)),
                0,
                0,
                _MPPT,
                0,
                0,
                0,
                round(charging),
                _BOTH,
                1,
            ),
            0xE001: (3000, *SETTINGS),
            0xE01E: (5, 5, 145),
            0xE038: (200,),
        }
    )


def _charged(start: float, end: float, per: float) -> int:
    """Return what both sources have charged."""
    joules = ALTERNATOR.integral(start, end) + SOLAR.integral(start, end)
    return int(joules * 0.95 / per)


def dcdc_records(now: float) -> dict[int, tuple[int, ...]]:
    """Return the days that it keeps: today, and seven before it."""
    records: dict[int, tuple[int, ...]] = {}
    for day in range(8):
        begin, end = midnight(now, day), min(midnight(now, day - 1), now)
        amp_hours = _charged(begin, end, 3600.0 * BATTERY_VOLTAGE.mean)
        energy = _charged(begin, end, 3600.0)
        records[0xF000 + day] = (131, 144, 4010, 0, 540, 0, amp_hours, 0, energy, 0)
    return records
