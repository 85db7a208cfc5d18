"""The event entity of a connection: lost, restored, a recovery has ended."""

from typing import Any, Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry
from .entity import BluPowEntity
from .events import short_name, signal
from .lib.blupow_ble.supervisor.protocols import LinkEvent

PARALLEL_UPDATES = 0

CONNECTION: Final = EventEntityDescription(
    key="connection",
    translation_key="connection",
    event_types=[short_name(event) for event in LinkEvent],
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entity."""
    async_add_entities([BluPowConnectionEvent(entry.runtime_data, CONNECTION)])


class BluPowConnectionEvent(BluPowEntity, EventEntity):
    """What has happened to the connection."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for events."""
        await super().async_added_to_hass()
        entry = self.coordinator.config_entry
        self.async_on_remove(async_dispatcher_connect(self.hass, signal(entry), self._on_event))

    @callback
    def _on_event(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        """Show an event, with its facts as attributes."""
        self._trigger_event(short_name(event), facts)
        self.async_write_ha_state()
