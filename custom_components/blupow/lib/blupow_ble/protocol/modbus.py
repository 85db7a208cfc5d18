"""Modbus RTU frames as Renogy devices speak them: build, collect from fragments, check, decode.

Sources: the vendor's register documents (ROVER 3.x, inverter V1.8, BMS V1.7) and captured frames.
Words are big-endian; the CRC is CRC-16/MODBUS (polynomial 0xA001, start 0xFFFF), low byte first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
import struct
from typing import Final

READ_REGISTERS: Final = 0x03
WRITE_REGISTER: Final = 0x06
WRITE_REGISTERS: Final = 0x10
WRITE_FUNCTIONS: Final = frozenset({WRITE_REGISTER, WRITE_REGISTERS})
EXCEPTION_FLAG: Final = 0x80
BROADCAST_UNIT: Final = 255
MAX_WORDS: Final = 125
BUSY_EXCEPTIONS: Final = frozenset({5, 6})

# inverter V1.8 and ROVER for 1-5; SRNE V1.7 for the others
EXCEPTION_TEXT: Final = {
    1: "function not supported",
    2: "no such register, or the range is too long",
    3: "value or length not allowed",
    4: "the device could not carry it out",
    5: "the device is busy or found a bad checksum",
    6: "the device is busy or found a bad frame",
    7: "register is read-only",
    8: "cannot be changed while running",
    9: "protected by a password",
    10: "too many registers at once",
    11: "no permission",
}

_READ_HEADER: Final = 3
_CRC_SIZE: Final = 2
_EXCEPTION_SIZE: Final = 5
_WRITE_SIZE: Final = 8
COUNTED_FUNCTIONS: Final = frozenset({1, 2, 3, 4})
"""Functions whose replies begin with their byte count."""
LONGEST_REPLY: Final = _READ_HEADER + 2 * MAX_WORDS + _CRC_SIZE


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def crc16(data: Iterable[int]) -> int:
    """Return the CRC-16/MODBUS of data."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def seal(body: bytes) -> bytes:
    """Return body with its CRC appended, low byte first."""
    return body + struct.pack("<H", crc16(body))


