"""A virtual Smart Shunt 300."""

import time
from typing import Final

from ..profiles.shunt import FRAME
from .waves import Wave

CURRENT: Final = Wave(-2.0, 9.0, 701.0)
VOLTAGE: Final = Wave(13.2, 0.2, 1301.0)
SOC: Final = Wave(74.0, 16.0, 7200.0)
TEMPERATURE: Final = Wave(21.0, 3.0, 3600.0)


def _decimal(*numbers: int) -> bytes:
    """Return numbers as binary coded decimals."""
    return bytes(number // 10 << 4 | number % 10 for number in numbers)


def shunt_frame(now: float) -> bytes:
    """Return the frame that a shunt sends at a time (seconds since 1970)."""
    utc = time.gmtime(now)
    current = round(CURRENT.at(now) * 1000)
    groups = (
        FRAME.header,
        bytes.fromhex("01001630"),
        b"\xa0" + _decimal(utc.tm_year % 100, utc.tm_mon, utc.tm_mday),
        b"\xa1" + _decimal(utc.tm_hour, utc.tm_min, utc.tm_sec),
        bytes.fromhex("a202137f"),
        b"\xa4" + current.to_bytes(3, signed=True),
        b"\xa6" + round(VOLTAGE.at(now) * 1000).to_bytes(3),
        b"\xa6\x10" + (12_700).to_bytes(2),
        b"\xa7\x00" + round(SOC.at(now) * 10).to_bytes(2),
        bytes.fromhex("a7100000a80bc6b0a9000001aa04e800f8010000"),
    )
    frame = bytearray(b"".join(groups).ljust(FRAME.size, b"\0"))
    frame[66:68] = round(TEMPERATURE.at(now) * 10).to_bytes(2)
    return bytes(frame)
