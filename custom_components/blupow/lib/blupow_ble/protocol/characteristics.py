"""Finds the characteristics of a device that requests are written to and replies come from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import ErrorCode, ReaderError, Stage
from .push import PushFrame

if TYPE_CHECKING:
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.service import BleakGATTServiceCollection

BASE_UUID: Final = "0000{:04x}-0000-1000-8000-00805f9b34fb"
WRITE_SERVICE: Final = BASE_UUID.format(0xFFD0)
WRITE_CHARACTERISTIC: Final = BASE_UUID.format(0xFFD1)
NOTIFY_SERVICE: Final = BASE_UUID.format(0xFFF0)
NOTIFY_CHARACTERISTIC: Final = BASE_UUID.format(0xFFF1)
OTHER_NOTIFY_CHARACTERISTIC: Final = BASE_UUID.format(0xFFD2)


@dataclass(frozen=True, slots=True)
class Characteristics:
    """Where requests are written and replies arrive."""

    write: BleakGATTCharacteristic
    notify: BleakGATTCharacteristic

    @property
    def with_response(self) -> bool:
        """Whether a write needs a response: only where it cannot do without (captured from the vendor's app)."""
        return "write-without-response" not in self.write.properties


def find_characteristics(services: BleakGATTServiceCollection) -> Characteristics:
    """Find both characteristics, each inside its own service: some batteries repeat the UUIDs.

    Raises ReaderError(service_missing).
    """
    write = notify = other_notify = None
    for service in services:
        for characteristic in service.characteristics:
            where = (service.uuid, characteristic.uuid)
            if where == (WRITE_SERVICE, WRITE_CHARACTERISTIC):
                write = write or characteristic
            elif where == (NOTIFY_SERVICE, NOTIFY_CHARACTERISTIC):
                notify = notify or characteristic
            elif (
                where == (WRITE_SERVICE, OTHER_NOTIFY_CHARACTERISTIC)
                and "notify" in characteristic.properties
            ):
                other_notify = other_notify or characteristic
    notify = notify or other_notify
    if write is None or notify is None:
        raise ReaderError(
            ErrorCode.SERVICE_MISSING,
            "the device has no Renogy service (ffd0 and fff0); it is probably another product",
            stage=Stage.SERVICES,
        )
    return Characteristics(write, notify)


def find_notifier(
    services: BleakGATTServiceCollection, pushed: PushFrame
) -> BleakGATTCharacteristic:
    """Find where a device that is only listened to sends its frames. Raises ReaderError(service_missing)."""
    for service in services:
        for characteristic in service.characteristics:
            if (service.uuid, characteristic.uuid) == (pushed.service, pushed.notify):
                return characteristic
    raise ReaderError(
        ErrorCode.SERVICE_MISSING,
        f"the device has no service {pushed.service[4:8]}; it is probably another product",
        stage=Stage.SERVICES,
    )


def has_notifier(services: BleakGATTServiceCollection, pushed: PushFrame) -> bool:
    """Whether a device sends frames of that kind."""
    try:
        find_notifier(services, pushed)
    except ReaderError:
        return False
    return True
