"""Texts in the language of the server, whatever is loaded."""

from unittest.mock import patch

import pytest

from custom_components.blupow.texts import async_load_texts, text
from homeassistant.core import HomeAssistant


@pytest.mark.parametrize("language", ["en", "de", "en-GB"])
async def test_before_there_is_an_entry(hass: HomeAssistant, language: str) -> None:
    """A flow loads them; where there is no translation they are English."""
    hass.config.language = language
    await async_load_texts(hass)
    assert text(hass, "virtual_device", kind="Inverter") == "Virtual Inverter (test mode)"


def test_language_that_was_just_chosen(hass: HomeAssistant) -> None:
    """English until its texts are loaded, and never an error."""
    hass.config.language = "de"

    def cached(_: HomeAssistant, language: str, *__: str) -> dict[str, str]:
        english = {"component.blupow.common.automatic": "Automatic"}
        return english if language == "en" else {}

    with patch("custom_components.blupow.texts.async_get_cached_translations", cached):
        assert text(hass, "automatic") == "Automatic"
        assert text(hass, "recovered", name="Van", minutes="3", step="1") == "recovered"
