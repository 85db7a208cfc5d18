"""What can go wrong with a reading: one code for each cause that a user can tell apart."""

from enum import StrEnum
from typing import override


class ErrorCode(StrEnum):
    """Causes of a failed reading, as they cross the process border and reach the user."""

    NOT_ADVERTISING = "not_advertising"
    NO_CONNECTABLE_SCANNER = "no_connectable_scanner"
    ADAPTER_UNAVAILABLE = "adapter_unavailable"
    NO_SLOT = "no_slot"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_FAILED = "connect_failed"
    HELD_BY_OTHER = "held_by_other"
    PAIRING_REQUIRED = "pairing_required"
    SERVICE_MISSING = "service_missing"
    NO_RESPONSE = "no_response"
    BAD_FRAME = "bad_frame"
    WRONG_UNIT = "wrong_unit"
    MODBUS_EXCEPTION = "modbus_exception"
    CHANGES_NOT_ALLOWED = "changes_not_allowed"
    BRIDGE_UNREACHABLE = "bridge_unreachable"
    READER_CRASHED = "reader_crashed"
    READER_TIMEOUT = "reader_timeout"
    BAD_REPLY = "bad_reply"
    BAD_REQUEST = "bad_request"


class Stage(StrEnum):
    """Steps of one reading, in their order."""

    START = "start"
    CONNECT = "connect"
    SERVICES = "services"
    READ = "read"
    WRITE = "write"
    DISCONNECT = "disconnect"


class ReaderError(Exception):
    """A reading or a write that failed, with the cause as a code and the step it failed in."""

    def __init__(self, code: ErrorCode, message: str, *, stage: Stage = Stage.READ) -> None:
        """Keep the code, a sentence for people, and the step."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.stage = stage

    @override
    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class ReaderCannotStart(ReaderError):
    """No reader process can be started here, now or later: no interpreter, no permission, no library."""

    def __init__(self, message: str) -> None:
        """Keep the reason."""
        super().__init__(ErrorCode.READER_CRASHED, message, stage=Stage.START)


class ChangeUnknown(ReaderError):
    """A change that may have been sent: nobody knows whether the device has taken it."""
