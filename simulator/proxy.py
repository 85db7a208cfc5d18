"""A stand-in for an ESPHome Bluetooth proxy: its native API on loopback, its radio the simulated one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import partial
import logging
from typing import Any, Final

from aioesphomeapi import BluetoothProxyFeature

from . import gatt, native_api
from .faults import FaultName
from .native_api import Message, api, as_number, uuid_halves
from .peripheral import Peripheral

_LOGGER = logging.getLogger(__name__)

type Spawn = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]

TICK: Final = 0.05
CONNECTIONS: Final = 3
"""As many as an ESP32 has by default."""
CONNECT_LIMIT: Final = 20.0
"""Seconds after which the ESP32 gives a connect up."""
CONNECTION_LOST: Final = 0x08
"""The controller's reason for a link that timed out or dropped."""
CONNECTION_FAILED: Final = 0x3E
REFUSED: Final = 0x13
MTU: Final = 23

FEATURES: Final = (
    BluetoothProxyFeature.PASSIVE_SCAN
    | BluetoothProxyFeature.ACTIVE_CONNECTIONS
    | BluetoothProxyFeature.REMOTE_CACHING
    | BluetoothProxyFeature.CACHE_CLEARING
    | BluetoothProxyFeature.RAW_ADVERTISEMENTS
)
PROPERTIES: Final = {"read": 0x02, "write-without-response": 0x04, "write": 0x08, "notify": 0x10}
"""The bits of a characteristic's declaration."""


