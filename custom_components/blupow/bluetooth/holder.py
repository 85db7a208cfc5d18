"""Who else holds the link to a device: it is neither joined nor cut off."""

from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from ..lib.blupow_ble.reader import bluez, link_claim
from .scanners import connected_by


def _held(message: str) -> ReaderError:
    return ReaderError(ErrorCode.HELD_BY_OTHER, message, stage=Stage.START)


def refuse_other_integration(hass: HomeAssistant, address: str) -> None:
    """Raise ReaderError(held_by_other) when Home Assistant itself is connected to a device.

    None of our links stands when this is asked. A proxy may also keep one that nobody uses any more.
    """
    if (scanner := connected_by(hass, address)) is not None:
        raise _held(
            f"{scanner.name} holds a connection to the device: another integration has it, or it was left "
            f"behind; if none has, reload {scanner.name} in Home Assistant, or restart it"
        )


async def refuse_held(hass: HomeAssistant, address: str) -> None:
    """Raise ReaderError(held_by_other) when somebody else of this machine is connected to a device."""
    refuse_other_integration(hass, address)
    if not await bluez.connected_object_paths(address):
        return
    if not await hass.async_add_executor_job(link_claim.left_by_us, address):
        raise _held("another program of this machine is connected to the device")
