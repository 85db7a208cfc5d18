"""What a parent asks of a child, and how both write a line: one JSON object, version 1."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
import json
import math
import re
from typing import Any, Final, NoReturn

from ..profiles import PROFILES
from ..profiles.declaration import Span
from ..protocol.errors import ErrorCode, ReaderError, Stage
from .plan import Change, UnitPlan
from .timeouts import LONGEST_DEADLINE, READ_BUDGET

VERSION: Final = 1
MAX_LINE: Final = 1 << 20
MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError)
"""What a message of another shape may raise when it is opened."""
VIRTUAL: Final = "virtual"
"""The address of the virtual device."""

_ADDRESS: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
_OBJECT_PATH: Final = re.compile(r"/org/bluez/hci\d+/dev_[0-9A-F]{2}(_[0-9A-F]{2}){5}")

type Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The device a request is for. With BlueZ, `object_path` is its path on the bus; nothing is scanned."""

    address: str
    name: str
    object_path: str | None = None
    adapter: str | None = None

    @property
    def virtual(self) -> bool:
        """Whether it is the virtual device."""
        return self.address == VIRTUAL


class Operation(StrEnum):
    """What a child is asked to do."""

    READ = "read"
    """Read units, or spans of registers of the first of them."""
    IDENTIFY = "identify"
    """Find out what is behind a module."""
    FIND_ALL = "find_all"
    """Find all units behind a module."""
    WRITE = "write"
    """Change settings of the first unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to read units, or spans of registers of the first one, or to find units. Times are seconds.

    Without a unit ID the family's usual ones are tried.
    """

    id: int
    device: Device
    units: tuple[UnitPlan, ...] = ()
    spans: tuple[Span, ...] = ()
    unit_ids: tuple[int, ...] = ()
    """Unit IDs that a search asks first, beside the likely ones."""
    look_at: int | None = None
    """A unit ID that a reading asks at its end, whether another unit is there."""
    changes: tuple[Change, ...] = ()
    """Settings to change. Which register that is, and whether it may be written, the child finds itself."""
    virtual_registers: dict[int, int] = field(default_factory=dict)
    """Of a virtual device, the registers that were written before."""
    connect_timeout: float
    budget: float = READ_BUDGET
    """From the connection to the answer."""
    deadline: float
    """When the child ends itself."""
    op: Operation = Operation.READ
    v: int = VERSION

    def encode(self) -> bytes:
        """Return the line to send."""
        return encode(
            {
                "v": self.v,
                "id": self.id,
                "op": self.op,
                "device": asdict(self.device),
                "units": [_unit_message(unit) for unit in self.units],
                "spans": [asdict(span) for span in self.spans],
                "unit_ids": list(self.unit_ids),
                "look_at": self.look_at,
                "changes": [asdict(change) for change in self.changes],
                "virtual_registers": numbered(self.virtual_registers),
                "connect_timeout": self.connect_timeout,
                "budget": self.budget,
                "deadline": self.deadline,
            }
        )


