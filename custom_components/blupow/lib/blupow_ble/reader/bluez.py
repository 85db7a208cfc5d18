"""What is asked of BlueZ directly over D-Bus: is a device connected, and disconnect it.

BlueZ keeps the link of a client that died, and goes on with a connect whose client died. Such a
leftover holds the device, which then does not advertise. Any client may end it with Device1.Disconnect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os
from pathlib import Path
import sys
from typing import TYPE_CHECKING, Any, Final

from .. import connection_log
from .timeouts import DISCONNECT_BUDGET

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus


_BUS_VARIABLE: Final = "DBUS_SYSTEM_BUS_ADDRESS"
BUS_SOCKETS: Final = (Path("/run/dbus/system_bus_socket"), Path("/var/run/dbus/system_bus_socket"))
"""Where the system bus is unless the environment says otherwise (D-Bus specification)."""

_BLUEZ: Final = "org.bluez"
_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"


def available() -> bool:
    """Whether BlueZ can be reached: a container may have no socket of the system bus."""
    if sys.platform != "linux":
        return False
    return bool(os.environ.get(_BUS_VARIABLE)) or any(socket.exists() for socket in BUS_SOCKETS)


@asynccontextmanager
async def _bus() -> AsyncIterator[MessageBus]:
    """Open a connection to the system bus of its own, so that nothing of it outlives the call."""
    from dbus_fast import BusType  # noqa: PLC0415
    from dbus_fast.aio import MessageBus  # noqa: PLC0415
    from dbus_fast.errors import DBusFastError  # noqa: PLC0415

    # the address is none, or the bus does not let this user in
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM)
    except DBusFastError as err:
        raise OSError(str(err)) from err
    try:
        try:
            await bus.connect()
        except DBusFastError as err:
            raise OSError(str(err)) from err
        yield bus
    finally:
        bus.disconnect()


async def _call(
    bus: MessageBus, object_path: str, interface: str, member: str, target: str | None = None
) -> Message | None:
    """Call a method, with an object path as its argument if one is given; None when BlueZ refuses."""
    from dbus_fast import Message, MessageType  # noqa: PLC0415

    reply = await bus.call(
        Message(
            destination=_BLUEZ,
            path=object_path,
            interface=interface,
            member=member,
            signature="o" if target else "",
            body=[target] if target else [],
        )
    )
    if reply is None or reply.message_type is MessageType.ERROR:
        return None
    return reply


type _Objects = dict[str, dict[str, dict[str, Any]]]


async def _objects(bus: MessageBus) -> _Objects:
    """Return all objects of BlueZ; none when it does not run."""
    reply = await _call(bus, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    if reply is None:
        return {}
    objects: _Objects = reply.body[0]
    return objects


async def _object_paths(bus: MessageBus, address: str, *, connected: bool) -> list[str]:
    """Return the object paths under which BlueZ knows the device, or shows it as connected."""
    return [
        object_path
        for object_path, interfaces in (await _objects(bus)).items()
        if (device := interfaces.get(_DEVICE))
        and device["Address"].value.upper() == address.upper()
        and (device["Connected"].value or not connected)
    ]


async def has_adapter(object_path: str | None = None) -> bool:
    """Return whether the adapter of a device's object path is there and on, or any at all."""
    try:
        async with asyncio.timeout(DISCONNECT_BUDGET), _bus() as bus:
            adapters = [
                object_path
                for object_path, own in (await _objects(bus)).items()
                if (adapter := own.get(_ADAPTER)) and adapter["Powered"].value
            ]
    except (TimeoutError, OSError, EOFError) as err:
        connection_log.debug(f"BlueZ could not be asked: {err}")
        return False
    return object_path.rpartition("/")[0] in adapters if object_path else bool(adapters)


async def connected_object_paths(address: str) -> list[str] | None:
    """Return the object paths under which BlueZ shows the device as connected.

    None where BlueZ could not be asked; a system without BlueZ has none.
    """
    if not available():
        return []
    try:
        async with asyncio.timeout(DISCONNECT_BUDGET), _bus() as bus:
            return await _object_paths(bus, address, connected=True)
    except (TimeoutError, OSError, EOFError) as err:
        connection_log.debug(f"BlueZ could not be asked: {err}")
        return None


async def known_object_paths(address: str) -> list[str] | None:
    """Return the object paths under which BlueZ knows the device; None where BlueZ cannot be asked."""
    if not available():
        return None
    try:
        async with asyncio.timeout(DISCONNECT_BUDGET), _bus() as bus:
            return await _object_paths(bus, address, connected=False)
    except (TimeoutError, OSError, EOFError) as err:
        connection_log.debug(f"BlueZ could not be asked: {err}")
        return None


async def release(address: str, object_path: str | None = None) -> list[str] | None:
    """End every link to a device, and a pending connect at `object_path`; return the object paths that were connected.

    None where BlueZ could not be asked, so that links may still be there. Needs 2 s with a real bluetoothd.
    """
    if not available():
        return []
    try:
        async with asyncio.timeout(DISCONNECT_BUDGET), _bus() as bus:
            connected = await _object_paths(bus, address, connected=True)
            for target in connected or ([object_path] if object_path else []):
                await _call(bus, target, _DEVICE, "Disconnect")
            return connected
    except (TimeoutError, OSError, EOFError) as err:
        connection_log.debug(f"a leftover link could not be looked for: {err}")
        return None


async def remove(address: str) -> list[str] | None:
    """Have BlueZ forget a device: its objects and what it remembers of its services.

    Return the object paths that are gone; None where BlueZ could not be asked. The next advertisement that is heard makes a new one.
    """
    if not available():
        return []
    try:
        async with asyncio.timeout(DISCONNECT_BUDGET), _bus() as bus:
            object_paths = await _object_paths(bus, address, connected=False)
            removed = [
                object_path
                for object_path in object_paths
                if await _call(
                    bus, object_path.rpartition("/")[0], _ADAPTER, "RemoveDevice", object_path
                )
            ]
    except (TimeoutError, OSError, EOFError) as err:
        connection_log.debug(f"the device could not be removed: {err}")
        return None
    return removed
