"""The objects that the simulated BlueZ exports: interfaces, properties, and the signals about them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

OBJECT_MANAGER: Final = "org.freedesktop.DBus.ObjectManager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
INTROSPECTABLE: Final = "org.freedesktop.DBus.Introspectable"

ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
SERVICE: Final = "org.bluez.GattService1"
CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
DESCRIPTOR: Final = "org.bluez.GattDescriptor1"
MONITOR_MANAGER: Final = "org.bluez.AdvertisementMonitorManager1"
MONITOR: Final = "org.bluez.AdvertisementMonitor1"

type Interfaces = dict[str, dict[str, Variant]]


class DBusError(Exception):
    """An error that is sent as the reply to a call."""

    def __init__(self, name: str, text: str) -> None:
        """Keep the D-Bus error name and its text."""
        super().__init__(text)
        self.name = name
        self.text = text


def failed(text: str) -> DBusError:
    """Return org.bluez.Error.Failed, by which BlueZ says most things."""
    return DBusError("org.bluez.Error.Failed", text)


def bluez_error(kind: str, text: str) -> DBusError:
    """Return another of BlueZ's errors."""
    return DBusError(f"org.bluez.Error.{kind}", text)


class ObjectTree:
    """All exported objects."""

    def __init__(self, bus: MessageBus) -> None:
        """Start empty."""
        self._bus = bus
        self._objects: dict[str, Interfaces] = {}

    def __contains__(self, path: str) -> bool:
        """Whether an object is exported."""
        return path in self._objects

    def __iter__(self) -> Iterator[str]:
        """Go through the paths, in a copy."""
        return iter(list(self._objects))

    def managed(self) -> dict[str, Interfaces]:
        """Return what GetManagedObjects answers."""
        return self._objects

    def below(self, path: str) -> list[str]:
        """Return the paths below a path, the deepest first."""
        found = [other for other in self._objects if other.startswith(f"{path}/")]
        return sorted(found, key=len, reverse=True)

    def having(self, path: str, interface: str) -> dict[str, Variant] | None:
        """Return the properties of an interface, if the object has it."""
        return self._objects.get(path, {}).get(interface)

    def value(self, path: str, interface: str, name: str) -> Any:
        """Return the value of a property; None if it is not there."""
        variant = self._objects.get(path, {}).get(interface, {}).get(name)
        return None if variant is None else variant.value

    def add(self, path: str, interfaces: Mapping[str, dict[str, Variant]]) -> None:
        """Export an object. As with the real one, two empty standard interfaces are listed too."""
        self._objects[path] = {INTROSPECTABLE: {}, **interfaces, PROPERTIES: {}}
        self.signal(
            "/",
            OBJECT_MANAGER,
            "InterfacesAdded",
            "oa{sa{sv}}",
            [path, self._objects[path]],
        )

    def remove(self, path: str) -> None:
        """Withdraw an object and all below it."""
        for target in (*self.below(path), path):
            if (interfaces := self._objects.pop(target, None)) is not None:
                self.signal(
                    "/",
                    OBJECT_MANAGER,
                    "InterfacesRemoved",
                    "oas",
                    [target, list(interfaces)],
                )

    def forget_all(self) -> None:
        """Lose all objects without a word, as a crashed bluetoothd does."""
        self._objects.clear()

    def update(
        self,
        path: str,
        interface: str,
        changed: Mapping[str, Variant],
        *,
        invalidated: Iterable[str] = (),
        repeat: bool = False,
    ) -> None:
        """Set properties; those that really change are signaled (with `repeat`, all of them)."""
        current = self.having(path, interface)
        if current is None:
            return
        news = {
            name: value for name, value in changed.items() if repeat or current.get(name) != value
        }
        gone = [name for name in invalidated if name in current]
        if not news and not gone:
            return
        current.update(news)
        for name in gone:
            del current[name]
        self.signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, news, gone])

    def signal(
        self, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> None:
        """Send a signal."""
        self._bus.send(Message.new_signal(path, interface, member, signature, body))
