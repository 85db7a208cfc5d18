"""How the connection to the broker is, and was; and a way to begin it anew."""

from aiohttp import web

from ..mqtt import asyncapi
from ..mqtt.publisher import Publisher
from .keys import HUB
from .limits import ApiError


async def get_mqtt(request: web.Request) -> web.Response:
    """Return how the connection to the broker is, its last events, and why it has ended before."""
    return web.json_response(_publisher(request).report)


async def get_asyncapi(request: web.Request) -> web.Response:
    """Return the document that describes the topics and messages of this bridge."""
    return web.json_response(asyncapi.document(_publisher(request).topics))


async def post_reset_reconnect(request: web.Request) -> web.Response:
    """Connect to the broker now, with a new client and credentials that are read again."""
    publisher = _publisher(request)
    publisher.connection.reset()
    return web.json_response(
        {"broker": publisher.connection.name, "connected": publisher.connection.connected}
    )


def _publisher(request: web.Request) -> Publisher:
    """Return what publishes to the broker. Raises ApiError(404)."""
    if (publisher := request.app[HUB].mqtt) is None:
        raise ApiError(404, "no_mqtt", "the configuration names no broker: it has no [mqtt]")
    return publisher
