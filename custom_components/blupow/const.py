"""Names that several modules share."""

from enum import StrEnum
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "blupow"
MANUFACTURER: Final = "Renogy"

CONF_PROFILE: Final = "profile"
CONF_UNIT: Final = "unit"
CONF_SERIAL_NUMBER: Final = "serial_number"

SUBENTRY_UNIT: Final = "unit"
"""The kind of subentry that a further unit behind a module is."""

EARLY_PLATFORMS: Final = [Platform.EVENT]
"""Set up before the first reading, which may be an event already."""
PLATFORMS: Final = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR]


class RouteKind(StrEnum):
    """The ways to a device."""

    ISOLATED = "isolated"
    """A child process that talks to BlueZ."""
    IN_PROCESS = "in_process"
    """Home Assistant's own Bluetooth, and with it its proxies."""
    VIRTUAL = "virtual"
    """A child process with a virtual device in it."""
