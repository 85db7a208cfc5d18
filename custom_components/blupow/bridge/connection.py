"""Keeps the WebSocket to one bridge, and hands what is pushed to its devices."""

import asyncio
from collections.abc import Callable
import logging
import random
import time
from typing import Any, Final, Protocol

import aiohttp

from homeassistant.core import callback
from homeassistant.util.json import json_loads

from ..lib.blupow_ble.bridge_messages import (
    BridgeInfo,
    DeviceReport,
    Malformed,
    MessageType,
    Push,
    parse_push,
)
from ..lib.blupow_ble.reader.messages import MALFORMED
from .client import BridgeClient, BridgeError, CannotConnect, InvalidToken, NewerBridge, check_info

_LOGGER = logging.getLogger(__name__)

HELLO_LIMIT: Final = 20.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
JITTER: Final = (0.8, 1.2)
TOKEN_CHANGED: Final = 4001
"""The code by which a bridge closes the connection of a client whose token is no longer good."""


class RemoteDevice(Protocol):
    """A device of the bridge, as it is set up here."""

    def reported(self, report: DeviceReport) -> None:
        """Take how a device is, after the connection was made."""

    def pushed(self, push: Push) -> None:
        """Take what has happened to it."""

    def bridge_lost(self) -> None:
        """Note that nothing is pushed any more."""

    def bridge_back(self) -> None:
        """Note that pushes go on where they were."""


class BridgeListener(Protocol):
    """What is done about what concerns the bridge as a whole."""

    def devices_listed(
        self, reports: tuple[DeviceReport, ...], not_understood: tuple[str, ...]
    ) -> None:
        """Take which devices the bridge has; others are there, but are not understood."""

    def bridge_found(self, info: BridgeInfo) -> None:
        """Take which bridge it is."""

    def token_refused(self) -> None:
        """Ask the user for the token that is good now."""

    def bridge_newer(self, err: NewerBridge | None) -> None:
        """Tell the user that the bridge is of a newer release; None: it is not."""


class BridgeConnection:
    """Connects to a bridge for good: pauses between tries grow, and begin anew with each connection."""

    def __init__(
        self,
        client: BridgeClient,
        *,
        bridge_id: str,
        name: str,
        listener: BridgeListener,
        start_task: Callable[..., asyncio.Task[None]],
    ) -> None:
        """Prepare to connect."""
        self.client: Final = client
        self.id: Final = bridge_id
        self.name: Final = name
        self.version: str | None = None
        self.devices: dict[str, RemoteDevice] = {}
        """By the id that the bridge has for each."""
        self.connected = False
        self.connections = 0
        """How often it was connected."""
        self.pushes = 0
        self.problem: str | None = None
        """Why it is not connected; None while it is, or before the first try."""
        self._listener = listener
        self._start_task = start_task
        self._instance = ""
        self._resume: tuple[str, int] | None = None
        self._running: asyncio.Task[None] | None = None
        self._retry = asyncio.Event()
        self._told_malformed = False
        self._fault: str | None = None
        """A fault of BluPow's own that was logged already."""

    @property
    def url(self) -> str:
        """Where people look at the bridge."""
        return str(self.client.address.url)

    @callback
    def start(self) -> None:
        """Begin to connect."""
        self._running = self._start_task(self._run(), f"{self.name} connection")

    async def stop(self) -> None:
        """Disconnect."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
            self._running = None

    @callback
    def retry(self) -> None:
        """Try now to connect, where a pause is under way."""
        self._retry.set()

    def report(self) -> dict[str, Any]:
        """Return how the connection is, for the diagnostics."""
        return {
            "version": self.version,
            "connected": self.connected,
            "connections": self.connections,
            "pushes": self.pushes,
            "requests": self.client.requests,
            "problem": self.problem,
        }

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            try:
                await self._connect_and_listen()
                self._note_lost("the bridge has closed the connection")
            except InvalidToken as err:
                self._note_lost(str(err))
                self._listener.token_refused()
                return  # the entry is set up anew with the new token
            except NewerBridge as err:
                self._note_lost(str(err))
                self._listener.bridge_newer(err)
            except BridgeError as err:
                self._note_lost(str(err))
            except Exception as err:
                # a fault of BluPow: it must not end all pushes for good
                if self._fault != (fault := repr(err)):
                    self._fault = fault
                    _LOGGER.exception("[push] %s: a fault of BluPow itself", self.name)
                self._note_lost(f"a fault of BluPow itself: {fault}")
            if time.monotonic() - started > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            self._retry.clear()
            try:
                async with asyncio.timeout(pause * random.uniform(*JITTER)):
                    await self._retry.wait()
            except TimeoutError:
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _connect_and_listen(self) -> None:
        """Connect, and take what comes until the connection ends. Raises BridgeError."""
        socket = await self.client.open_socket(self._resume)
        try:
            await self._greet(socket)
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
            if socket.close_code == TOKEN_CHANGED:
                raise InvalidToken("the bridge has another token now")
        finally:
            await socket.close()

    async def _greet(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take what the bridge says of itself. Raises BridgeError."""
        try:
            info = check_info(await socket.receive_json(timeout=HELLO_LIMIT))
        except (TimeoutError, TypeError, ValueError) as err:
            raise CannotConnect("the bridge does not say what it is") from err
        if info.id != self.id:
            raise CannotConnect("another bridge answers there")
        self._listener.bridge_newer(None)
        self._listener.bridge_found(info)
        if not info.resumed:
            self._resume = None
        self._instance = info.instance
        self.version = info.version
        self.connections += 1
        self.connected = True
        if self.problem is not None or self.connections == 1:
            self.problem = None
            _LOGGER.info("[push] %s: connected, readings are pushed", self.name)
        if info.resumed:
            for device in self.devices.values():
                device.bridge_back()

    @callback
    def _take(self, text: str) -> None:
        """Take one message; one that is not understood is left aside, and told once."""
        try:
            push = parse_push(json_loads(text))
        except (Malformed, *MALFORMED) as err:
            if not self._told_malformed:
                self._told_malformed = True
                _LOGGER.warning("[push] %s: a message is not understood: %s", self.name, err)
            return
        if self._resume is not None and push.sequence <= self._resume[1]:
            return
        self._resume = (self._instance, push.sequence)
        self.pushes += 1
        match push.type:
            case MessageType.SNAPSHOT | MessageType.DEVICES:
                for report in push.reports:
                    if (device := self.devices.get(report.device.id)) is not None:
                        device.reported(report)
                self._listener.devices_listed(push.reports, push.not_understood)
            case MessageType.OTHER:
                return
            case _:
                assert push.device_id is not None
                if (device := self.devices.get(push.device_id)) is not None:
                    device.pushed(push)

    def _note_lost(self, reason: str) -> None:
        """Log once that the connection is lost, and tell the devices."""
        news = self.connected or self.problem is None
        self.connected, self.problem = False, reason
        if not news:
            return
        _LOGGER.info("[push] %s: not connected, readings are polled: %s", self.name, reason)
        for device in self.devices.values():
            device.bridge_lost()
