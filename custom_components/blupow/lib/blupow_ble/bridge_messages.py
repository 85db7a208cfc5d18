"""What a bridge and its clients say to each other: JSON objects, version 1.

A bridge describes its devices, and tells of each poll. Moments cross the network as ages in seconds: the
clocks of two machines may differ by hours. Two machines may also have different releases: a client leaves
fields that it does not know aside, and a bridge of a newer version is refused as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
import re
from typing import Any, Final

from .profiles import PROFILES
from .profiles.profile import Model, Profile
from .protocol.errors import ErrorCode, ReaderError, Stage
from .reader import answers
from .reader.messages import MALFORMED, Message
from .reader.plan import OWN_UNIT
from .reader.result import Reading
from .supervisor.link_state import LinkState
from .supervisor.unit_state import UnitState

API_VERSION: Final = 1
SERVICE_TYPE: Final = "_blupow._tcp.local."
"""As DNS service discovery announces a bridge."""

_DEVICE_ID: Final = re.compile(r"[a-z0-9_]{1,64}")


class MessageType(StrEnum):
    """What a message over the WebSocket is about."""

    HELLO = "hello"
    """The first one: which bridge it is."""
    SNAPSHOT = "snapshot"
    """All devices as they are: the second message, unless the client goes on where it was."""
    READING = "reading"
    FAILURE = "failure"
    STATE = "state"
    """A link whose state has changed otherwise."""
    EVENT = "event"
    OTHER = "other"
    """Of a newer bridge; it is left aside."""
    DEVICES = "devices"
    """Other devices are served from now on; all of them as they are."""


KNOWN_TYPES: Final = frozenset(MessageType) - {MessageType.HELLO}


class Malformed(Exception):
    """A message that is not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDescription:
    """A unit of a device, as the bridge is set up."""

    key: str
    profile: Profile
    model: Model | None
    unit_id: int | None
    serial_number: str | None = None

    def state(self) -> UnitState:
        """Return the state of a unit of which nothing is known."""
        return UnitState(
            key=self.key,
            profile=self.profile,
            model=self.model,
            unit_id=self.unit_id,
            set_up_serial_number=self.serial_number,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDescription:
    """A device of a bridge. Times are seconds."""

    id: str
    address: str
    name: str
    virtual: bool
    update_interval: int
    may_be_off: bool
    allow_changes: bool
    units: tuple[UnitDescription, ...]
    """The own unit first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """What a bridge knows of a link, beside its readings."""

    status: str
    rssi: int | None = None
    """Signal strength (dBm) at the bridge; None where it does not hear the device."""
    recoveries: int = 0
    failed_recoveries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteReading:
    """A fresh reading, as a bridge tells of it."""

    id: str
    """The same one is told of once: pushed, with all devices, and when it is asked for."""
    reading: Reading
    """With its age."""
    source: str
    """The Bluetooth adapter of the bridge."""
    seconds: float
    """How long the poll took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFailure:
    """A failed poll, as a bridge tells of it."""

    error: ReaderError
    seconds: float
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """A device and how it is."""

    device: DeviceDescription
    state: RemoteState
    reading: RemoteReading | None
    """The last fresh one since the bridge has started."""
    failure: RemoteFailure | None
    """Of the last poll; None if it did not fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeInfo:
    """Which bridge it is."""

    id: str
    name: str
    version: str
    api: int
    instance: str = ""
    """Another one after each start."""
    sequence: int = 0
    """The number of the last message that it has sent to anybody."""
    resumed: bool = False
    """The client gets what it has missed, instead of a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One message over the WebSocket, after the first one."""

    type: MessageType
    sequence: int
    device_id: str | None = None
    reports: tuple[DeviceReport, ...] = ()
    not_understood: tuple[str, ...] = ()
    """Devices in the list that this release does not know how to read, by their ids."""
    state: RemoteState | None = None
    reading: RemoteReading | None = None
    failure: RemoteFailure | None = None
    event: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


# What a bridge writes


def device_message(device: DeviceDescription) -> Message:
    """Return a device as JSON knows it."""
    return {
        "id": device.id,
        "address": device.address,
        "name": device.name,
        "virtual": device.virtual,
        "update_interval": device.update_interval,
        "may_be_off": device.may_be_off,
        "allow_changes": device.allow_changes,
        "units": [
            {
                "key": unit.key,
                "profile": unit.profile.key,
                "model": unit.model.key if unit.model else None,
                "unit_id": unit.unit_id,
                "serial_number": unit.serial_number,
            }
            for unit in device.units
        ],
    }


def state_message(link: LinkState, status: str, rssi: int | None) -> Message:
    """Return what is known of a link as JSON knows it."""
    return {
        "status": status,
        "rssi": rssi,
        "failures": link.failures,
        "recoveries": link.recoveries,
        "failed_recoveries": link.failed_recoveries,
        "success_rate": link.success_rate,
        "average_duration": link.average_duration,
        "polls": len(link.polls),
    }


def reading_message(reading: Reading, reading_id: str, source: str, seconds: float) -> Message:
    """Return a fresh reading as JSON knows it, with its age as it is now: `reading.age`."""
    body = answers.result(0, reading)
    for key in ("v", "event", "id"):
        del body[key]
    return {
        **body,
        "reading_id": reading_id,
        "source": source,
        "seconds": seconds,
        "age": reading.age,
    }


def failure_message(error: ReaderError, seconds: float, age: float) -> Message:
    """Return a failed poll as JSON knows it."""
    return {
        "code": error.code.value,
        "stage": error.stage.value,
        "message": error.message,
        "seconds": seconds,
        "age": age,
    }


def aged(message: Mapping[str, Any], seconds: float) -> Message:
    """Return a message whose readings and failures were told so many seconds ago."""
    found = dict(message)
    if "devices" in found:
        found["devices"] = [aged(device, seconds) for device in found["devices"]]
    for part in ("reading", "failure"):
        if found.get(part) is not None:
            found[part] = {**found[part], "age": found[part]["age"] + seconds}
    return found


# What a client reads


def parse_info(message: object) -> BridgeInfo:
    """Return which bridge it is. Raises Malformed."""
    try:
        hello = _object(message)
        return BridgeInfo(
            id=str(hello["id"]),
            name=str(hello["name"]),
            version=str(hello["version"]),
            api=int(hello["api"]),
            instance=str(hello.get("instance", "")),
            sequence=int(hello.get("sequence", 0)),
            resumed=bool(hello.get("resumed", False)),
        )
    except MALFORMED as err:
        raise Malformed(f"the bridge does not say what it is: {err!r}") from err


def parse_reports(message: object) -> tuple[tuple[DeviceReport, ...], tuple[str, ...]]:
    """Return the devices in a list, and the ids of those that are not understood. Raises Malformed."""
    if not isinstance(message, list):
        raise Malformed("the devices are no list")
    reports: list[DeviceReport] = []
    not_understood: list[str] = []
    for item in message:
        try:
            reports.append(parse_report(item))
        except Malformed:
            if not isinstance(item, dict) or not isinstance(item.get("id"), str):
                raise
            not_understood.append(item["id"])
    return tuple(reports), tuple(not_understood)


def parse_report(message: object) -> DeviceReport:
    """Return a device and how it is. Raises Malformed."""
    try:
        report = _object(message)
        return DeviceReport(
            device=parse_device(report),
            state=_state(report["state"]),
            reading=None if report["reading"] is None else _reading(report["reading"]),
            failure=None if report["failure"] is None else _failure(report["failure"]),
        )
    except MALFORMED as err:
        raise Malformed(f"a device is malformed: {err!r}") from err


def parse_push(message: object) -> Push:
    """Return a message of the WebSocket. Raises Malformed."""
    try:
        found = _object(message)
        kind = MessageType(found["type"]) if found["type"] in KNOWN_TYPES else MessageType.OTHER
        reports: tuple[DeviceReport, ...] = ()
        not_understood: tuple[str, ...] = ()
        if kind in (MessageType.SNAPSHOT, MessageType.DEVICES):
            reports, not_understood = parse_reports(found["devices"])
        of_device = kind not in (MessageType.SNAPSHOT, MessageType.DEVICES, MessageType.OTHER)
        return Push(
            type=kind,
            sequence=int(found["sequence"]),
            device_id=str(found["device"]) if of_device else None,
            reports=reports,
            not_understood=not_understood,
            state=_state(found["state"]) if of_device and "state" in found else None,
            reading=_reading(found["reading"]) if kind is MessageType.READING else None,
            failure=_failure(found["failure"]) if kind is MessageType.FAILURE else None,
            event=str(found["event"]) if kind is MessageType.EVENT else "",
            facts=dict(found["facts"]) if kind is MessageType.EVENT else {},
        )
    except MALFORMED as err:
        raise Malformed(f"a message is malformed: {err!r}") from err


def parse_device(message: Message) -> DeviceDescription:
    """Return a device as it is described. Raises one of MALFORMED."""
    device_id, address = str(message["id"]), str(message["address"])
    if not _DEVICE_ID.fullmatch(device_id):
        raise ValueError(f"{device_id!r} is no id")
    units = tuple(_unit(unit) for unit in message["units"])
    if not units or units[0].key != OWN_UNIT:
        raise ValueError("there is no unit of its own")
    return DeviceDescription(
        id=device_id,
        address=address,
        name=str(message["name"]),
        virtual=bool(message["virtual"]),
        update_interval=_positive(message["update_interval"]),
        may_be_off=bool(message["may_be_off"]),
        allow_changes=bool(message["allow_changes"]),
        units=units,
    )


def _unit(message: Message) -> UnitDescription:
    profile = PROFILES[message["profile"]]
    model, unit_id = message["model"], message["unit_id"]
    serial_number = message["serial_number"]
    return UnitDescription(
        key=str(message["key"]),
        profile=profile,
        model=None if model is None else profile.model(model),
        unit_id=None if unit_id is None else int(unit_id),
        serial_number=None if serial_number is None else str(serial_number),
    )


def _state(message: Message) -> RemoteState:
    rssi = message["rssi"]
    return RemoteState(
        status=str(message["status"]),
        rssi=None if rssi is None else int(rssi),
        recoveries=int(message["recoveries"]),
        failed_recoveries=int(message["failed_recoveries"]),
    )


def _reading(message: Message) -> RemoteReading:
    reading = answers.parse_result(message)
    return RemoteReading(
        id=str(message["reading_id"]),
        reading=replace(reading, age=_age(message)),
        source=str(message["source"]),
        seconds=float(message["seconds"]),
    )


def _failure(message: Message) -> RemoteFailure:
    error = ReaderError(
        ErrorCode(message["code"]), str(message["message"]), stage=Stage(message["stage"])
    )
    return RemoteFailure(error=error, seconds=float(message["seconds"]), age=_age(message))


def _age(message: Message) -> float:
    age = float(message["age"])
    if not age >= 0:
        raise ValueError("an age is negative")
    return age


def _positive(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is no number of seconds")
    return value


def _object(message: object) -> Message:
    if not isinstance(message, dict):
        raise TypeError("no object")
    return message
