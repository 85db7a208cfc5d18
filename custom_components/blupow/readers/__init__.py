"""Where a reading comes from. Each reader has the same small face: read, stop."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bleak.backends.device import BLEDevice

from ..lib.blupow_ble.messages import Device
from ..lib.blupow_ble.profiles.declaration import Model, Profile, Span
from ..lib.blupow_ble.result import Reading


class PathKind(StrEnum):
    """The ways to a device."""

    ISOLATED = "isolated"
    """A child process that talks to BlueZ."""
    IN_PROCESS = "in_process"
    """Home Assistant's own Bluetooth, and with it its proxies."""
    VIRTUAL = "virtual"
    """A child process with a virtual device in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The way that one reading takes, and why."""

    kind: PathKind
    reason: str
    device: Device
    source: str
    """The adapter or proxy; one connection at a time is made over it."""
    ble_device: BLEDevice | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """What one reading is to bring, and how long it may take."""

    profile: Profile
    model: Model | None
    unit: int | None
    blocks: tuple[str, ...]
    connect_timeout: float
    span: Span | None = None
    """Registers asked for by number, instead of the blocks."""
    fresh_services: bool = False
    """In-process, nothing that was remembered of the device's services is used.

    A process of its own remembers none; BlueZ forgets its own memory with the device.
    """


class Reader(Protocol):
    """Takes readings over one kind of path."""

    async def read(self, path: Path, plan: ReadPlan) -> Reading:
        """Take one reading. Raises ReaderError."""

    async def stop(self) -> None:
        """End what is under way, and leave neither a process nor a link."""
