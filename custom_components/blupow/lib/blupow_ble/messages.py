"""The lines that parent and child exchange: one JSON object a line, version 1."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
import re
from typing import Any, Final, NoReturn, TypeIs

from .errors import ErrorCode, ReaderError, Stage
from .profiles import PROFILES
from .profiles.declaration import Span, Value
from .resilience import parent_deadline
from .result import Reading, Timings

VERSION: Final = 1
MAX_LINE: Final = 1 << 20
VIRTUAL: Final = "virtual"
"""The address of the virtual device."""

_ADDRESS: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
_PATH: Final = re.compile(r"/org/bluez/hci\d+/dev_[0-9A-F]{2}(_[0-9A-F]{2}){5}")
_LONGEST_DEADLINE: Final = parent_deadline(60.0)

type Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The device a request is for. With BlueZ, `path` is its object path; nothing is scanned."""

    address: str
    name: str
    path: str | None = None
    adapter: str | None = None

    @property
    def virtual(self) -> bool:
        """Whether it is the virtual device."""
        return self.address == VIRTUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to read blocks, or a span of registers instead. Times are seconds.

    No unit means that the family's candidates are tried.
    """

    id: int
    device: Device
    profile: str
    model: str | None = None
    unit: int | None = None
    blocks: list[str] | None = None
    span: Span | None = None
    connect_timeout: float
    deadline: float
    op: str = "read"
    v: int = VERSION

    def encode(self) -> bytes:
        """Return the line to send."""
        return encode(asdict(self))


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def decode(line: bytes) -> Message:
    """Return the message in a line. Raises ValueError: too long, no JSON object, another version."""
    if len(line) > MAX_LINE:
        raise ValueError("line is too long")
    message = json.loads(line, parse_constant=_refuse_constant)
    if isinstance(message, dict) and message.get("v") == VERSION:
        return message
    raise ValueError(f"not a message of version {VERSION}")


def _expect[T](condition: object, value: T, what: str) -> T:
    """Return value if the condition holds; raises ReaderError(bad_request)."""
    if not condition:
        raise ReaderError(ErrorCode.BAD_REQUEST, what, stage=Stage.START)
    return value


def _is_seconds(value: object) -> TypeIs[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_request(line: bytes) -> Request:
    """Return the request in a line. Raises ReaderError(bad_request) that says what is wrong."""
    try:
        message = decode(line)
    except ValueError as err:
        raise ReaderError(ErrorCode.BAD_REQUEST, str(err), stage=Stage.START) from err
    unknown = message.keys() - Request.__dataclass_fields__.keys()
    _expect(not unknown, None, f"unknown fields: {', '.join(sorted(unknown))}")
    _expect(message.get("op") == "read", None, f"unknown operation {message.get('op')!r}")
    number = message.get("id")
    _expect(isinstance(number, int), number, "id must be a number")
    profile_key = message.get("profile")
    profile = PROFILES.get(profile_key) if isinstance(profile_key, str) else None
    if profile is None:
        raise ReaderError(
            ErrorCode.BAD_REQUEST, f"unknown profile {profile_key!r}", stage=Stage.START
        )
    models = {model.key for model in profile.models}
    model = message.get("model")
    _expect(model is None or model in models, model, f"unknown model {model!r}")
    unit = message.get("unit")
    _expect(
        unit is None or (isinstance(unit, int) and 1 <= unit <= 255),
        unit,
        "unit must be 1-255",
    )
    connect_timeout, deadline = message.get("connect_timeout"), message.get("deadline")
    if not _is_seconds(connect_timeout) or not 0 < connect_timeout <= _LONGEST_DEADLINE:
        raise ReaderError(
            ErrorCode.BAD_REQUEST, "connect_timeout is out of range", stage=Stage.START
        )
    if not _is_seconds(deadline) or not 0 < deadline <= _LONGEST_DEADLINE:
        raise ReaderError(ErrorCode.BAD_REQUEST, "deadline is out of range", stage=Stage.START)
    return Request(
        id=message["id"],
        device=_parse_device(message.get("device")),
        profile=profile.key,
        model=model,
        unit=unit,
        blocks=_parse_blocks(message.get("blocks")),
        span=_parse_span(message.get("span")),
        connect_timeout=connect_timeout,
        deadline=deadline,
    )


def _parse_blocks(blocks: object) -> list[str] | None:
    """Check the list of blocks; a name that a model does not have is not an error."""
    if blocks is None:
        return None
    if not isinstance(blocks, list) or not all(isinstance(block, str) for block in blocks):
        raise ReaderError(
            ErrorCode.BAD_REQUEST, "blocks must be a list of names", stage=Stage.START
        )
    return blocks


def _parse_span(span: object) -> Span | None:
    """Check the registers asked for by number."""
    if span is None:
        return None
    whole = isinstance(span, dict) and span.keys() == Span.__dataclass_fields__.keys()
    if not isinstance(span, dict) or not whole or not all(type(n) is int for n in span.values()):
        raise ReaderError(ErrorCode.BAD_REQUEST, "span is malformed", stage=Stage.START)
    try:
        return Span(**span)
    except ValueError as err:
        raise ReaderError(ErrorCode.BAD_REQUEST, str(err), stage=Stage.START) from err


def _parse_device(device: object) -> Device:
    """Check the device: the address and the path name things on the bus, so their form is strict."""
    if not isinstance(device, dict) or device.keys() - Device.__dataclass_fields__.keys():
        raise ReaderError(ErrorCode.BAD_REQUEST, "device is malformed", stage=Stage.START)
    address, name = device.get("address"), device.get("name")
    path, adapter = device.get("path"), device.get("adapter")
    if not isinstance(address, str) or not (address == VIRTUAL or _ADDRESS.fullmatch(address)):
        raise ReaderError(ErrorCode.BAD_REQUEST, "device address is malformed", stage=Stage.START)
    if path is not None and not (isinstance(path, str) and _PATH.fullmatch(path)):
        raise ReaderError(ErrorCode.BAD_REQUEST, "device path is malformed", stage=Stage.START)
    _expect(isinstance(name, str), name, "device name must be text")
    _expect(adapter is None or isinstance(adapter, str), adapter, "adapter must be text")
    return Device(address=address, name=str(name), path=path, adapter=adapter)


def hello(pid: int) -> Message:
    """Return the first line of a child."""
    return {"v": VERSION, "event": "hello", "pid": pid}


def progress(number: int, stage: Stage, **facts: float) -> Message:
    """Return the line that tells how far a child is."""
    return {"v": VERSION, "event": "progress", "id": number, "stage": stage, **facts}


def result(number: int, reading: Reading) -> Message:
    """Return the line that carries a reading."""
    message = asdict(reading)
    message["registers"] = {str(start): words for start, words in reading.registers.items()}
    return {"v": VERSION, "event": "result", "id": number, **message}


def error(number: int | None, err: ReaderError) -> Message:
    """Return the line that carries a failure."""
    return {
        "v": VERSION,
        "event": "error",
        "id": number,
        "code": err.code,
        "stage": err.stage,
        "message": err.message,
        "retryable": err.retryable,
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
    timings, values = message["timings"], message["values"]
    for key, value in values.items():
        if not _is_value(value):
            raise TypeError(f"{key} is no value")
    return Reading(
        unit=int(message["unit"]),
        model=None if message["model"] is None else str(message["model"]),
        values=dict(values),
        failed={str(block): ErrorCode(code) for block, code in message["failed"].items()},
        dropped=[str(key) for key in message["dropped"]],
        registers={
            int(start): tuple(int(word) for word in words)
            for start, words in message["registers"].items()
        },
        timings=Timings(connect=float(timings["connect"]), read=float(timings["read"])),
        attempts=int(message["attempts"]),
    )


def _is_value(value: object) -> TypeIs[Value]:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, int | float | str) and not isinstance(value, bool)
