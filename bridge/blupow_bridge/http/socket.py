"""The WebSocket: what it is, all devices or what was missed, then each message as it comes."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from aiohttp import WSMsgType, web
from blupow_ble.bridge_messages import MessageType

from ..hub import Hub
from ..push import Subscriber, encoded
from .keys import HUB, TOKEN
from .status import identity

HEARTBEAT: Final = 20.0
"""Seconds between pings; a client that does not answer is gone."""
SEND_LIMIT: Final = 30.0
"""Seconds within which a client takes a message, or it is dropped."""
LARGEST_MESSAGE: Final = 4096
"""Bytes that a client may send at once: it has nothing to say."""
TOKEN_CHANGED: Final = 4001
TOO_SLOW: Final = 4002
"""Codes of closing, of those that are free for programs."""
TOKEN_CHECK: Final = 10.0


async def get_socket(request: web.Request) -> web.WebSocketResponse:
    """Serve one client. `instance` and `after` in the address: where it goes on."""
    hub = request.app[HUB]
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT, max_msg_size=LARGEST_MESSAGE, compress=False
    )
    await socket.prepare(request)
    subscriber = hub.push.subscribe()
    version = request.app[TOKEN].version
    sending = asyncio.create_task(_send(request, socket, hub, subscriber), name="push")
    checking = asyncio.create_task(_check_token(request, socket, version), name="push token")
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data == "ping":
                await socket.send_str("pong")
    finally:
        hub.push.unsubscribe(subscriber)
        for task in (sending, checking):
            task.cancel()
        await asyncio.wait((sending, checking))
    return socket


async def _send(
    request: web.Request, socket: web.WebSocketResponse, hub: Hub, subscriber: Subscriber
) -> None:
    """Send what comes, until the client is dropped or gone."""
    after = request.query.get("after", "")
    missed = None
    if after.isdecimal() and len(after) < 20:
        missed = hub.push.missed(request.query.get("instance", ""), int(after))
    hello: dict[str, Any] = {
        "type": MessageType.HELLO.value,
        **identity(hub),
        "instance": hub.push.instance,
        "sequence": hub.push.sequence,
        "resumed": missed is not None,
    }
    first = [hello]
    if missed is None:
        reports = [device.report for device in hub.devices.values()]
        first.append(
            {
                "type": MessageType.SNAPSHOT.value,
                "sequence": hub.push.sequence,
                "devices": reports,
            }
        )
    with suppress(ConnectionError, RuntimeError):  # the client is gone
        try:
            for message in (*first, *(missed or ())):
                await _send_one(socket, encoded(message))
            while (following := await subscriber.queue.get()) is not None:
                if following.sequence > hello["sequence"]:  # the others are in the snapshot
                    await _send_one(socket, following.text)
        except TimeoutError:
            subscriber.drop()
        slow = subscriber.dropped and subscriber not in hub.push.subscribers
        await socket.close(code=TOO_SLOW if slow else 1001)


async def _send_one(socket: web.WebSocketResponse, text: str) -> None:
    async with asyncio.timeout(SEND_LIMIT):
        await socket.send_str(text)


async def _check_token(request: web.Request, socket: web.WebSocketResponse, version: str) -> None:
    """Close the connection of a client whose token is no longer good."""
    while request.app[TOKEN].version == version:
        await asyncio.sleep(TOKEN_CHECK)
    with suppress(ConnectionError, RuntimeError):
        await socket.close(code=TOKEN_CHANGED)
