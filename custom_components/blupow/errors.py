"""What failed, in the words of Home Assistant's errors."""

from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_exception_message

from .const import DOMAIN
from .lib.blupow_ble.errors import ReaderError


def message_of(err: ReaderError, name: str) -> str:
    """Return what is wrong with a device and what to do, as a sentence for people."""
    return async_get_exception_message(DOMAIN, err.code, {"name": name})


def failure(err: ReaderError, name: str) -> HomeAssistantError:
    """Return the error that an action or a button raises."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=err.code,
        translation_placeholders={"name": name},
    )
