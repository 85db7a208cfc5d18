"""Virtual devices that misbehave, and the link to one: real sessions and readings run on them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import override

from bleak.backends.characteristic import BleakGATTCharacteristic

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.protocol.modbus import ReadRequest, seal
from custom_components.blupow.lib.blupow_ble.virtual.device import Module, VirtualDevice
from custom_components.blupow.lib.blupow_ble.virtual.link import VirtualLink

NOW = 1_795_000_000.0


@dataclass(slots=True)
class Misbehaving(VirtualDevice):
    """A device whose replies are changed: `twist` gets the request's first register and the reply."""

    clock: Callable[[], float] = lambda: NOW
    twist: Callable[[int, bytes], bytes | None] = lambda _, reply: reply
    asked: list[int] = field(default_factory=list)

    @override
    def answer(self, request: bytes) -> bytes | None:
        start = int.from_bytes(request[2:4], "big")
        self.asked.append(start)
        reply = VirtualDevice.answer(self, request)
        return None if reply is None else self.twist(start, reply)


class TestLink(VirtualLink):
    """A link that can refuse, fail under a write, or drop."""

    __test__ = False

    def __init__(self, device: Module) -> None:
        """Prepare a link without faults."""
        super().__init__(device)
        self.refusals: list[ErrorCode] = []
        self.drop_at: int | None = None
        self.drops = -1
        """How often it drops there; negative is always."""
        self.write_error: Exception | None = None
        self.notify_error: Exception | None = None

    @override
    async def connect(self) -> TestLink:
        await super().connect()
        if self.refusals:
            raise ReaderError(self.refusals.pop(0), "refused", stage=Stage.CONNECT)
        return self

    @override
    async def start_notify(
        self,
        char_specifier: BleakGATTCharacteristic,
        callback: Callable[[BleakGATTCharacteristic, bytearray], None],
    ) -> None:
        if self.notify_error:
            raise self.notify_error
        await super().start_notify(char_specifier, callback)

    @override
    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        if self.write_error:
            raise self.write_error
        if self.drop_at == int.from_bytes(data[2:4], "big") and self.drops:
            self.drops -= 1
            asyncio.get_running_loop().call_soon(self.disconnected.set)
            return
        await super().write_gatt_char(char_specifier, data, response)


def silence(*starts: int) -> Callable[[int, bytes], bytes | None]:
    """Return a twist that leaves reads of these registers unanswered."""
    return lambda start, reply: None if start in starts else reply


def times(
    count: int, twist: Callable[[int, bytes], bytes | None]
) -> Callable[[int, bytes], bytes | None]:
    """Return a twist that strikes so many times, and then no more."""
    left = count

    def limited(start: int, reply: bytes) -> bytes | None:
        nonlocal left
        left -= 1
        return twist(start, reply) if left >= 0 else reply

    return limited


def exception(code: int) -> Callable[[int, bytes], bytes | None]:
    """Return a twist that answers with a Modbus exception."""
    return lambda _, reply: seal(bytes((reply[0], 0x83, code)))


LIVE = ReadRequest(32, 4000, 10)
