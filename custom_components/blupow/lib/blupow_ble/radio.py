"""What bleak and D-Bus raise when the radio or the bus fails."""

import sys

from bleak.exc import BleakError

RADIO_ERRORS: tuple[type[Exception], ...] = (BleakError, OSError, EOFError)

if sys.platform == "linux":
    from dbus_fast.errors import DBusFastError

    RADIO_ERRORS = (*RADIO_ERRORS, DBusFastError)
