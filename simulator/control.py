"""How a running simulator is looked at and disturbed: one D-Bus method that takes and gives JSON."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
import json
from typing import TYPE_CHECKING, Any, Final

from blupow_ble.virtual.device import VirtualDevice
from blupow_ble.virtual.writes import Habit
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from .faults import FaultName

if TYPE_CHECKING:
    from .bluez import Bluez
    from .peripheral import Peripheral
    from .proxy import Proxy

PATH: Final = "/org/blupow/simulator"
INTERFACE: Final = "org.blupow.Simulator1"
NAME: Final = "org.blupow.Simulator"


class ControlError(Exception):
    """The simulator did not understand, or is not there."""


class Control:
    """The simulator's side."""

    def __init__(self, bluez: Bluez, proxies: Mapping[str, Proxy]) -> None:
        """Prepare to disturb a simulated BlueZ, and proxies by their names."""
        self._bluez = bluez
        self._proxies = proxies

    async def start(self) -> None:
        """Take calls."""
        self._bluez.bus.add_message_handler(self._on_message)
        await self._bluez.bus.request_name(NAME)

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.interface != INTERFACE or message.member != "Do":
            return None
        self._bluez.spawn(self._do(message))
        return True

    async def _do(self, message: Message) -> None:
        try:
            answer = await self._carry_out(**json.loads(message.body[0]))
        except (KeyError, TypeError, ValueError) as err:
            text = f"{type(err).__name__}: {err}"
            reply = Message.new_error(message, f"{INTERFACE}.Error", text)
        else:
            reply = Message.new_method_return(message, "s", [json.dumps(answer)])
        self._bluez.bus.send(reply)

    async def _carry_out(self, op: str, **options: Any) -> Any:
        bluez = self._bluez
        address = options.get("address")
        match op:
            case "state":
                return self._state()
            case "fault":
                bluez.set_fault(
                    FaultName(options["name"]),
                    address,
                    options.get("seconds"),
                    options.get("times"),
                    options.get("adapter"),
                )
            case "clear":
                name = options.get("name")
                bluez.clear_faults(FaultName(name) if name else None, address)
            case "drop":
                for item in bluez.peripherals.values():
                    if item.connected_path and address in (None, item.address):
                        self._drop(item, item.connected_path)
            case "register":
                for item in bluez.peripherals.values():
                    if address in (None, item.address):
                        values = {int(key): int(word) for key, word in options["values"].items()}
                        item.device.overrides.update(values)
            case "unit_id":
                for item in bluez.peripherals.values():
                    if address in (None, item.address) and isinstance(item.device, VirtualDevice):
                        item.device.unit_id = int(options["unit_id"])
            case "writes":
                for item in bluez.peripherals.values():
                    if address in (None, item.address) and isinstance(item.device, VirtualDevice):
                        item.device.writes.habit = Habit(options["habit"])
                        item.device.writes.code = int(options.get("code", 4))
            case "signal":
                for item in bluez.peripherals.values():
                    if address in (None, item.address):
                        item.radio.rssi[options["adapter"]] = int(options["rssi"])
            case "unplug" if proxy := self._proxies.get(options.get("adapter", "")):
                await proxy.stop()
            case "plug_in" if proxy := self._proxies.get(options.get("adapter", "")):
                await proxy.start()
            case "unplug":
                bluez.unplug(options.get("adapter"))
            case "plug_in":
                bluez.plug_in(options.get("adapter"))
            case "late_objects":
                bluez.devices.object_delay = float(options["seconds"])
            case "restart":
                await bluez.restart(float(options.get("down", 1.0)))
            case _:
                raise ValueError(f"unknown operation {op!r}")
        return None

    def _drop(self, item: Peripheral, path: str) -> None:
        if (proxy := self._proxies.get(path.split("/", maxsplit=1)[0])) is not None:
            proxy.end_link(item.address)
        else:
            self._bluez.devices.end_link(path)

    def _state(self) -> dict[str, Any]:
        bluez = self._bluez
        return {
            "adapters": [adapter.name for adapter in bluez.adapters.present()],
            "scanned_by": len(bluez.adapters.scanned_by | bluez.monitors.scanned_by),
            "most_at_once": dict(bluez.devices.most_at_once),
            "known": bluez.devices.known,
            "pending": bluez.devices.pending,
            "links": [
                item.connected_path for item in bluez.peripherals.values() if item.connected_path
            ],
            "devices": {
                item.address: {
                    "name": item.name,
                    "connected": item.connected_path,
                    "faults": item.faults.as_dict(),
                    "counts": dict(item.counts),
                    "writes": item.device.writes.seen
                    if isinstance(item.device, VirtualDevice)
                    else [],
                }
                for item in bluez.peripherals.values()
            },
        }


class ControlClient:
    """The other side: what a test or a script says to a running simulator."""

    def __init__(self, bus: MessageBus) -> None:
        """Talk over a connected bus."""
        self._bus = bus

    async def do(self, op: str, **options: Any) -> Any:
        """Have one operation carried out. Raises ControlError."""
        reply = await self._bus.call(
            Message(
                destination=NAME,
                path=PATH,
                interface=INTERFACE,
                member="Do",
                signature="s",
                body=[json.dumps({"op": op, **options})],
            )
        )
        if reply is None or reply.message_type is MessageType.ERROR:
            raise ControlError(reply.body[0] if reply and reply.body else "no answer")
        return json.loads(reply.body[0])

    async def fault(self, name: str, **options: Any) -> None:
        """Switch a fault on."""
        await self.do("fault", name=name, **options)

    async def clear(self, name: str | None = None, **options: Any) -> None:
        """Switch a fault off, or all."""
        await self.do("clear", name=name, **options)

    async def state(self) -> dict[str, Any]:
        """Return what is connected to what, and which faults are on."""
        state: dict[str, Any] = await self.do("state")
        return state

    async def links(self) -> list[str]:
        """Return the links that are up or being made."""
        state = await self.state()
        links: list[str] = state["links"] + state["pending"]
        return links


@asynccontextmanager
async def control(bus_address: str) -> AsyncIterator[ControlClient]:
    """Connect to the simulator on a bus. Raises ControlError."""
    bus = MessageBus(bus_address=bus_address, bus_type=BusType.SYSTEM)
    try:
        async with asyncio.timeout(5):
            await bus.connect()
        yield ControlClient(bus)
    except (OSError, TimeoutError) as err:
        raise ControlError(f"no simulator answers at {bus_address} ({err})") from err
    finally:
        bus.disconnect()
