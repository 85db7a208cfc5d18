"""A virtual REGO inverter charger."""

import math
import time
from typing import Final

from ..profiles.declaration import NOT_THERE
from .waves import EPOCH, Wave, double, flat, midnight, text

UNIT: Final = 32
MODEL: Final = "RIV1230RCH-SPS"
SERIAL: Final = "VIRTUAL00000000001"
VERSION: Final = "V1.0-virtual"

LOAD: Final = Wave(420.0, 180.0, 251.0)
SOLAR: Final = Wave(310.0, 240.0, 907.0)
OUTPUT_VOLTAGE: Final = Wave(120.0, 1.2, 107.0)
SOLAR_VOLTAGE: Final = Wave(38.5, 2.0, 613.0)
BATTERY_VOLTAGE: Final = Wave(13.4, 0.3, 1901.0)
SOC: Final = Wave(72.0, 18.0, 7200.0)
TEMPERATURE: Final = Wave(31.0, 4.0, 3600.0)


def inverter_registers(now: float, unit: int = UNIT, model: str = MODEL) -> dict[int, int]:
    """Return the registers of a REGO inverter at a time (seconds since 1970)."""
    load, solar = LOAD.at(now), SOLAR.at(now)
    volts, battery = OUTPUT_VOLTAGE.at(now), BATTERY_VOLTAGE.at(now)
    charging = solar * 0.96
    today = midnight(now)
    amp_seconds = 3600.0 * BATTERY_VOLTAGE.mean
    tenth_kwh = 360_000.0

    def days(wave: Wave, per: float) -> tuple[int, ...]:
        """Return the seven days before today, yesterday first."""
        return tuple(
            wave.counted(midnight(now, day), midnight(now, day - 1), per) for day in range(1, 8)
        )

    blocks: dict[int, tuple[int, ...]] = {
        4000: (
            0,
            0,
            round(volts * 10),
            round(load / volts * 100),
            6000 + round(2 * math.sin(now / 5)),
            round(battery * 10),
            round(TEMPERATURE.at(now) * 10),
            0,
            0,
            0,
        ),
        4100: (0, 0, 1, *(0,) * 6, unit, *(NOT_THERE,) * 2, *text(SERIAL, 9)),
        4300: (0, 0, 0, *text("RENOGY", 8), *text(model, 8), *text(VERSION, 8)),
        4327: (
            round(SOC.at(now)),
            round(charging / battery * 10),
            round(SOLAR_VOLTAGE.at(now) * 10),
            round(solar / SOLAR_VOLTAGE.at(now) * 10),
            round(solar),
            2,
            round(charging),
        ),
        4398: (0, 0, 0, 0, *_clock(now), 5, 0, 3800),
        4408: (
            round(load / volts * 10),
            round(load),
            round(load * 1.08),
            0,
            0,
            round(load / 30),
            round(TEMPERATURE.at(now) * 10) + 40,
            round(TEMPERATURE.at(now) * 10) + 60,
        ),
        4501: (
            *days(SOLAR, amp_seconds / 0.96),
            *days(SOLAR, amp_seconds / 0.96),
            *days(LOAD, amp_seconds),
            *(0,) * 7,
            *days(LOAD, tenth_kwh),
            *(0,) * 7,
        ),
        4543: (
            SOLAR.counted(today, now, amp_seconds / 0.96),
            LOAD.counted(today, now, amp_seconds),
            SOLAR.counted(today, now, tenth_kwh),
            LOAD.counted(today, now, tenth_kwh),
            0,
            0,
            0,
            *double(SOLAR.counted(EPOCH, now, amp_seconds / 0.96)),
            *double(LOAD.counted(EPOCH, now, amp_seconds)),
            *double(SOLAR.counted(EPOCH, now, tenth_kwh)),
            *double(LOAD.counted(EPOCH, now, tenth_kwh)),
            0,
            0,
            int((now - today) // 60),
            0,
            0,
            0,
            0,
            0,
            int((now - EPOCH) // 3600) & 0xFFFF,
            0,
        ),
    }
    return flat(blocks)


def _clock(now: float) -> tuple[int, int, int]:
    """Return registers 4402-4404: year and month, day and hour, minute and second."""
    utc = time.gmtime(now)
    return (
        (utc.tm_year - 2000) << 8 | utc.tm_mon,
        utc.tm_mday << 8 | utc.tm_hour,
        utc.tm_min << 8 | utc.tm_sec,
    )


SRNE_UNIT: Final = 1


def srne_registers(now: float, unit: int = SRNE_UNIT, model: str = SERIAL) -> dict[int, int]:
    """Return the registers of a hybrid inverter that answers the maker's own map alone."""
    load, solar, battery = LOAD.at(now), SOLAR.at(now), BATTERY_VOLTAGE.at(now) * 4
    volts, heat = OUTPUT_VOLTAGE.at(now), round(TEMPERATURE.at(now) * 10)
    today = midnight(now)
    tenth_kwh = 360_000.0
    live = [0] * 18
    live[0], live[1], live[2] = round(SOC.at(now)), round(battery * 10), round(solar / battery * 10)
    live[7] = round(SOLAR_VOLTAGE.at(now) * 30)
    live[8], live[9] = round(solar / SOLAR_VOLTAGE.at(now) / 3 * 10), round(solar)
    live[11], live[14] = 2, round(solar * 0.96)
    return flat(
        {
            0x000A: (0x3050, 0x0004),
            0x001A: (unit,),
            0x0035: tuple(ord(character) for character in model.ljust(20)),
            0x0100: tuple(live),
            0x0204: (0, 0, 0, 0),
            0x0210: (5,),
            0x0212: (
                3800,
                0,
                0,
                0,
                round(volts * 10),
                round(load / volts * 10),
                6000,
                round(load / volts * 10),
                98,
                round(load),
                round(load * 1.08),
                0,
                0,
                round(load / 35),
            ),
            0x0220: (heat + 40, heat + 60),
            0xF02F: (
                SOLAR.counted(today, now, tenth_kwh),
                LOAD.counted(today, now, tenth_kwh),
                *(0,) * 7,
                *double(SOLAR.counted(EPOCH, now, tenth_kwh)),
                *double(LOAD.counted(EPOCH, now, tenth_kwh)),
            ),
        }
    )
