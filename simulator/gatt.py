"""The GATT tables of a BT-2 module (captured) and of a shunt, as BlueZ exports them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dbus_fast import Variant

from .objects import CHARACTERISTIC, DESCRIPTOR, SERVICE, Interfaces

_BASE: Final = "0000{:04x}-0000-1000-8000-00805f9b34fb"
CLIENT_CONFIGURATION: Final = 0x2902


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A characteristic: its handle, its 16-bit UUID, what it can do, and what a read answers."""

    handle: int
    uuid: int
    flags: tuple[str, ...]
    value: bytes = b""

    @property
    def notifies(self) -> bool:
        """Whether it can notify."""
        return "notify" in self.flags


NOTIFY: Final = Characteristic(0x002D, 0xFFF1, ("read", "notify"))
WRITE: Final = Characteristic(0x001C, 0xFFD1, ("read", "write-without-response", "write"))

type Table = tuple[tuple[int, int, tuple[Characteristic, ...]], ...]

MODULE: Final[Table] = (
    (0x0010, 0x180A, (Characteristic(0x0011, 0x2A29, ("read",), b"Renogy"),)),
    (
        0x001B,
        0xFFD0,
        (WRITE, Characteristic(0x001F, 0xFFD2, ("read", "notify"))),
    ),
    (0x002C, 0xFFF0, (NOTIFY,)),
)

PUSH_FRAGMENT: Final = 55
"""A shunt's frame arrives in two halves (captured)."""
PUSH: Final = Characteristic(0x0042, 0xC411, ("notify",))

SHUNT: Final[Table] = ((0x0040, 0xC011, (PUSH, Characteristic(0x0045, 0xC111, ("write",)))),)


def service_uuids(table: Table) -> list[str]:
    """Return the services of a table."""
    return [_BASE.format(uuid) for _, uuid, _ in table]


def notify_path(device: str) -> str:
    """Return the path of the characteristic that replies come from."""
    return f"{device}/service002c/char{NOTIFY.handle:04x}"


def characteristic_at(path: str) -> Characteristic:
    """Return the characteristic of a path."""
    handle = int(path[-4:], 16)
    return next(
        item for _, _, items in (*MODULE, *SHUNT) for item in items if item.handle == handle
    )


def device_of(path: str) -> str:
    """Return the device of a characteristic's path."""
    return path.rsplit("/", 2)[0]


def exported(device: str, mtu: int, table: Table) -> Iterator[tuple[str, Interfaces]]:
    """Go through the objects that BlueZ exports once the services are known."""
    for service_handle, service_uuid, characteristics in table:
        service = f"{device}/service{service_handle:04x}"
        yield (
            service,
            {
                SERVICE: {
                    "Handle": Variant("q", service_handle),
                    "UUID": Variant("s", _BASE.format(service_uuid)),
                    "Device": Variant("o", device),
                    "Primary": Variant("b", True),
                    "Includes": Variant("ao", []),
                }
            },
        )
        for item in characteristics:
            path = f"{service}/char{item.handle:04x}"
            properties = {
                "Handle": Variant("q", item.handle),
                "UUID": Variant("s", _BASE.format(item.uuid)),
                "Service": Variant("o", service),
                "Flags": Variant("as", list(item.flags)),
                "MTU": Variant("q", mtu),
                "Value": Variant("ay", b""),
            }
            if item.notifies:
                properties["Notifying"] = Variant("b", False)
            yield path, {CHARACTERISTIC: properties}
            if item.notifies:
                yield (
                    f"{path}/desc{item.handle + 1:04x}",
                    {
                        DESCRIPTOR: {
                            "Handle": Variant("q", item.handle + 1),
                            "UUID": Variant("s", _BASE.format(CLIENT_CONFIGURATION)),
                            "Characteristic": Variant("o", path),
                            "Value": Variant("ay", b""),
                        }
                    },
                )
