"""ESPHome's native API without encryption: messages of aioesphomeapi, framed over a stream."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from aioesphomeapi import api_pb2
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO

api: Final[Any] = api_pb2
"""The messages; their classes are made as they are imported, which no type checker sees."""
type Message = Any

_NUMBERS: Final = {kind: number for number, kind in MESSAGE_TYPE_TO_PROTO.items()}
_PLAIN: Final = 0x00


def encode(message: Message) -> bytes:
    """Return a message as a frame: a zero, its length, its number, its bytes."""
    payload: bytes = message.SerializeToString()
    head = b"".join(_varint(number) for number in (len(payload), _NUMBERS[type(message)]))
    return bytes((_PLAIN,)) + head + payload


def _varint(number: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


async def _read_varint(stream: asyncio.StreamReader) -> int:
    number = shift = 0
    while True:
        (group,) = await stream.readexactly(1)
        number |= (group & 0x7F) << shift
        if not group & 0x80:
            return number
        shift += 7


async def read(stream: asyncio.StreamReader) -> Message:
    """Return the next message. Raises IncompleteReadError at the end, ValueError for no frame."""
    (kind,) = await stream.readexactly(1)
    if kind != _PLAIN:
        raise ValueError("the other side wants an encrypted connection")
    length = await _read_varint(stream)
    number = await _read_varint(stream)
    message = MESSAGE_TYPE_TO_PROTO[number]()
    message.ParseFromString(await stream.readexactly(length))
    return message


def as_number(address: str) -> int:
    """Return a Bluetooth address as the API has it."""
    return int(address.replace(":", ""), 16)


def uuid_halves(short: int) -> Iterator[int]:
    """Go through the halves of a 16-bit UUID's long form."""
    yield (short << 32) | 0x1000
    yield 0x800000805F9B34FB
