"""Names that several modules share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "blupow"
MANUFACTURER: Final = "Renogy"

CONF_PROFILE: Final = "profile"
CONF_UNIT: Final = "unit"

PLATFORMS: Final = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR]
