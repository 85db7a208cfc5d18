"""A simulated Bluetooth device: a BT-2 module or a built-in one, with a virtual Renogy device behind it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
import random
import struct
from typing import Final

from blupow_ble.protocol.modbus import EXCEPTION_FLAG, seal
from blupow_ble.virtual.device import Module
from dbus_fast import Variant

from . import gatt
from .faults import FaultName, Faults

_FLAGS: Final = 0x01
_SERVICES: Final = 0x03
_NAME: Final = 0x09
_MANUFACTURER: Final = 0xFF

_OTHER_UNIT: Final = 0x55


@dataclass(slots=True)
class Radio:
    """How a device advertises and connects. Times are seconds."""

    rssi: dict[str, int]
    """Signal strength by adapter or proxy; one that is not listed does not hear it."""
    jitter: int = 12
    """More than the 8 dB below which BlueZ does not signal a change."""
    interval: float = 1.0
    connect_time: float = 0.15
    resolve_time: float = 0.25
    disconnect_time: float = 0.05
    reply_time: float = 0.06
    fragment_gap: float = 0.012
    fragment: int = 20
    """Bytes in a notification."""
    push_interval: float = 1.0
    """Of a device that sends by itself."""


@dataclass(slots=True)
class Peripheral:
    """A simulated device; several adapters and proxies may hear it, one can be connected to it."""

    address: str
    name: str
    device: Module
    radio: Radio
    faults: Faults = field(default_factory=Faults)
    connected_path: str | None = None
    """In BlueZ; over a proxy its name and the address."""
    counts: Counter[str] = field(default_factory=Counter)

    def reachable_by(self, adapter: str) -> bool:
        """Whether a connect would go through."""
        return not self.connected_path and not self.faults.has(
            FaultName.OUT_OF_RANGE, FaultName.HELD, FaultName.DEAF, adapter=adapter
        )

    @property
    def advertising(self) -> bool:
        """Whether it advertises: a connected module does not."""
        return not self.connected_path and not self.faults.has(
            FaultName.OUT_OF_RANGE, FaultName.HELD
        )

    @property
    def table(self) -> gatt.Table:
        """Its services."""
        return gatt.SHUNT if self.device.pushes else gatt.MODULE

    @property
    def _service(self) -> int:
        """The service that it advertises."""
        return 0xC011 if self.device.pushes else 0xFFD0

    @property
    def _company(self) -> int:
        """The company id of a Renogy module is the beginning of its address (captured advertisements)."""
        low, high = bytes.fromhex(self.address.replace(":", ""))[:2]
        return low | high << 8

    @property
    def _payload(self) -> bytes:
        return bytes.fromhex(self.address.replace(":", ""))[2:]

    def advertisement(self) -> list[tuple[int, bytes]]:
        """Return the advertisement as (type, data)."""
        return [
            (_FLAGS, b"\x06"),
            (_SERVICES, struct.pack("<H", self._service)),
            (_MANUFACTURER, struct.pack("<H", self._company) + self._payload),
            (_NAME, self.name.encode()),
        ]

    def properties(self) -> dict[str, Variant]:
        """Return the advertisement as properties of Device1."""
        return {
            "Name": Variant("s", self.name),
            "Alias": Variant("s", self.name),
            "UUIDs": Variant("as", [f"0000{self._service:04x}-0000-1000-8000-00805f9b34fb"]),
            "ManufacturerData": Variant("a{qv}", {self._company: Variant("ay", self._payload)}),
            "AdvertisingFlags": Variant("ay", b"\x06"),
        }

    def rssi_at(self, adapter: str) -> int:
        """Return the signal strength of one advertisement."""
        jitter = random.randint(-self.radio.jitter, self.radio.jitter)
        return max(-100, min(-20, self.radio.rssi[adapter] + jitter))

    def _pushed(self) -> bytes | None:
        """Return the frame that it sends by itself; None: silence."""
        frame = self.device.frame()
        if self.faults.take(FaultName.SILENT):
            return None
        if self.faults.take(FaultName.TRUNCATED):
            frame = frame[: len(frame) // 2]
        self.counts["replies"] += 1
        return frame

    async def replies(self, request: bytes) -> AsyncIterator[bytes]:
        """Yield the reply to a request in fragments, as they come, until the link has ended."""
        links = self.counts["links"]
        if (answer := self.answer(request)) is None:
            return
        reply, delay = answer
        await asyncio.sleep(delay)
        async for fragment in self._fragments(reply, self.radio.fragment, links):
            yield fragment

    async def pushes(self) -> AsyncIterator[bytes]:
        """Yield what it sends by itself in fragments, until the link has ended."""
        links = self.counts["links"]
        while self.counts["links"] == links:
            if (frame := self._pushed()) is not None:
                async for fragment in self._fragments(frame, gatt.PUSH_FRAGMENT, links):
                    yield fragment
            await asyncio.sleep(self.radio.push_interval)

    async def _fragments(self, data: bytes, size: int, links: int) -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            if start:
                await asyncio.sleep(self.radio.fragment_gap)
            if self.connected_path is None or self.counts["links"] != links:
                return
            yield data[start : start + size]

    def answer(self, request: bytes) -> tuple[bytes, float] | None:
        """Return the reply to a request and when it comes; None: silence."""
        self.counts["requests"] += 1
        reply = self.device.answer(request)
        if reply is None or self.faults.take(FaultName.SILENT):
            return None
        if self.faults.take(FaultName.EXCEPTION):
            reply = seal(bytes((reply[0], reply[1] | EXCEPTION_FLAG, 4)))
        if self.faults.take(FaultName.WRONG_UNIT):
            reply = seal(bytes((reply[0] ^ _OTHER_UNIT,)) + reply[1:-2])
        if self.faults.take(FaultName.CORRUPT_CRC):
            reply = reply[:-1] + bytes((reply[-1] ^ 0xFF,))
        if self.faults.take(FaultName.TRUNCATED):
            reply = reply[: len(reply) // 2]
        slow = self.faults.take(FaultName.SLOW)
        self.counts["replies"] += 1
        return reply, self.radio.reply_time + (slow.seconds if slow else 0.0)
