"""Proxies and further adapters that Home Assistant's own classes know: only their radio is a virtual one."""

import asyncio
from collections.abc import Callable
from typing import Any, override

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.exc import BleakError
from bleak_retry_connector import Allocations
from bluetooth_data_tools import monotonic_time_coarse
from habluetooth import BaseHaRemoteScanner, HaBluetoothConnector

from custom_components.blupow.lib.blupow_ble.virtual.device import Module, VirtualDevice
from custom_components.blupow.lib.blupow_ble.virtual.link import VirtualLink
from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant

from .bluetooth import service_info

PROXY = "AA:BB:CC:DD:EE:01"
OTHER_PROXY = "AA:BB:CC:DD:EE:02"


class Proxy(BaseHaRemoteScanner):
    """A proxy of Home Assistant's own kind; what it connects to is a virtual device."""

    def __init__(self, source: str = PROXY, slots: int = 3, *, connectable: bool = True) -> None:
        """Prepare a proxy without any device."""
        self.client = type("Connection", (Connection,), {"proxy": self})
        connector = HaBluetoothConnector(self.client, source, lambda: self.free > 0)
        super().__init__(source, f"proxy {source[-2:]}", connector, connectable)
        self.slots = slots
        self.device: Module = VirtualDevice()
        self.taken: list[str] = []
        """The addresses that it is connected to."""
        self.connects = 0
        self.most_at_once = 0
        self.connecting_at_once = 0
        self.error: str | None = None
        """Why its connects fail, if they do."""
        self.write_error: str | None = None
        """Why writes fail over a link that stands, if they do."""
        self.gate: asyncio.Event | None = None
        """Connects wait here, if it is set."""

    @property
    def free(self) -> int:
        """Connections that are left."""
        return self.slots - len(self.taken)

    @override
    def get_allocations(self) -> Allocations:
        return Allocations(self.source, self.slots, self.free, list(self.taken))

    def hear(self, *, rssi: int = -60, **options: Any) -> None:
        """Hear one advertisement of the inverter."""
        info = service_info(source=self.source, path=None, rssi=rssi, **options)
        self._async_on_advertisement(
            info.address,
            rssi,
            info.name,
            info.service_uuids,
            {},
            info.manufacturer_data,
            None,
            {},
            monotonic_time_coarse(),
        )

    def register(self, hass: HomeAssistant) -> Callable[[], None]:
        """Make Home Assistant know it; return what takes it away."""
        stop = self.async_setup()
        unregister = bluetooth.async_register_scanner(hass, self)

        def leave() -> None:
            unregister()
            stop()

        return leave


class Connection(BaseBleakClient):
    """A connection of a proxy to its virtual device."""

    proxy: Proxy

    def __init__(self, device: Any, *args: Any, **kwargs: Any) -> None:
        """Prepare a connection."""
        super().__init__(device, *args, **kwargs)
        self._link = VirtualLink(self.proxy.device)
        self._up = False

    @property
    @override
    def name(self) -> str:
        return "virtual"

    @property
    @override
    def mtu_size(self) -> int:
        return 23

    @property
    @override
    def is_connected(self) -> bool:
        return self._up

    @override
    async def connect(self, pair: bool = False, **kwargs: Any) -> None:
        proxy = self.proxy
        proxy.connects += 1
        proxy.connecting_at_once += 1
        proxy.most_at_once = max(proxy.most_at_once, proxy.connecting_at_once)
        try:
            if proxy.gate is not None:
                await proxy.gate.wait()
            if proxy.error is not None:
                raise BleakError(proxy.error)
        finally:
            proxy.connecting_at_once -= 1
        await self._link.connect()
        self.services = self._link.services
        self._up = True
        proxy.taken.append(self.address)

    @override
    async def disconnect(self) -> None:
        if self._up:
            self._up = False
            self.proxy.taken.remove(self.address)
        await self._link.disconnect()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    @override
    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        await self._link.start_notify(characteristic, lambda _, data: callback(data))

    @override
    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        raise NotImplementedError

    @override
    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        if self.proxy.write_error is not None:
            raise BleakError(self.proxy.write_error)
        await self._link.write_gatt_char(characteristic, bytes(data), response)

    @override
    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, **kwargs: Any
    ) -> bytearray:
        raise NotImplementedError

    @override
    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, **kwargs: Any
    ) -> bytearray:
        raise NotImplementedError

    @override
    async def write_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, data: SizedBuffer
    ) -> None:
        raise NotImplementedError

    @override
    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    @override
    async def unpair(self) -> None:
        raise NotImplementedError
