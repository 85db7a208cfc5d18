"""Characteristics: reads, writes, notifications; behind the write characteristic answers the device."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from dbus_fast import Message, Variant

from . import gatt
from .devices import Devices
from .objects import CHARACTERISTIC, DEVICE, ObjectTree, bluez_error, failed

type Answer = tuple[str, list[Any]]

ROUND_TRIP: Final = 0.03
"""Seconds that a request over the air takes."""
PUSH_FRAGMENT: Final = 55
"""A shunt's frame arrives in two halves (captured)."""


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
            self._spawn(self._reply(device, bytes(message.body[0])))
        return "", []

    async def start_notify(self, message: Message) -> Answer:
        """GattCharacteristic1.StartNotify."""
        path = message.path or ""
        self._linked(path)
        if not gatt.characteristic_at(path).notifies:
            raise bluez_error("NotSupported", "Operation is not supported")
        await asyncio.sleep(ROUND_TRIP)
        self._linked(path)
        self._listeners.setdefault(path, set()).add(message.sender or "")
        self._tree.update(path, CHARACTERISTIC, {"Notifying": Variant("b", True)})
        if gatt.characteristic_at(path) == gatt.PUSH and len(self._listeners[path]) == 1:
            self._spawn(self._push(path))
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

    async def _reply(self, device: str, request: bytes) -> None:
        """Have the device answer, in fragments that every listener hears."""
        peripheral = self._devices.peripheral(device)
        links = peripheral.counts["links"]
        answer = peripheral.answer(request)
        if answer is None:
            return
        reply, delay = answer
        await asyncio.sleep(delay)
        path = gatt.notify_path(device)
        await self._deliver(path, links, reply, peripheral.radio.fragment)

    async def _push(self, path: str) -> None:
        """Have a shunt send its frames as long as somebody listens."""
        peripheral = self._devices.peripheral(gatt.device_of(path))
        links = peripheral.counts["links"]
        while path in self._listeners and peripheral.counts["links"] == links:
            frame = peripheral.pushed()
            if frame is not None:
                await self._deliver(path, links, frame, PUSH_FRAGMENT)
            await asyncio.sleep(peripheral.radio.push_interval)

    async def _deliver(self, path: str, links: int, data: bytes, size: int) -> None:
        """Send data over a link in fragments."""
        peripheral = self._devices.peripheral(gatt.device_of(path))
        for start in range(0, len(data), size):
            if start:
                await asyncio.sleep(peripheral.radio.fragment_gap)
            if path not in self._listeners or peripheral.counts["links"] != links:
                return
            fragment = Variant("ay", data[start : start + size])
            self._tree.update(path, CHARACTERISTIC, {"Value": fragment}, repeat=True)
