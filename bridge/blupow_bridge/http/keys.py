"""What the handlers find in the application."""

from typing import Final

from aiohttp import web

from ..device import BridgeDevice
from ..hub import Hub
from .auth import Token
from .limits import ApiError

HUB: Final = web.AppKey("hub", Hub)
TOKEN: Final = web.AppKey("token", Token)


def device_of(request: web.Request) -> BridgeDevice:
    """Return the device that an address names. Raises ApiError(404)."""
    device_id = request.match_info["device"]
    if (device := request.app[HUB].devices.get(device_id)) is None:
        raise ApiError(404, "no_such_device", f"there is no device {device_id[:64]!r}")
    return device
