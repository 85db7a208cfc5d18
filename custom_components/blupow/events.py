"""What happens to a link, as the event entity and the event bus tell it."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from homeassistant.const import ATTR_DEVICE_ID, ATTR_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from .const import DOMAIN

if TYPE_CHECKING:
    from .runtime import BluPowConfigEntry


class LinkEvent(StrEnum):
    """What happens to a link."""

    CONNECTION_LOST = "connection_lost"
    """No fresh reading within the grace time: the values are unavailable."""
    CONNECTION_RESTORED = "connection_restored"
    """A fresh reading after that."""
    RECOVERY = "recovery"
    """A recovery has ended, with a fresh reading or without."""

    @property
    def event_type(self) -> str:
        """The name on Home Assistant's event bus."""
        return f"{DOMAIN}_{self.value}"

    @property
    def short(self) -> str:
        """The name as the event entity of a connection has it."""
        return self.value.removeprefix("connection_")


def signal(entry: BluPowConfigEntry) -> SignalType[LinkEvent, dict[str, Any]]:
    """Return the signal that carries what happens to an entry's link."""
    return SignalType(f"{DOMAIN}_{entry.entry_id}_event")


@callback
def link_device_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> dr.DeviceEntry | None:
    """Return the device that the link leads to: of several units the module that they share."""
    identifier = (DOMAIN, entry.unique_id or entry.entry_id)
    return dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)


@callback
def fire(
    hass: HomeAssistant, entry: BluPowConfigEntry, event: LinkEvent, facts: dict[str, Any]
) -> None:
    """Tell everybody what has happened to a device's link."""
    device = link_device_entry(hass, entry)
    about = {
        ATTR_DEVICE_ID: device.id if device else None,
        "entry_id": entry.entry_id,
        ATTR_NAME: entry.title,
    }
    hass.bus.async_fire(event.event_type, about | facts)
    async_dispatcher_send(hass, signal(entry), event, facts)
