"""Frames that a device sends by itself, and what distinguishes a whole one from a broken one."""

from collections.abc import Mapping
from dataclasses import dataclass
import struct
from typing import Final

from .modbus import FrameError

KEPT_FRAMES: Final = 4
"""What is older than so many frames can no longer become one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFrame:
    """What a device sends by itself, without being asked. Registers are the 16-bit words of the frame."""

    service: str
    notify: str
    header: bytes
    size: int
    stem: bytes
    """How all headers of the device begin: none of them stands within a whole frame."""
    tags: Mapping[int, bytes]
    """Bytes that every frame holds, by their offset: it has no checksum."""


class FrameCollector:
    """Collects notifications until they hold a whole frame; others, and broken ones, are passed over."""

    def __init__(self, frame: PushFrame) -> None:
        """Start empty."""
        self._frame = frame
        self._buffer = bytearray()

    @property
    def heard(self) -> bool:
        """Whether anything has arrived."""
        return bool(self._buffer)

    def feed(self, fragment: bytes) -> tuple[int, ...] | None:
        """Add a notification; return the words of a frame once it is complete."""
        self._buffer += fragment
        header, size = self._frame.header, self._frame.size
        start = self._buffer.find(header)
        while start >= 0:
            fragment = bytes(self._buffer[start : start + size])
            cut = self._frame.stem in fragment[1:]
            if not cut and len(fragment) == size and is_frame(self._frame, fragment):
                return struct.unpack(f">{size // 2}H", fragment)
            start = self._buffer.find(header, start + 1)
        del self._buffer[: -KEPT_FRAMES * size]
        return None


def is_frame(frame: PushFrame, data: bytes) -> bool:
    """Whether data begins as a frame does and holds its tags, as far as it goes."""
    return data.startswith(frame.header) and all(
        data[offset : offset + len(tag)] == tag[: max(len(data) - offset, 0)]
        for offset, tag in frame.tags.items()
    )


def parse_push(frame: PushFrame, data: bytes) -> tuple[int, ...]:
    """Return the words of a captured frame, or of what there is of one. Raises FrameError."""
    if not is_frame(frame, data) or len(data) < len(frame.header):
        raise FrameError("these are not the header and the tags of a frame")
    if len(data) > frame.size:
        raise FrameError(f"{len(data)} bytes; a frame has {frame.size}")
    return struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])
