"""A virtual REGO inverter charger."""

import math
import time
from typing import Final

from ..profiles.declaration import NO_VALUE
from .waves import DAY, EPOCH, Wave, captured, double, flat, low_first, midnight, signed, text

UNIT: Final = 32
MODEL: Final = "RIV1230RCH-SPS"
SERIAL: Final = "VIRTUAL00000000001"
VERSION: Final = "V1.0-virtual"

SETTINGS: Final = {
    4422: (600,),
    4430: (110,),
    4441: (2,),
    4452: (155,),
    4456: (300,),
}
"""What a REGO inverter is set to."""
RIV4835_MODEL: Final = "RIV4835CSH1S"
# as the owner of one has read them
RIV4835_SETTINGS: Final = {
    4422: (800,),
    4424: (0, 540, 540, 540, 508, 504, 496, 448, 428, 30, 0, 120, 0, 492),
    4439: (536, 5, 0, 6000, 0, 0),
    4447: (0,),
    0xE001: (800,),
    0xE205: (100,),
    0xE20D: (1, 1),
    0xE211: (1, 1),
}

LOAD: Final = Wave(420.0, 180.0, 251.0)
SOLAR: Final = Wave(310.0, 240.0, 907.0)
OUTPUT_VOLTAGE: Final = Wave(120.0, 1.2, 107.0)
SOLAR_VOLTAGE: Final = Wave(38.5, 2.0, 613.0)
BATTERY_VOLTAGE: Final = Wave(13.4, 0.3, 1901.0)
SOC: Final = Wave(72.0, 18.0, 7200.0)
TEMPERATURE: Final = Wave(31.0, 4.0, 3600.0)


def inverter_registers(now: float, unit_id: int = UNIT, model: str = MODEL) -> dict[int, int]:
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
        4100: (0, 0, 1, *(0,) * 6, unit_id, *(NO_VALUE,) * 2, *text(SERIAL, 9)),
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
    return flat(blocks | SETTINGS)


def riv4835_registers(
    now: float, unit_id: int = UNIT, model: str = RIV4835_MODEL
) -> dict[int, int]:
    """Return the registers of a RIV4835CSH1S: those of a REGO inverter, with a battery of 48 V."""
    registers = inverter_registers(now, unit_id, model)
    for register in SETTINGS:
        del registers[register]
    registers[4005] *= 4
    return registers | flat(RIV4835_SETTINGS)


def _clock(now: float) -> tuple[int, int, int]:
    """Return registers 4402-4404: year and month, day and hour, minute and second."""
    utc = time.gmtime(now)
    return (
        (utc.tm_year - 2000) << 8 | utc.tm_mon,
        utc.tm_mday << 8 | utc.tm_hour,
        utc.tm_min << 8 | utc.tm_sec,
    )


SRNE_UNIT: Final = 1
# a SMX-II that discharges without sun and mains, and its totals (log of 2023-02-10)
SRNE_LIVE: Final = captured(0x0100, "010318001b0107004800000000000000000000000000000000000102ae")
SRNE_COUNTERS: Final = captured(
    0xF02D,
    "01032200aa006c003a003300000000000011ce0000048d000002df00000cf80000000000003183",
)


def srne_registers(now: float, unit_id: int = SRNE_UNIT, model: str = SERIAL) -> dict[int, int]:
    """Return the registers of a hybrid inverter that answers the maker's own map alone."""
    load, solar, battery = LOAD.at(now), SOLAR.at(now), BATTERY_VOLTAGE.at(now) * 4
    volts, heat = OUTPUT_VOLTAGE.at(now), round(TEMPERATURE.at(now) * 10)
    today = midnight(now)
    amp_seconds, tenth_kwh = 4 * 3600.0 * BATTERY_VOLTAGE.mean, 360_000.0
    solar_volts = SOLAR_VOLTAGE.at(now) * 3
    moving = {
        0x000A: (0x3050, 0x0004),
        0x001A: (unit_id,),
        0x0035: tuple(ord(character) for character in model.ljust(20)),
        # the capture discharges with a positive current: what charges is negative
        0x0100: (round(SOC.at(now)), round(battery * 10), signed(-solar / battery * 10)),
        0x0107: (round(solar_volts * 10), round(solar / solar_volts * 10), round(solar)),
        0x010B: (2, 0, 0, round(solar * 0.96), 0, 0, 0),
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
        0xE001: (800,),
        0xE00F: (5, 60, 120, 120, 30),
        0xE01C: (20, 100, 15, 10, 100),
        0xE023: (240,),
        0xE026: (0,) * 14,
        0xE204: (2, 300),
        0xE20A: (600, 0, 0),
        0xE20F: (0,),
        0xF02D: (
            SOLAR.counted(today, now, amp_seconds),
            LOAD.counted(today, now, amp_seconds),
            SOLAR.counted(today, now, tenth_kwh),
            LOAD.counted(today, now, tenth_kwh),
            int((now - EPOCH) // DAY),
        ),
        0xF034: (
            *low_first(SOLAR.counted(EPOCH, now, amp_seconds)),
            *low_first(LOAD.counted(EPOCH, now, amp_seconds)),
            *low_first(SOLAR.counted(EPOCH, now, tenth_kwh)),
            *low_first(LOAD.counted(EPOCH, now, tenth_kwh)),
        ),
    }
    return SRNE_LIVE | SRNE_COUNTERS | flat(moving)
