"""What bleak and D-Bus raise when the radio or the bus fails, and what some of it means."""

import sys
from typing import Final

from bleak.exc import BleakError

RADIO_ERRORS: tuple[type[Exception], ...] = (BleakError, OSError, EOFError)

if sys.platform == "linux":
    from dbus_fast.errors import DBusFastError

    RADIO_ERRORS = (*RADIO_ERRORS, DBusFastError)

_PAIRING_SIGNS: Final = (
    "Error.AuthenticationFailed",
    "Error.AuthenticationRejected",
    "Error.AuthenticationCanceled",
    "Error.AuthenticationTimeout",
    "insufficient authentication",
    "insufficient encryption",
    "insufficient authorization",
    "insufficient_authentication",
    "insufficient_encryption",
    "insufficient_authorization",
    "not paired",
    "notpaired",
)
"""How BlueZ, bleak and ESPHome's proxies tell of a device that asks for pairing."""


def text_of(err: BaseException) -> str:
    """Return what an exception and its causes say, with the names of D-Bus errors."""
    texts: list[str] = []
    link: BaseException | None = err
    while link is not None:
        name = getattr(link, "dbus_error", None)
        texts.append(f"{name} {link}" if name else str(link))
        link = link.__cause__
    return " ".join(texts)


def detail_of(err: BaseException) -> str:
    """Return what an exception says, or what it is where it says nothing."""
    return str(err) or type(err).__name__


def asks_for_pairing(err: BaseException) -> bool:
    """Whether an exception says that the device wants to be paired with first."""
    text = text_of(err).lower()
    return any(sign.lower() in text for sign in _PAIRING_SIGNS)
