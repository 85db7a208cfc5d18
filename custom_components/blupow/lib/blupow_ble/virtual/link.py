"""A link to a virtual device: the same face as a Bluetooth link, with 20-byte notifications."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

from ..profiles.shunt import FRAME
from ..protocol.characteristics import (
    NOTIFY_CHARACTERISTIC,
    NOTIFY_SERVICE,
    WRITE_CHARACTERISTIC,
    WRITE_SERVICE,
)
from .device import Module

FRAGMENT: Final = 20
"""Bytes in a notification of a BT-2 that was not asked for more."""
PUSH_INTERVAL: Final = 0.2
PUSH_FRAGMENT: Final = 55
"""A shunt's frame arrives in two halves (captured)."""


def _services(*, pushes: bool) -> BleakGATTServiceCollection:
    """Return the GATT services of a BT-2 module or of a shunt, as far as a session looks."""
    services = BleakGATTServiceCollection()
    if pushes:
        shunt = BleakGATTService(None, 0x10, FRAME.service)
        services.add_service(shunt)
        _add(services, shunt, 0x11, FRAME.notify, "notify")
        return services
    write, notify = (
        BleakGATTService(None, 0x1B, WRITE_SERVICE),
        BleakGATTService(None, 0x2C, NOTIFY_SERVICE),
    )
    for service in (write, notify):
        services.add_service(service)
    _add(services, write, 0x1C, WRITE_CHARACTERISTIC, "write-without-response", "write")
    _add(services, notify, 0x2D, NOTIFY_CHARACTERISTIC, "notify")
    return services


def _add(
    services: BleakGATTServiceCollection,
    service: BleakGATTService,
    handle: int,
    uuid: str,
    *properties: Literal["notify", "write", "write-without-response"],
) -> None:
    characteristic = BleakGATTCharacteristic(
        None, handle, uuid, list(properties), lambda: FRAGMENT, service
    )
    services.add_characteristic(characteristic)


class VirtualLink:
    """A link to a virtual device: the same face as a Bluetooth link, with 20-byte notifications."""

    def __init__(self, device: Module) -> None:
        """Prepare a link."""
        self._device = device
        self._notify: Callable[[BleakGATTCharacteristic, bytearray], None] | None = None
        self._characteristic: BleakGATTCharacteristic | None = None
        self.services = _services(pushes=device.pushes)
        self._pushing: asyncio.Task[None] | None = None
        self.disconnected = asyncio.Event()
        self.attempts = 0

    @property
    def virtual_registers(self) -> dict[int, int]:
        """The registers of the device that were written."""
        return self._device.overrides

    async def connect(self) -> VirtualLink:
        """Connect: there is nothing to wait for."""
        self.attempts += 1
        self.disconnected.clear()
        return self

    async def disconnect(self) -> None:
        """Disconnect."""
        self._notify = None
        if self._pushing is not None:
            self._pushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._pushing
            self._pushing = None
        self.disconnected.set()

    async def forget_services(self) -> bool:
        """Forget nothing: nothing is remembered."""
        return False

    async def start_notify(
        self,
        char_specifier: BleakGATTCharacteristic,
        callback: Callable[[BleakGATTCharacteristic, bytearray], None],
    ) -> None:
        """Have replies delivered to the callback."""
        self._characteristic, self._notify = char_specifier, callback
        if self._device.pushes:
            self._pushing = asyncio.create_task(self._push(), name="virtual shunt")

    async def _push(self) -> None:
        """Send a frame again and again."""
        while True:
            self._deliver(self._device.frame(), PUSH_FRAGMENT)
            await asyncio.sleep(PUSH_INTERVAL)

    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        """Take a request and deliver the reply in fragments."""
        reply = self._device.answer(data)
        if reply is not None:
            self._deliver(reply, FRAGMENT)

    def _deliver(self, data: bytes, size: int) -> None:
        """Send data in fragments to whoever listens."""
        if self._notify is None or self._characteristic is None:
            return
        loop = asyncio.get_running_loop()
        for start in range(0, len(data), size):
            fragment = bytearray(data[start : start + size])
            loop.call_soon(self._notify, self._characteristic, fragment)
