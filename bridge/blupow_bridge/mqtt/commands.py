"""The commands that come by MQTT: checked, carried out once, and answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from blupow_ble.protocol.errors import ChangeUnknown, ReaderError
from blupow_ble.reader import answers
from blupow_ble.reader.messages import Message
from blupow_ble.reader.plan import OWN_UNIT, Change
from blupow_ble.reader.result import Outcome, WriteReport
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..device import BridgeDevice
from ..setting_input import Changes
from .topics import RECONNECT

LATEST: Final = 300.0
"""Seconds after which a command is not carried out any more: who gave it may want something else by now."""
FURTHEST_AHEAD: Final = 24 * 3600.0
"""Seconds by which the clock of whoever gives a command may be ahead."""
LARGEST: Final = 16 * 1024
"""Bytes of a command."""

FAILED: Final = "failed"
UNKNOWN: Final = "unknown"
"""The result of a change of which nobody knows whether it was sent."""
_WORST_FIRST: Final = (
    Outcome.UNCONFIRMED,
    Outcome.REFUSED,
    Outcome.WRITTEN,
    Outcome.UNCHANGED,
)


class Refused(Exception):
    """A command that is not carried out, with a code for programs and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        """Keep what is answered."""
        super().__init__(message)
        self.code = code
        self.message = message


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: Annotated[str, Field(max_length=64)] | int | None = None
    """Comes back in the answer."""
    sent: Annotated[float, Field(ge=0)] | None = None
    """When it was given, in seconds since 1970 by the sender's clock."""


class SetCommand(_Command):
    """Change settings of a unit."""

    unit: Annotated[str, Field(max_length=32)] = OWN_UNIT
    changes: Changes


class ReconnectCommand(_Command):
    """Reconnect a device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A command as it has come."""

    command: str
    payload: bytes
    retained: bool
    now: float
    """When it came, in seconds since 1970."""


def parse(received: Received) -> SetCommand | ReconnectCommand:
    """Return what is asked for. Raises Refused."""
    if received.retained:
        raise Refused(
            "retained", "a command must not be retained: it would be carried out for ever"
        )
    if len(received.payload) > LARGEST:
        raise Refused("too_large", f"the command is larger than {LARGEST} bytes")
    kind = ReconnectCommand if received.command == RECONNECT else SetCommand
    try:
        found = kind.model_validate_json(received.payload or b"{}")
    except ValidationError as err:
        faults = (
            f"{'.'.join(str(part) for part in fault['loc']) or 'the command'}: {fault['msg']}"
            for fault in err.errors(include_url=False, include_context=False, include_input=False)
        )
        raise Refused("bad_request", "; ".join(faults)) from err
    if found.sent is not None and found.sent - received.now > FURTHEST_AHEAD:
        raise Refused("bad_request", "sent: it lies in the future; it is in seconds since 1970")
    check_age(found, received.now, received.now)
    return found


def check_age(command: SetCommand | ReconnectCommand, received_at: float, now: float) -> None:
    """Raise Refused where a command was given too long ago. Times are seconds since 1970."""
    age = now - (received_at if command.sent is None else min(command.sent, received_at))
    if age > LATEST:
        raise Refused("late", f"the command was given {age:.0f} s ago")


async def carry_out(device: BridgeDevice, command: SetCommand | ReconnectCommand) -> Message:
    """Do what is asked for; return the answer."""
    try:
        if isinstance(command, ReconnectCommand):
            recovery = await device.supervisor.watchdog.force()
            return answer(command.id, Outcome.WRITTEN.value, seconds=round(recovery.seconds, 1))
        unit = next((item for item in device.supervisor.units if item.key == command.unit), None)
        if unit is None:
            text = f"{device.config.name} has no unit {command.unit!r}"
            return failure(command.id, "no_such_unit", text)
        changes = [Change(key, value) for key, value in command.changes.items()]
        report = await device.supervisor.write(unit, changes)
    except ChangeUnknown as err:
        return failure(command.id, err.code.value, err.message, result=UNKNOWN)
    except ReaderError as err:
        return failure(command.id, err.code.value, err.message)
    return answer(
        command.id,
        result_of(report),
        unit=command.unit,
        settings=answers.written(0, report)["settings"],
    )


def result_of(report: WriteReport) -> str:
    """Return what a change of several settings has come to: the worst of them."""
    outcomes = {setting.outcome for setting in report.settings}
    return next((item.value for item in _WORST_FIRST if item in outcomes), FAILED)


def answer(command_id: str | int | None, result: str, **facts: Any) -> Message:
    """Return an answer; `event_type` is the result once more, as Home Assistant's events have it."""
    return {"id": command_id, "result": result, "event_type": result, "error": None, **facts}


def failure(
    command_id: str | int | None, code: str, message: str, *, result: str = FAILED
) -> Message:
    """Return the answer to a command that was not carried out, or not to its end."""
    error: Mapping[str, str] = {"code": code, "message": message}
    return {"id": command_id, "result": result, "event_type": result, "error": error}
