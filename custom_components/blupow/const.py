"""Names that several modules share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "blupow"
MANUFACTURER: Final = "Renogy"

CONF_PROFILE: Final = "profile"
CONF_UNIT: Final = "unit"
CONF_MORE_UNITS: Final = "more_units"
CONF_KEY: Final = "key"
CONF_SERIAL_NUMBER: Final = "serial_number"

EARLY_PLATFORMS: Final = [Platform.EVENT]
"""Set up before the first reading, which may be an event already."""
PLATFORMS: Final = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR]
