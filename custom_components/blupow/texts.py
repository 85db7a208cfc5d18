"""Texts for people that Home Assistant does not look up by itself, in the language of the server."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations, async_get_translations

from .const import DOMAIN

CATEGORY = "common"
ENGLISH = "en"


async def async_load_texts(hass: HomeAssistant) -> None:
    """Load the texts; a flow may need them before there is an entry."""
    await async_get_translations(hass, hass.config.language, CATEGORY, {DOMAIN})


@callback
def text(hass: HomeAssistant, key: str, **placeholders: str) -> str:
    """Return a text of the integration, with its placeholders filled in.

    In English while the texts of a language that was just chosen are not loaded.
    """
    full = f"component.{DOMAIN}.{CATEGORY}.{key}"
    for language in (hass.config.language, ENGLISH):
        texts = async_get_cached_translations(hass, language, CATEGORY, DOMAIN)
        if full in texts:
            return texts[full].format(**placeholders)
    return key
