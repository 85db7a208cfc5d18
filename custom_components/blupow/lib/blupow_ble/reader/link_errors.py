"""What an exception of bleak or D-Bus means for a link."""

from typing import Final

from bleak.exc import BleakBluetoothNotAvailableError, BleakDeviceNotFoundError
from bleak_retry_connector import BleakNotFoundError, BleakOutOfConnectionSlotsError

from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..protocol.radio import asks_for_pairing, detail_of, text_of

# What BlueZ, bleak and the bus call the causes; the first match counts.
_CAUSES: Final = (
    (
        ErrorCode.ADAPTER_UNAVAILABLE,
        (
            "adapter-not-powered",
            "NotReady",
            "ServiceUnknown",
            "NameHasNoOwner",
            "DBus.Error.Spawn",
            "DBus.Error.NoServer",
            "DBus.Error.Disconnected",
            "DBus.Error.NoReply",
            "org.bluez was not provided",
            "No Bluetooth adapters",
            "NoReply",
            "Disconnected from message bus",
        ),
    ),
    (ErrorCode.NO_SLOT, ("connection slot", "available connection")),
    (ErrorCode.HELD_BY_OTHER, ("InProgress", "abort-by-remote", "refused")),
    (ErrorCode.NOT_ADVERTISING, ("not found", "UnknownObject")),
)

SENTENCES: Final = {
    ErrorCode.ADAPTER_UNAVAILABLE: "the Bluetooth adapter is off, unplugged or not served by BlueZ",
    ErrorCode.NO_SLOT: "the Bluetooth adapter or proxy has no free connection slot",
    ErrorCode.HELD_BY_OTHER: "the device refused the connection; another program or phone may hold it",
    ErrorCode.PAIRING_REQUIRED: "the device asks for pairing, which no Renogy device known does",
    ErrorCode.NOT_ADVERTISING: "Bluetooth does not know the device any more; it was not heard lately",
    ErrorCode.CONNECT_FAILED: "the connection failed",
}


def explain(err: BaseException) -> ReaderError:
    """Return the ReaderError for an exception that bleak or D-Bus raised while connecting."""
    code = _cause(err)
    return ReaderError(code, f"{SENTENCES[code]} ({detail_of(err)})", stage=Stage.CONNECT)


def _cause(err: BaseException) -> ErrorCode:
    """Return the code for an exception, by its type, else by what its text says."""
    chain = [err]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, BleakBluetoothNotAvailableError):
            return ErrorCode.ADAPTER_UNAVAILABLE
        if isinstance(link, BleakOutOfConnectionSlotsError):
            return ErrorCode.NO_SLOT
        if isinstance(link, BleakDeviceNotFoundError | BleakNotFoundError):
            return ErrorCode.NOT_ADVERTISING
    if asks_for_pairing(err):
        return ErrorCode.PAIRING_REQUIRED
    text = text_of(err)
    for code, signs in _CAUSES:
        if any(sign in text for sign in signs):
            return code
    if isinstance(chain[-1], FileNotFoundError | PermissionError | ValueError):
        return ErrorCode.ADAPTER_UNAVAILABLE  # no D-Bus to talk to: no socket, no entry, no address
    return ErrorCode.CONNECT_FAILED


def no_adapter() -> ReaderError:
    """Return the error for an adapter that is not there."""
    code = ErrorCode.ADAPTER_UNAVAILABLE
    return ReaderError(code, SENTENCES[code], stage=Stage.CONNECT)
