"""Characteristics: reads, writes, notifications; behind the write characteristic answers the device."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from dbus_fast import Message, Variant

from . import gatt
from .devices import Devices
from .objects import CHARACTERISTIC, DEVICE, ObjectTree, bluez_error, failed

type Answer = tuple[str, list[Any]]

ROUND_TRIP: Final = 0.03
"""Seconds that a request over the air takes."""


class Characteristics:
    """All characteristics of the connected devices."""

    def __init__(
        self,
        tree: ObjectTree,
        devices: Devices,
        spawn: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
    ) -> None:
        """Start with nobody listening."""
        self._tree = tree
        self._devices = devices
        self._spawn = spawn
        self._listeners: dict[str, set[str]] = {}
        devices.link_ended = self._on_link_ended

    def _linked(self, path: str) -> str:
        """Return the device of a characteristic; raises NotConnected without a link."""
        device = gatt.device_of(path)
        if not self._tree.value(device, DEVICE, "Connected"):
            raise bluez_error("NotConnected", "Not Connected")
        return device

    async def read(self, message: Message) -> Answer:
        """GattCharacteristic1.ReadValue."""
        path = message.path or ""
        self._linked(path)
        await asyncio.sleep(ROUND_TRIP)
        return "ay", [gatt.characteristic_at(path).value]

    def read_descriptor(self, _: Message) -> Answer:
        """GattDescriptor1.ReadValue."""
        return "ay", [b"\0\0"]

    async def write(self, message: Message) -> Answer:
        """GattCharacteristic1.WriteValue: a Modbus request where it is the write characteristic."""
        path = message.path or ""
        device = self._linked(path)
        item = gatt.characteristic_at(path)
        kind = message.body[1]["type"].value if "type" in message.body[1] else "request"
        needed = "write" if kind == "request" else "write-without-response"
        if needed not in item.flags:
            raise bluez_error("NotSupported", "Operation is not supported")
        if kind == "request":
            await asyncio.sleep(ROUND_TRIP)
        if item == gatt.WRITE:
            replies = self._devices.peripheral(device).replies(bytes(message.body[0]))
            self._spawn(self._deliver(gatt.notify_path(device), replies))
        return "", []

    async def start_notify(self, message: Message) -> Answer:
        """GattCharacteristic1.StartNotify."""
        path = message.path or ""
        device = self._linked(path)
        if not gatt.characteristic_at(path).notifies:
            raise bluez_error("NotSupported", "Operation is not supported")
        await asyncio.sleep(ROUND_TRIP)
        self._linked(path)
        self._listeners.setdefault(path, set()).add(message.sender or "")
        self._tree.update(path, CHARACTERISTIC, {"Notifying": Variant("b", True)})
        if gatt.characteristic_at(path) == gatt.PUSH and len(self._listeners[path]) == 1:
            self._spawn(self._deliver(path, self._devices.peripheral(device).pushes()))
        return "", []

    def stop_notify(self, message: Message) -> Answer:
        """GattCharacteristic1.StopNotify."""
        path = message.path or ""
        self._linked(path)
        if message.sender not in self._listeners.get(path, set()):
            raise failed("No notify session started")
        self._forget_listener(path, message.sender)
        return "", []

    def client_gone(self, client: str) -> None:
        """End a dead client's notifications."""
        for path in list(self._listeners):
            self._forget_listener(path, client)

    def _forget_listener(self, path: str, client: str) -> None:
        listeners = self._listeners[path]
        listeners.discard(client)
        if not listeners:
            del self._listeners[path]
            self._tree.update(path, CHARACTERISTIC, {"Notifying": Variant("b", False)})

    def _on_link_ended(self, device: str) -> None:
        """Nobody listens to a device without a link."""
        for path in [path for path in self._listeners if path.startswith(f"{device}/")]:
            del self._listeners[path]
            self._tree.update(path, CHARACTERISTIC, {"Notifying": Variant("b", False)})

    async def _deliver(self, path: str, fragments: AsyncIterator[bytes]) -> None:
        """Have every listener hear what a device sends, as long as there is one."""
        async for fragment in fragments:
            if path not in self._listeners:
                return
            value = Variant("ay", fragment)
            self._tree.update(path, CHARACTERISTIC, {"Value": value}, repeat=True)