def is_sealed(frame: bytes) -> bool:
    """Whether the last two bytes are the CRC of those before."""
    return len(frame) > _CRC_SIZE and struct.unpack("<H", frame[-_CRC_SIZE:])[0] == crc16(
        frame[:-_CRC_SIZE]
    )


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request for `words` registers (16 bits each) from `start` of the device `unit`."""

    unit_id: int
    start: int
    words: int

    def __post_init__(self) -> None:
        """Refuse what the protocol cannot express; raises ValueError."""
        if not 1 <= self.unit_id <= BROADCAST_UNIT:
            raise ValueError(f"unit {self.unit_id} is not within 1-255")
        if not 1 <= self.words <= MAX_WORDS or not 0 <= self.start <= 0x10000 - self.words:
            raise ValueError(f"{self.words} registers from {self.start} cannot be read at once")

    @property
    def function(self) -> int:
        """The function code."""
        return READ_REGISTERS

    def encode(self) -> bytes:
        """Return the frame to send: unit 03 start count CRC."""
        return seal(struct.pack(">BBHH", self.unit_id, READ_REGISTERS, self.start, self.words))

    def reply_size(self, function: int, count: int) -> int | None:
        """Return the size of a reply by its function and its byte count; None if it is none to this."""
        if function == READ_REGISTERS and count == 2 * self.words:
            return _READ_HEADER + 2 * self.words + _CRC_SIZE
        return None


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A request to set one register (function 6) or several (function 16).

    Its echo is no proof, only a read back is. Function 16 is known to work with controllers and SRNE
    hybrids alone (owners' write tests).
    """

    unit_id: int
    start: int
    words: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse what the protocol cannot express; raises ValueError."""
        if not 1 <= self.unit_id <= BROADCAST_UNIT:
            raise ValueError(f"unit {self.unit_id} is not within 1-255")
        if not 1 <= len(self.words) <= MAX_WORDS or not 0 <= self.start <= 0x10000 - len(
            self.words
        ):
            raise ValueError(f"{len(self.words)} registers from {self.start} cannot be written")
        if not all(0 <= word <= 0xFFFF for word in self.words):
            raise ValueError(f"{self.words} cannot be written to register {self.start}")

    @property
    def function(self) -> int:
        """The function code."""
        return WRITE_REGISTER if len(self.words) == 1 else WRITE_REGISTERS

    def encode(self) -> bytes:
        """Return the frame to send: unit 06 register value CRC, or unit 10 start count bytes values CRC."""
        if len(self.words) == 1:
            return seal(
                struct.pack(">BBHH", self.unit_id, WRITE_REGISTER, self.start, self.words[0])
            )
        count = len(self.words)
        return seal(
            struct.pack(
                f">BBHHB{count}H",
                self.unit_id,
                WRITE_REGISTERS,
                self.start,
                count,
                2 * count,
                *self.words,
            )
        )

    def reply_size(self, function: int, count: int) -> int | None:
        """Return the size of the echo. Real devices echo another register (ROVER 3.17): not compared."""
        return _WRITE_SIZE if function == self.function else None


type Request = ReadRequest | WriteRequest


@dataclass(frozen=True, slots=True)
class Reply:
    """A checked reply: the registers of a read (empty for a write's echo), or an exception code."""

    unit_id: int
    words: tuple[int, ...] = ()
    exception: int | None = None


class Flaw(StrEnum):
    """Why bytes that arrived did not make a reply."""

    NOTHING = "nothing"
    DAMAGED = "damaged"
    ANOTHER = "another"
    """Whole frames, of which none is the reply."""
    WRONG_UNIT = "wrong_unit"


PATIENCE: Final = 4
"""A request is given up when more bytes have arrived than so many of the longest replies have."""


class ReplyCollector:
    """Collects notification fragments until they hold the reply to one request.

    Bytes before the reply (a late reply, noise) are passed over: the buffer is searched for a header
    that fits the request and whose CRC holds. Unit, function, byte count and CRC must all match.
    Each offset is looked at once, and what a request may receive is bounded.
    """

    def __init__(self, request: Request) -> None:
        """Start empty."""
        self._request = request
        self._buffer = bytearray()
        self._offset = 0
        """What is before it begins no reply."""
        self.other_unit_id: int | None = None
        self.reply: bytes | None = None
        """The frame that holds the reply, once it is complete."""

    @property
    def flooded(self) -> bool:
        """Whether more has arrived than any reply could need."""
        return len(self._buffer) > PATIENCE * LONGEST_REPLY

    def feed(self, fragment: bytes) -> Reply | None:
        """Add a fragment; return the reply once it is complete."""
        self._buffer += fragment
        buffer = self._buffer
        while self._offset <= len(buffer) - _EXCEPTION_SIZE:
            offset = self._offset
            if (size := self._reply_size(offset)) is None:
                self._offset += 1
                continue
            if offset + size > len(buffer):
                return None
            frame = bytes(buffer[offset : offset + size])
            if not is_sealed(frame):
                self._offset += 1
            elif frame[0] != self._request.unit_id:
                self.other_unit_id = frame[0]
                self._offset += size
            else:
                self._offset += size
                self.reply = frame
                return _decode(frame)
        return None

    def _reply_size(self, offset: int) -> int | None:
        """Return the size of the reply that may begin at an offset; None if none does."""
        function = self._buffer[offset + 1]
        if function == self._request.function | EXCEPTION_FLAG:
            return _EXCEPTION_SIZE
        return self._request.reply_size(function, self._buffer[offset + 2])

    def strays(self) -> list[bytes]:
        """Return the whole frames that arrived beside the reply."""
        return [frame for frame in whole_frames(self._buffer) if frame != self.reply]

    @property
    def flaw(self) -> Flaw:
        """What was wrong with the bytes so far, for the error message when the time is up."""
        if self.other_unit_id is not None:
            return Flaw.WRONG_UNIT
        if not self._buffer:
            return Flaw.NOTHING
        return Flaw.ANOTHER if whole_frames(self._buffer) else Flaw.DAMAGED


def whole_frames(data: bytes | bytearray) -> list[bytes]:
    """Return the whole frames of replies in data: sealed, whatever was asked for."""
    frames, offset = [], 0
    while offset <= len(data) - _EXCEPTION_SIZE:
        size = _any_size(data[offset + 1], data[offset + 2])
        frame = bytes(data[offset : offset + size])
        if len(frame) == size and is_sealed(frame):
            frames.append(frame)
            offset += size
        else:
            offset += 1
    return frames


def _any_size(function: int, count: int) -> int:
    """Return the size of a frame by its function and its third byte."""
    if function & EXCEPTION_FLAG:
        return _EXCEPTION_SIZE
    if function in COUNTED_FUNCTIONS:
        return _READ_HEADER + count + _CRC_SIZE
    return _WRITE_SIZE


def _decode(frame: bytes) -> Reply:
    """Decode a sealed frame of a known shape."""
    if frame[1] & EXCEPTION_FLAG:
        return Reply(frame[0], exception=frame[2])
    if frame[1] in WRITE_FUNCTIONS:
        return Reply(frame[0])
    data = frame[_READ_HEADER:-_CRC_SIZE]
    return Reply(frame[0], struct.unpack(f">{len(data) // 2}H", data))


class FrameError(ValueError):
    """A captured frame that is not a valid reply."""


def parse_reply(frame: bytes) -> Reply:
    """Decode one whole captured reply to a read, whatever the request was.

    Raises FrameError with the reason: too short, wrong length, bad checksum, not a reply to a read.
    """
    if len(frame) < _EXCEPTION_SIZE:
        raise FrameError(f"only {len(frame)} bytes; the shortest reply has {_EXCEPTION_SIZE}")
    if frame[1] == READ_REGISTERS | EXCEPTION_FLAG:
        size = _EXCEPTION_SIZE
    elif frame[1] == READ_REGISTERS:
        if frame[2] % 2 or not frame[2]:
            raise FrameError(f"byte count {frame[2]} is not that of whole registers")
        size = _READ_HEADER + frame[2] + _CRC_SIZE
    else:
        raise FrameError(f"function {frame[1]:#04x} is not the reply to a read")
    if len(frame) != size:
        raise FrameError(f"{len(frame)} bytes, but the header announces {size}")
    if not is_sealed(frame):
        expected = struct.pack("<H", crc16(frame[:-_CRC_SIZE])).hex()
        raise FrameError(f"checksum is {frame[-_CRC_SIZE:].hex()}, should be {expected}")
    return _decode(frame)
