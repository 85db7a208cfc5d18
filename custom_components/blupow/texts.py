"""Texts for people that Home Assistant does not look up by itself, in the language of the server."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN

CATEGORY = "common"


@callback
def text(hass: HomeAssistant, key: str, **placeholders: str) -> str:
    """Return a text of the integration, with its placeholders filled in."""
    texts = async_get_cached_translations(hass, hass.config.language, CATEGORY, DOMAIN)
    return texts[f"component.{DOMAIN}.{CATEGORY}.{key}"].format(**placeholders)
