"""Takes commands for devices: one at a time for each device, in their order, each answered."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
import logging
import time
from typing import Any, Final

import aiomqtt
from blupow_ble.reader.messages import Message

from ..device import BridgeDevice
from .commands import (
    UNKNOWN,
    Received,
    ReconnectCommand,
    Refused,
    SetCommand,
    carry_out,
    check_age,
    failure,
    parse,
)
from .topics import SET

_LOGGER = logging.getLogger(__name__)

MOST_COMMANDS: Final = 20
"""Commands for one device that may wait for their turn."""
LAST_COMMANDS: Final = 30.0
"""Seconds in which commands that are under way may come to their end."""

type Devices = Callable[[], Mapping[str, BridgeDevice]]
type Answer = Callable[[str, aiomqtt.Message, Message], None]


class CommandQueue:
    """Carries out the commands for the devices of a bridge."""

    def __init__(
        self, devices: Devices, *, answer: Answer, changed: Callable[[BridgeDevice], None]
    ) -> None:
        """Prepare; `answer` tells what came of a command, `changed` of a device that it was for."""
        self.closing = False
        self.waiting: Final[Counter[str]] = Counter()
        """Commands that are carried out, or wait for it, by device."""
        self._devices = devices
        self._answer = answer
        self._changed = changed
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, device_id: str, command: str, message: aiomqtt.Message) -> None:
        """Check a command; carry it out after those that wait for the same device."""
        received = Received(
            command=command,
            payload=bytes_of(message.payload),
            retained=message.retain,
            now=time.time(),
        )
        if not received.payload and (received.retained or command == SET):
            return  # a retained command is taken back
        try:
            found = self._checked(device_id, received)
        except Refused as err:
            _LOGGER.info("[mqtt] a command for %s is not carried out: %s", device_id, err.message)
            self._answer(device_id, message, failure(None, err.code, err.message))
            return
        self.waiting[device_id] += 1

        async def do() -> None:
            try:
                said = await self._done(device_id, found, received.now)
            finally:
                self.waiting[device_id] -= 1
            self._answer(device_id, message, said)

        task = asyncio.create_task(do(), name=f"mqtt command for {device_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Take no more; those that are under way come to their end, or are cut off after a while."""
        self.closing = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_COMMANDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _checked(self, device_id: str, received: Received) -> SetCommand | ReconnectCommand:
        """Return what is asked for. Raises Refused."""
        if self.closing:
            raise Refused("busy", "the bridge is stopping, or takes over a configuration")
        if device_id not in self._devices():
            raise Refused("no_such_device", "the bridge has no such device")
        if self.waiting[device_id] >= MOST_COMMANDS:
            raise Refused("busy", f"{MOST_COMMANDS} commands wait for the device already")
        return parse(received)

    async def _done(
        self, device_id: str, command: SetCommand | ReconnectCommand, received_at: float
    ) -> Message:
        """Carry out a command when it is its turn; return the answer."""
        try:
            async with self._locks.setdefault(device_id, asyncio.Lock()):
                check_age(command, received_at, time.time())
                if (device := self._devices().get(device_id)) is None:
                    return failure(command.id, "no_such_device", "the device was removed")
                said = await carry_out(device, command)
                self._changed(device)
                return said
        except Refused as err:
            return failure(command.id, err.code, err.message)
        except Exception as err:
            # a fault of the bridge: whoever gave the command must hear of it
            _LOGGER.exception("[mqtt] a fault of the bridge itself")
            text = f"a fault of the bridge itself: {err!r}"
            return failure(command.id, "fault", text, result=UNKNOWN)


def bytes_of(payload: Any) -> bytes:
    """Return what a message holds."""
    return payload if isinstance(payload, bytes) else str(payload).encode()
