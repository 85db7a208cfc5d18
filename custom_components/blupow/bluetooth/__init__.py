"""Where a reading comes from. Each reader has the same small face: read, find, stop."""

from dataclasses import dataclass, field
from typing import Protocol

from bleak.backends.device import BLEDevice

from ..const import RouteKind
from ..lib.blupow_ble.profiles.declaration import Span
from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from ..lib.blupow_ble.reader.messages import Device
from ..lib.blupow_ble.reader.plan import UnitPlan
from ..lib.blupow_ble.reader.result import Finding, Reading
from ..lib.blupow_ble.reader.timeouts import PROBE_BUDGET, read_budget, within_deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The way that one reading takes, and why."""

    kind: RouteKind
    reason: str
    device: Device
    source: str
    """The adapter or proxy; one connection at a time is made over it."""
    ble_device: BLEDevice | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """What one reading is to bring, and how long it may take."""

    units: tuple[UnitPlan, ...]
    connect_timeout: float
    spans: tuple[Span, ...] = ()
    """Registers of the first unit asked for by number, instead of the blocks."""
    look_at: int | None = None
    """A unit address that is asked at the end, whether another unit is there."""
    bypass_service_cache: bool = False
    """In-process, nothing that was remembered of the device's services is used.

    A process of its own remembers none; BlueZ forgets its own memory with the device.
    """

    @property
    def budget(self) -> float:
        """How long it may take once the device is connected."""
        pushed = self.units[0].profile.push is not None
        return within_deadline(read_budget(len(self.units), pushed=pushed), self.connect_timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPlan:
    """Which units are to be found behind a module."""

    connect_timeout: float
    everything: bool = False
    """Find all units, not the likeliest one alone."""
    addresses: tuple[int, ...] = ()
    """Unit addresses that are asked first, beside the likely ones."""

    @property
    def budget(self) -> float:
        """How long it may take once the device is connected."""
        return within_deadline(PROBE_BUDGET, self.connect_timeout)


class NoRoute(ReaderError):
    """A way turned out to be none before anything was tried over it: it is full, or gone."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        """Keep what it is."""
        super().__init__(code, message, stage=Stage.START)


class Reader(Protocol):
    """Takes readings over one kind of path."""

    async def read(self, path: Path, plan: ReadPlan) -> tuple[Path, Reading]:
        """Take one reading; return it with the way it really took. Raises ReaderError."""

    async def find(self, path: Path, plan: FindPlan) -> list[Finding]:
        """Find units; nothing but reads is sent. Raises ReaderError."""

    async def stop(self) -> None:
        """End what is under way, and leave neither a process nor a link."""
