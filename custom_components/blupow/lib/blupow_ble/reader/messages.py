"""The lines that parent and child exchange: one JSON object a line, version 1."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
import json
import math
import re
from typing import Any, Final, NoReturn, TypeIs

from ..profiles import PROFILES
from ..profiles.declaration import Span, Value
from ..profiles.setting_rules import Reason
from ..protocol.errors import ErrorCode, ReaderError, Stage
from .plan import Change, UnitPlan
from .result import Finding, Outcome, Reading, SettingReport, Timings, UnitReading, WriteReport
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
                "virtual_registers": _numbered(self.virtual_registers),
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


def _numbered(registers: Mapping[int, int]) -> dict[str, int]:
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


def hello(pid: int) -> Message:
    """Return the first line of a child."""
    return {"v": VERSION, "event": "hello", "pid": pid}


def progress(number: int, stage: Stage, **facts: float) -> Message:
    """Return the line that tells how far a child is."""
    return {"v": VERSION, "event": "progress", "id": number, "stage": stage, **facts}


def result(number: int, reading: Reading) -> Message:
    """Return the line that carries a reading."""
    units = {}
    for key, unit in reading.units.items():
        units[key] = asdict(unit)
        units[key]["registers"] = {str(start): words for start, words in unit.registers.items()}
    return {
        "v": VERSION,
        "event": "result",
        "id": number,
        "units": units,
        "unresponsive": reading.unresponsive,
        "found": [asdict(finding) for finding in reading.found],
        "timings": asdict(reading.timings),
        "attempts": reading.attempts,
    }


def found(number: int, findings: Sequence[Finding]) -> Message:
    """Return the line that carries the units that were found."""
    units = [asdict(finding) for finding in findings]
    return {"v": VERSION, "event": "found", "id": number, "units": units}


def written(
    number: int, report: WriteReport, virtual_registers: Mapping[int, int] | None = None
) -> Message:
    """Return the line that carries what has become of settings, and of a virtual device's registers."""
    return {
        "v": VERSION,
        "event": "written",
        "id": number,
        "settings": [asdict(setting) for setting in report.settings],
        "registers": _numbered(report.registers),
        "timings": asdict(report.timings),
        "attempts": report.attempts,
        "virtual_registers": _numbered(virtual_registers or {}),
    }


def error(number: int | None, err: ReaderError) -> Message:
    """Return the line that carries a failure."""
    return {
        "v": VERSION,
        "event": "error",
        "id": number,
        "code": err.code,
        "stage": err.stage,
        "message": err.message,
    }


def parse_error(message: Message) -> ReaderError:
    """Return the failure in a message. Raises ValueError, KeyError or TypeError if it is malformed."""
    return ReaderError(
        ErrorCode(message["code"]),
        str(message["message"]),
        stage=Stage(message["stage"]),
    )


def parse_result(message: Message) -> Reading:
    """Return the reading in a message. Raises ValueError, KeyError or TypeError if it is malformed."""
    timings = message["timings"]
    units = {str(key): _parse_unit_reading(unit) for key, unit in message["units"].items()}
    if not units:
        raise ValueError("no unit was read")
    return Reading(
        units=units,
        unresponsive={str(key): ErrorCode(code) for key, code in message["unresponsive"].items()},
        found=tuple(_parse_finding(unit) for unit in message["found"]),
        timings=Timings(connect=float(timings["connect"]), read=float(timings["read"])),
        attempts=int(message["attempts"]),
    )


def _parse_unit_reading(unit: Message) -> UnitReading:
    for key, value in unit["values"].items():
        if not is_value(value):
            raise TypeError(f"{key} is no value")
    return UnitReading(
        unit_id=None if unit["unit_id"] is None else int(unit["unit_id"]),
        model=None if unit["model"] is None else str(unit["model"]),
        values=dict(unit["values"]),
        failed={str(block): ErrorCode(code) for block, code in unit["failed"].items()},
        dropped=[str(key) for key in unit["dropped"]],
        unknown={str(key): int(number) for key, number in unit["unknown"].items()},
        registers={
            int(start): tuple(int(word) for word in words)
            for start, words in unit["registers"].items()
        },
    )


def parse_found(message: Message) -> list[Finding]:
    """Return the units in a message. Raises ValueError, KeyError or TypeError if it is malformed."""
    return [_parse_finding(unit) for unit in message["units"]]


def parse_written(message: Message) -> tuple[WriteReport, dict[int, int]]:
    """Return the report in a message, and what a virtual device keeps.

    Raises ValueError, KeyError or TypeError if it is malformed.
    """
    timings = message["timings"]
    report = WriteReport(
        settings=tuple(_parse_setting_report(setting) for setting in message["settings"]),
        registers=_words(message["registers"]),
        timings=Timings(connect=float(timings["connect"]), read=float(timings["read"])),
        attempts=int(message["attempts"]),
    )
    return report, _words(message["virtual_registers"])


def _words(registers: Mapping[str, Any]) -> dict[int, int]:
    return {int(register): int(word) for register, word in registers.items()}


def _parse_setting_report(setting: Message) -> SettingReport:
    for key in ("wanted", "before", "now"):
        if not isinstance(setting[key], bool | int | float | str | None):
            raise TypeError(f"{key} is no value of a setting")
    reason = setting["reason"]
    return SettingReport(
        key=str(setting["key"]),
        outcome=Outcome(setting["outcome"]),
        wanted=setting["wanted"],
        before=setting["before"],
        now=setting["now"],
        sent=bool(setting["sent"]),
        reason=None if reason is None else Reason(reason),
        facts={str(name): str(fact) for name, fact in setting["facts"].items()},
    )


def _parse_finding(unit: Message) -> Finding:
    return Finding(
        unit_id=None if unit["unit_id"] is None else int(unit["unit_id"]),
        profile=PROFILES[unit["profile"]].key,
        model=_text(unit["model"]),
        model_text=_text(unit["model_text"]),
        serial_number=_text(unit["serial_number"]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def is_value(value: object) -> TypeIs[Value]:
    """Whether something is a value, as JSON knows it."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, int | float | str)
