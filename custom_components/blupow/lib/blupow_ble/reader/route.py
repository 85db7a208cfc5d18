"""The route of a reading: by which reader and over which scanner a device is read, and why."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ..protocol.errors import ErrorCode, ReaderError, Stage
from .messages import VIRTUAL, Device

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice


class RouteKind(StrEnum):
    """By which reader a device is read."""

    ISOLATED = "isolated"
    """A child process that talks to BlueZ."""
    IN_PROCESS = "in_process"
    """The host's own Bluetooth, and with it its proxies."""
    BRIDGE = "bridge"
    """A BluPow bridge on another machine."""
    VIRTUAL = "virtual"
    """A child process with a virtual device in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The route of one reading, and why it was chosen."""

    kind: RouteKind
    reason: str
    device: Device
    source: str
    """The scanner; one connection at a time is made over it."""
    ble_device: BLEDevice | None = field(default=None, repr=False, compare=False)


class NoRoute(ReaderError):
    """A route turned out to be none before anything was sent over it: its scanner is full, or gone."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        """Set the stage: nothing was tried over the air."""
        super().__init__(code, message, stage=Stage.START)


def virtual_route() -> Route:
    """Return the route to the virtual device."""
    return Route(
        kind=RouteKind.VIRTUAL,
        reason="virtual device",
        device=Device(address=VIRTUAL, name=VIRTUAL),
        source="no radio",
    )