def _unit_message(plan: UnitPlan) -> Message:
    """Return a plan as JSON knows it."""
    return {
        "key": plan.key,
        "profile": plan.profile.key,
        "model": plan.model.key if plan.model else None,
        "unit_id": plan.unit_id,
        "blocks": None if plan.blocks is None else list(plan.blocks),
        "spans": [asdict(span) for span in plan.spans],
    }


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def decode(line: bytes) -> Message:
    """Return the message in a line. Raises ValueError: too long, no JSON object, another version."""
    if len(line) > MAX_LINE:
        raise ValueError("line is too long")
    try:
        message = json.loads(line, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("line is nested too deeply") from None
    if isinstance(message, dict) and message.get("v") == VERSION:
        return message
    raise ValueError(f"not a message of version {VERSION}")


def _refuse(what: str) -> ReaderError:
    return ReaderError(ErrorCode.BAD_REQUEST, what, stage=Stage.START)


def _expect(condition: object, what: str) -> None:
    """Raise ReaderError(bad_request) unless the condition holds."""
    if not condition:
        raise _refuse(what)


def _seconds(message: Message, key: str) -> float:
    value = message.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _refuse(f"{key} must be a number")
    _expect(0 < value <= LONGEST_DEADLINE, f"{key} is out of range")
    return value


def parse_request(line: bytes) -> Request:
    """Return the request in a line. Raises ReaderError(bad_request) that says what is wrong."""
    try:
        message = decode(line)
    except ValueError as err:
        raise _refuse(str(err)) from err
    unknown = message.keys() - Request.__dataclass_fields__.keys()
    _expect(not unknown, f"unknown fields: {', '.join(sorted(unknown))}")
    operation = message.get("op")
    known = isinstance(operation, str) and operation in set(Operation)
    _expect(known, f"unknown operation {operation!r}")
    number = message.get("id")
    _expect(type(number) is int, "id must be a number")
    units = tuple(_parse_unit(unit) for unit in _list(message, "units"))
    needs_units = operation in (Operation.READ, Operation.WRITE)
    _expect(units or not needs_units, "there is no unit to read")
    changes = tuple(_parse_change(change) for change in _list(message, "changes"))
    _expect(
        bool(changes) == (operation == Operation.WRITE),
        "changes are for op write, and needed there",
    )
    _expect(not changes or units[0].unit_id is not None, "a unit without an ID is not written to")
    _expect(len({change.key for change in changes}) == len(changes), "a setting is changed twice")
    device = _parse_device(message.get("device"))
    _expect(needs_units or not device.virtual, "a virtual device is not looked for")
    keys = {unit.key for unit in units}
    _expect(len(keys) == len(units), "two units have the same key")
    return Request(
        id=message["id"],
        device=device,
        units=units,
        spans=tuple(_parse_span(span) for span in _list(message, "spans")),
        unit_ids=tuple(_parse_unit_id(item) for item in _list(message, "unit_ids")),
        look_at=None if message.get("look_at") is None else _parse_unit_id(message["look_at"]),
        changes=changes,
        virtual_registers=_parse_virtual_registers(message.get("virtual_registers")),
        connect_timeout=_seconds(message, "connect_timeout"),
        budget=_seconds(message, "budget"),
        deadline=_seconds(message, "deadline"),
        op=Operation(message["op"]),
    )


def _list(message: Message, key: str) -> list[Any]:
    found = message.get(key)
    if not isinstance(found, list):
        raise _refuse(f"{key} must be a list")
    return found


def _parse_unit(unit: object) -> UnitPlan:
    """Check what is to be read of a unit; a block that its model does not have is not an error."""
    if not isinstance(unit, dict) or unit.keys() != UnitPlan.__dataclass_fields__.keys():
        raise _refuse("a unit is malformed")
    profile_key, model_key, address, blocks = (
        unit[key] for key in ("profile", "model", "unit_id", "blocks")
    )
    profile = PROFILES.get(profile_key) if isinstance(profile_key, str) else None
    if profile is None:
        raise _refuse(f"unknown profile {profile_key!r}")
    models = {model.key: model for model in profile.models}
    if model_key is not None and (not isinstance(model_key, str) or model_key not in models):
        raise _refuse(f"unknown model {model_key!r}")
    named = isinstance(blocks, list) and all(isinstance(block, str) for block in blocks)
    _expect(blocks is None or named, "blocks must be a list of names")
    _expect(isinstance(unit["key"], str), "a unit's key must be text")
    return UnitPlan(
        key=unit["key"],
        profile=profile,
        model=models[model_key] if model_key is not None else None,
        unit_id=None if address is None else _parse_unit_id(address),
        blocks=None if blocks is None else tuple(blocks),
        spans=tuple(_parse_span(span) for span in _list(unit, "spans")),
    )


def _parse_unit_id(address: object) -> int:
    if type(address) is not int or not 1 <= address <= 255:
        raise _refuse("unit_id must be 1-255")
    return address


def _parse_span(span: object) -> Span:
    """Check registers asked for by number."""
    whole = isinstance(span, dict) and span.keys() == Span.__dataclass_fields__.keys()
    if not isinstance(span, dict) or not whole or not all(type(n) is int for n in span.values()):
        raise _refuse("a span is malformed")
    try:
        return Span(**span)
    except ValueError as err:
        raise _refuse(str(err)) from err


def _parse_change(change: object) -> Change:
    """Check a setting that is to be changed; whether it exists and may be so is the profile's to say."""
    if not isinstance(change, dict) or change.keys() != Change.__dataclass_fields__.keys():
        raise _refuse("a change is malformed")
    key, value = change["key"], change["value"]
    if not isinstance(key, str) or not isinstance(value, bool | int | float | str):
        raise _refuse("a change is malformed")
    return Change(key, value)


def _parse_virtual_registers(registers: object) -> dict[int, int]:
    """Check the registers that a virtual device was written."""
    if not isinstance(registers, dict):
        raise _refuse("virtual_registers is malformed")
    try:
        found = {int(register): word for register, word in registers.items()}
    except ValueError as err:
        raise _refuse("virtual_registers is malformed") from err
    whole = all(type(word) is int and 0 <= word <= 0xFFFF for word in found.values())
    _expect(whole, "virtual_registers is malformed")
    return found


def numbered(registers: Mapping[int, int]) -> dict[str, int]:
    """Return registers as JSON knows them."""
    return {str(register): word for register, word in registers.items()}


def _parse_device(device: object) -> Device:
    """Check the device: the address and the object path name things on the bus, so their form is strict."""
    if not isinstance(device, dict) or device.keys() - Device.__dataclass_fields__.keys():
        raise _refuse("device is malformed")
    address, name = device.get("address"), device.get("name")
    object_path, adapter = device.get("object_path"), device.get("adapter")
    if not isinstance(address, str) or not (address == VIRTUAL or _ADDRESS.fullmatch(address)):
        raise _refuse("device address is malformed")
    if object_path is not None and not (
        isinstance(object_path, str) and _OBJECT_PATH.fullmatch(object_path)
    ):
        raise _refuse("device object_path is malformed")
    _expect(isinstance(name, str), "device name must be text")
    _expect(adapter is None or isinstance(adapter, str), "adapter must be text")
    return Device(address=address, name=str(name), object_path=object_path, adapter=adapter)
