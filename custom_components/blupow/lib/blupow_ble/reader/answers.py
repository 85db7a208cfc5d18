"""What a child answers, line by line: how far it is, what it has read, found, or changed, what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeIs

from ..profiles import PROFILES
from ..profiles.declaration import Value
from ..profiles.setting_rules import Reason
from ..protocol.errors import ErrorCode, ReaderError, Stage
from .messages import VERSION, Message, numbered
from .result import Finding, Outcome, Reading, SettingReport, Timings, UnitReading, WriteReport


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
        "registers": numbered(report.registers),
        "timings": asdict(report.timings),
        "attempts": report.attempts,
        "virtual_registers": numbered(virtual_registers or {}),
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
