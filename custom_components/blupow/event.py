"""The event entities: what has happened to a connection, and what a schedule has done."""

from typing import Any, Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .entity import BluPowEntity
from .events import schedule_signal, short_name, signal
from .lib.blupow_ble.supervisor.protocols import LinkEvent, ScheduleEvent
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .setting_entities import SCHEDULE, BluPowOfSchedule, add_schedule, entity_key

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
    """Set up the event entities."""
    for coordinator in entry.runtime_data.coordinators:
        async_add_entities([BluPowConnectionEvent(coordinator, CONNECTION)])
        add_schedule(coordinator, async_add_entities, (SCHEDULE,), BluPowScheduleEvent)


class BluPowConnectionEvent(BluPowEntity, EventEntity):
    """What has happened to the connection."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for events."""
        await super().async_added_to_hass()
        listened_to = signal(self.coordinator)
        self.async_on_remove(async_dispatcher_connect(self.hass, listened_to, self._on_event))

    @callback
    def _on_event(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        """Show an event, with its facts as attributes."""
        self._trigger_event(short_name(event), facts)
        self.async_write_ha_state()


class BluPowScheduleEvent(BluPowOfSchedule, EventEntity):
    """What the schedule of a unit has done."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, key: str) -> None:
        """Initialize the event entity."""
        description = EventEntityDescription(
            key=entity_key(key),
            translation_key=key,
            event_types=[event.value for event in ScheduleEvent],
        )
        super().__init__(coordinator, unit, description)

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for events."""
        await super().async_added_to_hass()
        listened_to = schedule_signal(self.coordinator, self.unit)
        self.async_on_remove(async_dispatcher_connect(self.hass, listened_to, self._on_event))

    @callback
    def _on_event(self, event: ScheduleEvent, facts: dict[str, Any]) -> None:
        """Show an event, with its facts as attributes."""
        self._trigger_event(event.value, facts)
        self.async_write_ha_state()
