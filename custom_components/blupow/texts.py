"""Texts for people that Home Assistant does not look up by itself, in the language of the server."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations, async_get_translations

from .const import DOMAIN

CATEGORY = "common"
ENTITY = "entity"
ENGLISH = "en"
SETTING_PLATFORMS = (
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SWITCH,
    Platform.TIME,
    Platform.SENSOR,
)


async def async_load_texts(hass: HomeAssistant) -> None:
    """Load the texts; a flow may need them before there is an entry."""
    for category in (CATEGORY, ENTITY):
        await async_get_translations(hass, hass.config.language, category, {DOMAIN})


@callback
def text(hass: HomeAssistant, key: str, **placeholders: str) -> str:
    """Return a text of the integration, with its placeholders filled in.

    In English while the texts of a language that was just chosen are not loaded.
    """
    found = _look_up(hass, CATEGORY, key)
    return key if found is None else found.format(**placeholders)


@callback
def setting_name(hass: HomeAssistant, key: str) -> str:
    """Return the name of a setting, as its entity has it."""
    for platform in SETTING_PLATFORMS:
        if (found := _look_up(hass, ENTITY, f"{platform}.{key}.name")) is not None:
            return found
    return key


@callback
def state_name(hass: HomeAssistant, key: str, value: str) -> str:
    """Return the name of a choice of a setting, as its entity has it."""
    return _look_up(hass, ENTITY, f"{Platform.SELECT}.{key}.state.{value}") or value


def _look_up(hass: HomeAssistant, category: str, key: str) -> str | None:
    """Return a text in the language of the server, else in English; None if there is none."""
    full = f"component.{DOMAIN}.{category}.{key}"
    for language in (hass.config.language, ENGLISH):
        texts = async_get_cached_translations(hass, language, category, DOMAIN)
        if full in texts:
            return texts[full]
    return None
