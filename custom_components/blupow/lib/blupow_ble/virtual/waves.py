"""Values that move as those of a real device would, and the registers that hold them."""

from dataclasses import dataclass
import math
import struct
from typing import Final

from ..protocol.modbus import parse_reply

DAY: Final = 86_400.0
EPOCH: Final = 1_760_000_000.0
"""When the virtual devices were first switched on (October 2025); their totals count from there."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A value that swings around a mean; its integral is known, so that energy counters agree with it."""

    mean: float
    swing: float
    period: float

    def at(self, now: float) -> float:
        """Return the value at a time (seconds)."""
        return self.mean + self.swing * math.sin(math.tau * now / self.period)

    def integral(self, start: float, end: float) -> float:
        """Return the integral over time (value x seconds)."""
        step = self.swing * self.period / math.tau
        phase = math.tau / self.period
        return self.mean * (end - start) - step * (math.cos(phase * end) - math.cos(phase * start))

    def counted(self, start: float, end: float, per: float = 3600.0) -> int:
        """Return what a counter shows that counts one step for each `per` of the integral."""
        return int(self.integral(start, end) / per)


def midnight(now: float, days_ago: int = 0) -> float:
    """Return when a day began, by the device's clock."""
    return now - now % DAY - days_ago * DAY


def double(number: int) -> tuple[int, int]:
    """Split a 32-bit number, the high word first."""
    return number >> 16 & 0xFFFF, number & 0xFFFF


def text(characters: str, words: int) -> tuple[int, ...]:
    """Return text as registers."""
    padded = characters.encode("ascii").ljust(2 * words, b"\0")[: 2 * words]
    return struct.unpack(f">{words}H", padded)


def low_first(number: int) -> tuple[int, int]:
    """Split a 32-bit number, the low word first."""
    return number & 0xFFFF, number >> 16 & 0xFFFF


def captured(start: int, frame: str) -> dict[int, int]:
    """Return the registers of a captured reply to a read from `start` on."""
    return dict(enumerate(parse_reply(bytes.fromhex(frame)).words, start))


def signed(number: float) -> int:
    """Return a number as a register in two's complement."""
    return round(number) & 0xFFFF


def flat(blocks: dict[int, tuple[int, ...]]) -> dict[int, int]:
    """Return blocks (start -> words) as registers."""
    return {start + i: word for start, words in blocks.items() for i, word in enumerate(words)}
