"""Names that several modules share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "blupow"
MANUFACTURER: Final = "Renogy"

CONF_PROFILE: Final = "profile"
CONF_UNIT_ID: Final = "unit_id"
CONF_SERIAL_NUMBER: Final = "serial_number"

SUBENTRY_UNIT: Final = "unit"
"""The kind of subentry that a further unit behind a module is."""

EARLY_PLATFORMS: Final = [Platform.EVENT]
"""Set up before the first reading, which may be an event already."""
PLATFORMS: Final = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.TIME,
]
