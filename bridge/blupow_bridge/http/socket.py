"""The WebSocket: what it is, all devices or what was missed, then each message as it comes."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web
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
    tasks = [
        asyncio.create_task(work, name=f"push {name}")
        for name, work in (
            ("in", _receive(socket)),
            ("out", _send(request, socket, hub, subscriber)),
            ("token", _check_token(request)),
        )
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.push.unsubscribe(subscriber)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    codes = [task.result() for task in tasks if not task.cancelled()]
    with suppress(ConnectionError, RuntimeError):  # the client is gone
        await socket.close(code=max(codes))
    return socket


async def _receive(socket: web.WebSocketResponse) -> int:
    """Answer what a client says, until it is gone; return the code to close with."""
    async for message in socket:
        if message.type is WSMsgType.TEXT and message.data == "ping":
            await socket.send_str("pong")
    return WSCloseCode.OK


async def _send(
    request: web.Request, socket: web.WebSocketResponse, hub: Hub, subscriber: Subscriber
) -> int:
    """Send what comes, until nothing more does or the client is too slow; return the code to close with."""
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
    try:
        for message in (*first, *(missed or ())):
            await _send_one(socket, encoded(message))
        while (following := await subscriber.queue.get()) is not None:
            if following.sequence > hello["sequence"]:  # the others are in the snapshot
                await _send_one(socket, following.text)
    except TimeoutError:
        return TOO_SLOW
    except ConnectionError, RuntimeError:
        return WSCloseCode.OK  # the client is gone
    return TOO_SLOW if subscriber.slow else WSCloseCode.GOING_AWAY


async def _send_one(socket: web.WebSocketResponse, text: str) -> None:
    async with asyncio.timeout(SEND_LIMIT):
        await socket.send_str(text)


async def _check_token(request: web.Request) -> int:
    """Wait until the token is no longer good, or the session closed; return the code to close with."""
    while request.app[TOKEN].allows(request):
        await asyncio.sleep(TOKEN_CHECK)
    return TOKEN_CHANGED
