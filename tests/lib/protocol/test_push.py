"""Frames that a device sends by itself: which is taken, and what a captured one must look like."""

import struct

import pytest

from custom_components.blupow.lib.blupow_ble.profiles.shunt import FRAME
from custom_components.blupow.lib.blupow_ble.protocol.modbus import FrameError
from custom_components.blupow.lib.blupow_ble.protocol.push import (
    FrameCollector,
    is_frame,
    parse_push,
)
from custom_components.blupow.lib.blupow_ble.virtual.shunt import shunt_frame

from ...helpers.devices import NOW

FIRST, SECOND = shunt_frame(NOW), shunt_frame(NOW + 600)


def words(data: bytes) -> tuple[int, ...]:
    """Return the words of a frame."""
    return struct.unpack(f">{len(data) // 2}H", data)


def test_first_of_several() -> None:
    """Two at once: the first one counts."""
    assert FIRST != SECOND
    assert FrameCollector(FRAME).feed(FIRST + SECOND) == words(FIRST)


def test_first_whole_one_after_a_broken_one() -> None:
    """The broken one is passed over, and no further one is."""
    assert FrameCollector(FRAME).feed(FIRST[:60] + FIRST + SECOND) == words(FIRST)


@pytest.mark.parametrize("size", [4, 8, 9, 10, 12, 13, 21, 60, 109, 110])
def test_part_of_a_captured_frame(size: int) -> None:
    """As far as it goes; half a word is left out."""
    data = FIRST[:size]
    assert is_frame(FRAME, data)
    assert parse_push(FRAME, data) == words(data[: size // 2 * 2])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x43" + FIRST[1:], "not the header and the tags"),
        (FIRST[:8] + b"\0" + FIRST[9:], "not the header and the tags"),
        (FIRST[:3], "not the header and the tags"),
        (b"", "not the header and the tags"),
        (FIRST + b"\0", "111 bytes; a frame has 110"),
    ],
)
def test_what_is_no_frame(data: bytes, text: str) -> None:
    """Each header, each tag, and the length must fit."""
    with pytest.raises(FrameError, match=text):
        parse_push(FRAME, data)
