"""Whether reader processes can be started here: where they cannot, devices are read in-process."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..lib.blupow_ble.protocol.errors import ReaderError

_WHY_NOT: HassKey[str] = HassKey(f"{DOMAIN}_no_reader_processes")


@callback
def why_no_process(hass: HomeAssistant) -> str | None:
    """Return why no reader process could be started; None where nothing is known against it."""
    return hass.data.get(_WHY_NOT)


@callback
def note_no_process(hass: HomeAssistant, err: ReaderError) -> None:
    """Start none any more: what keeps one from starting keeps all, and does not go by itself."""
    hass.data[_WHY_NOT] = err.message


@callback
def try_processes(hass: HomeAssistant) -> None:
    """Start one again with the next reading."""
    hass.data.pop(_WHY_NOT, None)
