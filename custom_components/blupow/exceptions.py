"""What failed, in the words of Home Assistant's errors."""

from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_exception_message

from .const import DOMAIN
from .lib.blupow_ble.protocol.errors import ReaderError
from .lib.blupow_ble.supervisor.exclusive import Interrupted


def _key(err: ReaderError) -> str:
    return "interrupted" if isinstance(err, Interrupted) else err.code


def placeholders(err: ReaderError, name: str) -> dict[str, str]:
    """Return what the texts of errors name."""
    return {"name": name, "detail": err.message}


def message_of(err: ReaderError, name: str) -> str:
    """Return what is wrong with a device and what to do, as a sentence for people."""
    return f"{async_get_exception_message(DOMAIN, _key(err), placeholders(err, name))}."


def failure(err: ReaderError, name: str) -> HomeAssistantError:
    """Return the error that an action or a button raises."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=_key(err),
        translation_placeholders=placeholders(err, name),
    )
