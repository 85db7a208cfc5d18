"""The base entities, and the one rule of when they are available."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import override

from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import BluPowCoordinator
from .device import link_device, unit_device
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .units import subentry_id_of


class BluPowEntity(CoordinatorEntity[BluPowCoordinator]):
    """An entity of a link. Always available: what it tells is known whatever the link does."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: BluPowCoordinator, description: EntityDescription) -> None:
        """Initialize the entity."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{coordinator.base_id}_{description.key}"
        self._attr_device_info = link_device(coordinator)

    @property
    @override
    def available(self) -> bool:
        """Return True: a failed poll does not make the link's story unknown."""
        return True


class BluPowReadingEntity(BluPowEntity):
    """An entity that shows what a unit sent: available within the grace of its last reading."""

    def __init__(
        self, coordinator: BluPowCoordinator, unit: UnitState, description: EntityDescription
    ) -> None:
        """Initialize the entity."""
        super().__init__(coordinator, description)
        self.unit = unit
        self._attr_unique_id = unique_id(coordinator, unit, description.key)
        self._attr_device_info = unit_device(coordinator, unit)

    @property
    @override
    def available(self) -> bool:
        """Return whether the last reading is still shown."""
        return self.coordinator.supervisor.health.shows(self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityWhenSeen:
    """An entity that is added once its unit has sent what it shows."""

    unit: UnitState
    key: str
    seen: Callable[[], bool]
    create: Callable[[], BluPowReadingEntity]


@callback
def add_when_seen(
    coordinator: BluPowCoordinator,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entities: Iterable[EntityWhenSeen],
) -> None:
    """Add entities once they are seen, or at once where they were before, under their units' subentries."""
    entry, registry = coordinator.config_entry, er.async_get(coordinator.hass)
    known = {
        registered.unique_id
        for registered in er.async_entries_for_config_entry(registry, entry.entry_id)
    }
    waiting = list(entities)

    @callback
    def add() -> None:
        due = [
            item
            for item in waiting
            if item.seen() or unique_id(coordinator, item.unit, item.key) in known
        ]
        by_subentry: dict[str | None, list[BluPowReadingEntity]] = {}
        for item in due:
            waiting.remove(item)
            subentry_id = subentry_id_of(entry, item.unit)
            by_subentry.setdefault(subentry_id, []).append(item.create())
        for subentry_id, members in by_subentry.items():
            async_add_entities(members, config_subentry_id=subentry_id)

    add()
    entry.async_on_unload(coordinator.async_add_listener(add))


def unique_id(coordinator: BluPowCoordinator, unit: UnitState, key: str) -> str:
    """Return the unique id of a unit's entity."""
    parts = (coordinator.base_id, key) if unit.own else (coordinator.base_id, unit.key, key)
    return "_".join(parts)
