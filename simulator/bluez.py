"""The simulated bluetoothd: takes calls, and ties adapters, devices and characteristics together."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
import logging
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from .adapters import Adapters
from .characteristics import Characteristics
from .devices import Devices
from .faults import FaultName
from .monitors import Monitors
from .objects import (
    ADAPTER,
    CHARACTERISTIC,
    DESCRIPTOR,
    DEVICE,
    MONITOR_MANAGER,
    OBJECT_MANAGER,
    PROPERTIES,
    DBusError,
    ObjectTree,
)
from .peripheral import Peripheral

_LOGGER = logging.getLogger(__name__)

type Answer = tuple[str, list[Any]]
"""A reply's signature and body."""
type Handler = Callable[[Message], Answer | Awaitable[Answer]]

_DBUS: Final = "org.freedesktop.DBus"
_NAME: Final = "org.bluez"


class Bluez:
    """org.bluez on a bus."""

    def __init__(
        self, bus_address: str, adapters: dict[str, str], peripherals: list[Peripheral]
    ) -> None:
        """Prepare; `adapters` are addresses by name (hci0, ...)."""
        self._bus = MessageBus(bus_address=bus_address, bus_type=BusType.SYSTEM)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.peripherals = {item.address: item for item in peripherals}
        self.tree = ObjectTree(self._bus)
        self.monitors = Monitors(self._bus, self.spawn)
        self.adapters = Adapters(self.tree, adapters)
        self.devices = Devices(
            self.tree, self.adapters, self.monitors, self.peripherals, self.spawn
        )
        self.characteristics = Characteristics(self.tree, self.devices, self.spawn)
        self._handlers: dict[str, dict[str, Handler]] = {
            ADAPTER: {
                "SetDiscoveryFilter": self.adapters.set_discovery_filter,
                "StartDiscovery": self.adapters.start_discovery,
                "StopDiscovery": self.adapters.stop_discovery,
                "RemoveDevice": self.devices.remove_device,
            },
            MONITOR_MANAGER: {
                "RegisterMonitor": self.monitors.register,
                "UnregisterMonitor": self.monitors.unregister,
            },
            DEVICE: {
                "Connect": self.devices.connect,
                "Disconnect": self.devices.disconnect,
            },
            CHARACTERISTIC: {
                "ReadValue": self.characteristics.read,
                "WriteValue": self.characteristics.write,
                "StartNotify": self.characteristics.start_notify,
                "StopNotify": self.characteristics.stop_notify,
            },
            DESCRIPTOR: {"ReadValue": self.characteristics.read_descriptor},
            PROPERTIES: {"Get": self._get, "GetAll": self._get_all},
        }

    @property
    def bus(self) -> MessageBus:
        """The connection to the bus."""
        return self._bus

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside; an error in it is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _LOGGER.error("simulator: a task failed", exc_info=error)

    async def start(self) -> None:
        """Take the name org.bluez and begin to advertise."""
        await self._bus.connect()
        self._bus.add_message_handler(self._on_message)
        match = f"type='signal',sender='{_DBUS}',member='NameOwnerChanged'"
        await self._bus.call(
            Message(
                destination=_DBUS,
                path="/org/freedesktop/DBus",
                interface=_DBUS,
                member="AddMatch",
                signature="s",
                body=[match],
            )
        )
        self._export()
        await self._bus.request_name(_NAME)
        self.spawn(self.devices.advertise())
        self.spawn(self.devices.forget_temporary())

    def _export(self) -> None:
        self.tree.add(
            "/org/bluez",
            {"org.bluez.AgentManager1": {}, "org.bluez.ProfileManager1": {}},
        )
        self.adapters.export()

    async def stop(self) -> None:
        """Leave the bus."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._bus.disconnect()

    async def restart(self, down: float) -> None:
        """Restart as a bluetoothd that crashed: objects vanish without a signal, links are cut."""
        self.devices.reset()
        self.adapters.reset()
        self.monitors.reset()
        self.tree.forget_all()
        await self._bus.release_name(_NAME)
        await asyncio.sleep(down)
        self._export()
        await self._bus.request_name(_NAME)

    def set_fault(
        self,
        name: FaultName,
        address: str | None,
        seconds: float | None,
        times: int | None,
        adapter: str | None = None,
    ) -> None:
        """Switch a fault on, for one device or for all, on one adapter or on all."""
        if name is FaultName.ADAPTER_GONE:
            self.unplug(adapter)
            return
        for peripheral in self._named(address):
            peripheral.faults.set(name, seconds=seconds, times=times, adapter=adapter)

    def clear_faults(self, name: FaultName | None, address: str | None) -> None:
        """Switch faults off; who waits for a device that can be reached again is connected."""
        if name is FaultName.ADAPTER_GONE or (name is None and address is None):
            self.plug_in()
        for peripheral in self._named(address):
            peripheral.faults.clear(name)
        self.devices.serve_pending()

    def _named(self, address: str | None) -> list[Peripheral]:
        return [self.peripherals[address]] if address else list(self.peripherals.values())

    def unplug(self, adapter: str | None = None) -> None:
        """Take an adapter out, or all of them."""
        for name in self.adapters.names(adapter):
            self.devices.adapter_gone(name)
            self.monitors.adapter_gone(name)
            self.adapters.unplug(name)

    def plug_in(self, adapter: str | None = None) -> None:
        """Put adapters back."""
        for name in self.adapters.names(adapter):
            self.adapters.plug_in(name)

    def _on_message(self, message: Message) -> Message | bool | None:
        """Answer a call, now or later."""
        if message.message_type is MessageType.SIGNAL:
            if message.member == "NameOwnerChanged" and message.sender == _DBUS:
                name, _, owner = message.body
                if not owner:
                    self._client_gone(name)
            return None
        path = message.path or ""
        if message.message_type is not MessageType.METHOD_CALL or not (
            path == "/" or path.startswith("/org/bluez")
        ):
            return None
        try:
            answer = self._handler(message)(message)
        except DBusError as err:
            return Message.new_error(message, err.name, err.text)
        if isinstance(answer, tuple):
            return Message.new_method_return(message, *answer)
        self.spawn(self._answer_later(message, answer))
        return True

    async def _answer_later(self, message: Message, work: Awaitable[Answer]) -> None:
        try:
            signature, body = await work
        except DBusError as err:
            self._bus.send(Message.new_error(message, err.name, err.text))
        else:
            self._bus.send(Message.new_method_return(message, signature, body))

    def _handler(self, message: Message) -> Handler:
        path, interface, member = (
            message.path or "",
            message.interface or "",
            message.member or "",
        )
        if path == "/" and interface == OBJECT_MANAGER and member == "GetManagedObjects":
            return lambda _: ("a{oa{sa{sv}}}", [self.tree.managed()])
        unknown = f'Method "{member}" with signature "{message.signature}" on interface "{interface}" doesn\'t exist\n'
        if path not in self.tree:
            raise DBusError(f"{_DBUS}.Error.UnknownObject", unknown)
        handler = self._handlers.get(interface, {}).get(member)
        if handler is None or self.tree.having(path, interface) is None:
            raise DBusError(f"{_DBUS}.Error.UnknownMethod", unknown)
        return handler

    def _get(self, message: Message) -> Answer:
        interface, name = message.body
        properties = self.tree.having(message.path or "", interface)
        if properties is None or name not in properties:
            raise DBusError(f"{_DBUS}.Error.InvalidArgs", f"No such property '{name}'")
        return "v", [properties[name]]

    def _get_all(self, message: Message) -> Answer:
        properties = self.tree.having(message.path or "", message.body[0])
        if properties is None:
            raise DBusError(f"{_DBUS}.Error.InvalidArgs", "No such interface")
        return "a{sv}", [properties]

    def _client_gone(self, client: str) -> None:
        """Clean up what BlueZ cleans up when a client dies: scans, monitors, notifications. Not links."""
        self.adapters.client_gone(client)
        self.monitors.client_gone(client)
        self.characteristics.client_gone(client)
