"""Why a connection to a broker could not be made, or was lost: from what the client says."""

from enum import StrEnum
import ssl
from typing import Final

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from .credentials import CredentialsUnknown
from .tls import CertificateUnusable


class Cause(StrEnum):
    """Why there is no connection."""

    UNREACHABLE = "unreachable"
    """Nothing answers at that address."""
    NO_ANSWER = "no_answer"
    """It is reached, and does not answer, or does not acknowledge."""
    CREDENTIALS_REFUSED = "credentials_refused"
    CREDENTIALS_UNKNOWN = "credentials_unknown"
    """The password could not be read."""
    CERTIFICATE_REFUSED = "certificate_refused"
    """Of the broker by this bridge, or the other way round."""
    CERTIFICATE_UNUSABLE = "certificate_unusable"
    """A file of a certificate, or of a key, could not be read."""
    TLS_FAILED = "tls_failed"
    PROTOCOL_REFUSED = "protocol_refused"
    """The broker does not have this version of MQTT."""
    TAKEN_OVER = "taken_over"
    """Another client has connected by the same identifier."""
    REFUSED = "refused"
    """By the broker, for another reason."""
    CLOSED = "closed"
    """The connection has ended, or was cut."""


TEXTS: Final = {
    Cause.UNREACHABLE: "the broker cannot be reached",
    Cause.NO_ANSWER: "the broker does not answer",
    Cause.CREDENTIALS_REFUSED: "the broker refuses the username or the password",
    Cause.CREDENTIALS_UNKNOWN: "the password cannot be read",
    Cause.CERTIFICATE_REFUSED: "a certificate is refused",
    Cause.CERTIFICATE_UNUSABLE: "a certificate cannot be read",
    Cause.TLS_FAILED: "there is no secure connection",
    Cause.PROTOCOL_REFUSED: "the broker does not have this version of MQTT",
    Cause.TAKEN_OVER: "another client has connected by the same identifier",
    Cause.REFUSED: "the broker refuses the connection",
    Cause.CLOSED: "the connection has ended",
}

# CONNACK and DISCONNECT reason codes of MQTT 5; paho gives those of 3.1.1 in the same form
_REASONS: Final = {
    0x84: Cause.PROTOCOL_REFUSED,
    0x86: Cause.CREDENTIALS_REFUSED,
    0x87: Cause.CREDENTIALS_REFUSED,
    0x8C: Cause.CREDENTIALS_REFUSED,
    0x8D: Cause.NO_ANSWER,
    0x8E: Cause.TAKEN_OVER,
}
_TIMED_OUT: Final = "Operation timed out"
"""What aiomqtt says where no answer has come in time."""
_LOST: Final = frozenset({0x00, 0x80})
"""How paho says that a connection has ended without a reason."""


def cause_of(err: BaseException) -> tuple[Cause, str]:
    """Return why an attempt has failed, or a session has ended, and the words of whoever said so."""
    match err:
        case CredentialsUnknown():
            return Cause.CREDENTIALS_UNKNOWN, str(err)
        case CertificateUnusable():
            return Cause.CERTIFICATE_UNUSABLE, str(err)
        case aiomqtt.MqttCodeError(rc=ReasonCode() as reason):
            return _of_reason(reason, refused=isinstance(err, MqttConnectError))
        case aiomqtt.MqttError() if str(err) == _TIMED_OUT:
            return Cause.NO_ANSWER, "no answer in time"
    # aiomqtt hides what the socket said, but keeps it
    inner = err if isinstance(err, OSError) else err.__cause__ or err.__context__
    match inner:
        case aiomqtt.MqttCodeError():
            return cause_of(inner)
        case ssl.SSLError():
            return cause_of_tls(inner)
        case TimeoutError() if inner is err:
            return Cause.NO_ANSWER, "no handshake in time"
        case ConnectionError() if not isinstance(inner, ConnectionRefusedError):
            return Cause.CLOSED, _words(inner)
        case OSError():
            return Cause.UNREACHABLE, _words(inner)
    return Cause.CLOSED, str(err)


def cause_of_tls(err: ssl.SSLError) -> tuple[Cause, str]:
    """Return why a secure connection could not be made."""
    if isinstance(err, ssl.SSLCertVerificationError):
        return Cause.CERTIFICATE_REFUSED, f"that of the broker: {err.verify_message}"
    reason = err.reason or str(err)
    words = reason.lower().replace("_", " ")
    if "ALERT" in reason and any(part in reason for part in ("CERTIFICATE", "UNKNOWN_CA")):
        return Cause.CERTIFICATE_REFUSED, f"that of this bridge, by the broker: {words}"
    return Cause.TLS_FAILED, words


def _of_reason(reason: ReasonCode, *, refused: bool) -> tuple[Cause, str]:
    code = int(reason.value)
    if (cause := _REASONS.get(code)) is not None:
        return cause, str(reason)
    if refused:
        return Cause.REFUSED, str(reason)
    return Cause.CLOSED, "cut" if code in _LOST else str(reason)


def _words(err: OSError) -> str:
    return err.strerror or str(err) or type(err).__name__