class Proxy:
    """One proxy; several clients may be connected to its API, one hears its advertisements."""

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        peripherals: Mapping[str, Peripheral],
        spawn: Spawn,
    ) -> None:
        """Prepare; `address` is the one of its Bluetooth."""
        self.name = name
        self.address = address
        self.port = port
        self._peripherals = {as_number(item): device for item, device in peripherals.items()}
        self._spawn = spawn
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.StreamWriter | None = None
        self._links: dict[int, asyncio.StreamWriter] = {}
        self._connecting: dict[int, asyncio.Task[Any]] = {}
        self._notified: dict[int, set[int]] = {}
        self.link_ended: Callable[[], None] = lambda: None
        """Told when a device is free again."""

    async def start(self) -> None:
        """Take clients."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Lose power: links and clients are gone."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in self._connecting.values():
            task.cancel()
        self._connecting.clear()
        for address in list(self._links):
            self._forget_link(address)
        for client in list(self._clients):
            client.close()

    async def advertise(self) -> None:
        """Pass on what it hears."""
        loop = asyncio.get_running_loop()
        due: dict[int, float] = {}
        while True:
            await asyncio.sleep(TICK)
            heard = []
            for address, peripheral in self._peripherals.items():
                if self.name not in peripheral.radio.rssi or loop.time() < due.get(address, 0.0):
                    continue
                due[address] = loop.time() + peripheral.radio.interval
                if peripheral.advertising:
                    heard.append(
                        api.BluetoothLERawAdvertisement(
                            address=address,
                            rssi=peripheral.rssi_at(self.name),
                            data=b"".join(
                                bytes((len(data) + 1, kind)) + data
                                for kind, data in peripheral.advertisement()
                            ),
                        )
                    )
            if heard and self._listener is not None:
                self._send(
                    self._listener,
                    api.BluetoothLERawAdvertisementsResponse(advertisements=heard),
                )

    def end_link(self, address: str) -> None:
        """Have a link drop."""
        self._drop(as_number(address), CONNECTION_LOST)

    async def _serve(self, stream: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Serve one client until it is gone."""
        self._clients.add(client)
        try:
            while True:
                self._answer(client, await native_api.read(stream))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as err:
            _LOGGER.debug("%s: a client is gone: %s", self.name, err)
        finally:
            self._clients.discard(client)
            if self._listener is client:
                self._listener = None
            for address in [item for item, owner in self._links.items() if owner is client]:
                self._forget_link(address)
            client.close()

    def _send(self, client: asyncio.StreamWriter, message: Message) -> None:
        if not client.is_closing():
            client.write(native_api.encode(message))

    def _answer(self, client: asyncio.StreamWriter, message: Message) -> None:
        """Do what a client asks for."""
        send = partial(self._send, client)
        match message:
            case api.HelloRequest():
                send(api.HelloResponse(api_version_major=1, api_version_minor=10, name=self.name))
            case api.PingRequest():
                send(api.PingResponse())
            case api.DisconnectRequest():
                send(api.DisconnectResponse())
            case api.DeviceInfoRequest():
                send(self._device_info())
            case api.ListEntitiesRequest():
                send(api.ListEntitiesDoneResponse())
            case api.SubscribeBluetoothLEAdvertisementsRequest():
                self._listener = client
            case api.UnsubscribeBluetoothLEAdvertisementsRequest():
                self._listener = None
            case api.SubscribeBluetoothConnectionsFreeRequest():
                send(self._connections())
            case api.BluetoothDeviceRequest():
                self._device_request(client, message)
            case api.BluetoothGATTGetServicesRequest():
                self._get_services(client, message.address)
            case api.BluetoothGATTNotifyRequest():
                self._notify(client, message)
            case api.BluetoothGATTWriteDescriptorRequest():
                send(api.BluetoothGATTWriteResponse(address=message.address, handle=message.handle))
            case api.BluetoothGATTWriteRequest():
                self._write(client, message)
            case _:
                _LOGGER.debug("%s: not answered: %s", self.name, type(message).__name__)

    def _device_info(self) -> Message:
        return api.DeviceInfoResponse(
            name=self.name,
            friendly_name=self.name,
            mac_address=self.address,
            bluetooth_mac_address=self.address,
            esphome_version="2026.10.0",
            model="esp32dev",
            manufacturer="Espressif",
            bluetooth_proxy_feature_flags=FEATURES,
        )

    def _connections(self) -> Message:
        return api.BluetoothConnectionsFreeResponse(
            free=CONNECTIONS - len(self._links) - len(self._connecting),
            limit=CONNECTIONS,
            allocated=[*self._links, *self._connecting],
        )

    def _tell_connections(self) -> None:
        for client in self._clients:
            self._send(client, self._connections())

    # Connections

    def _device_request(self, client: asyncio.StreamWriter, message: Message) -> None:
        address = message.address
        match message.request_type:
            case (
                api.BLUETOOTH_DEVICE_REQUEST_TYPE_CONNECT_V3_WITH_CACHE
                | api.BLUETOOTH_DEVICE_REQUEST_TYPE_CONNECT_V3_WITHOUT_CACHE
            ):
                if address not in self._connecting:
                    self._peripherals[address].counts["connects"] += 1
                    connect = self._connect(client, address)
                    self._connecting[address] = self._spawn(connect)
                    self._tell_connections()
            case api.BLUETOOTH_DEVICE_REQUEST_TYPE_DISCONNECT:
                self._drop(address, 0)
            case api.BLUETOOTH_DEVICE_REQUEST_TYPE_CLEAR_CACHE:
                self._send(
                    client, api.BluetoothDeviceClearCacheResponse(address=address, success=True)
                )

    async def _connect(self, client: asyncio.StreamWriter, address: int) -> None:
        """Connect as soon as the device can be reached; after a while it is given up."""
        peripheral = self._peripherals[address]
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                while not peripheral.reachable_by(self.name):
                    await asyncio.sleep(TICK)
                await asyncio.sleep(peripheral.radio.connect_time)
        except TimeoutError:
            self._drop(address, CONNECTION_FAILED)
            return
        if peripheral.faults.take(FaultName.REFUSES) or not peripheral.reachable_by(self.name):
            self._drop(address, REFUSED)
            return
        del self._connecting[address]
        self._links[address] = client
        self._notified[address] = set()
        peripheral.connected_path = f"{self.name}/{peripheral.address}"
        peripheral.counts["links"] += 1
        self._send(
            client,
            api.BluetoothDeviceConnectionResponse(address=address, connected=True, mtu=MTU),
        )
        if drop := peripheral.faults.take(FaultName.DROPS):
            await asyncio.sleep(drop.seconds)
            self._drop(address, CONNECTION_LOST)

    def _drop(self, address: int, error: int) -> None:
        """End a link or a connect, and tell everybody."""
        connecting = self._connecting.pop(address, None)
        if connecting is not None and connecting is not asyncio.current_task():
            connecting.cancel()
        self._forget_link(address)
        for client in self._clients:
            self._send(
                client,
                api.BluetoothDeviceConnectionResponse(
                    address=address, connected=False, error=error
                ),
            )
        self._tell_connections()

    def _forget_link(self, address: int) -> None:
        if self._links.pop(address, None) is not None:
            self._notified.pop(address)
            self._peripherals[address].connected_path = None
            self.link_ended()

    # Characteristics

    def _get_services(self, client: asyncio.StreamWriter, address: int) -> None:
        peripheral = self._peripherals[address]
        if address not in self._links or peripheral.faults.take(FaultName.NO_SERVICES):
            return
        few = peripheral.faults.take(FaultName.FEW_SERVICES) is not None
        services = [
            api.BluetoothGATTService(
                uuid=uuid_halves(uuid),
                handle=handle,
                characteristics=[_characteristic(item) for item in characteristics],
            )
            for handle, uuid, characteristics in peripheral.table[: 1 if few else None]
        ]
        self._send(client, api.BluetoothGATTGetServicesResponse(address=address, services=services))
        self._send(client, api.BluetoothGATTGetServicesDoneResponse(address=address))

    def _notify(self, client: asyncio.StreamWriter, message: Message) -> None:
        address, handle = message.address, message.handle
        if (notified := self._notified.get(address)) is None:
            return
        if message.enable:
            notified.add(handle)
        else:
            notified.discard(handle)
        self._send(client, api.BluetoothGATTNotifyResponse(address=address, handle=handle))
        if handle == gatt.PUSH.handle and message.enable:
            self._spawn(self._deliver(address, handle, self._peripherals[address].pushes()))

    def _write(self, client: asyncio.StreamWriter, message: Message) -> None:
        address, handle = message.address, message.handle
        if address not in self._links:
            return
        if message.response:
            self._send(client, api.BluetoothGATTWriteResponse(address=address, handle=handle))
        if handle == gatt.WRITE.handle:
            replies = self._peripherals[address].replies(bytes(message.data))
            self._spawn(self._deliver(address, gatt.NOTIFY.handle, replies))

    async def _deliver(self, address: int, handle: int, fragments: AsyncIterator[bytes]) -> None:
        """Pass on what a device sends, as long as somebody listens."""
        async for fragment in fragments:
            if handle not in self._notified.get(address, ()):
                return
            self._send(
                self._links[address],
                api.BluetoothGATTNotifyDataResponse(address=address, handle=handle, data=fragment),
            )


def _characteristic(item: gatt.Characteristic) -> Message:
    descriptors = [
        api.BluetoothGATTDescriptor(
            uuid=uuid_halves(gatt.CLIENT_CONFIGURATION), handle=item.handle + 1
        )
    ]
    return api.BluetoothGATTCharacteristic(
        uuid=uuid_halves(item.uuid),
        handle=item.handle,
        properties=sum(PROPERTIES[flag] for flag in item.flags),
        descriptors=descriptors if item.notifies else [],
    )
