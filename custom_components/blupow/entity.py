"""The base entities, and the one rule of when they are available."""

from collections.abc import Iterable
from typing import override

from homeassistant.core import callback
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import BluPowCoordinator
from .device import base_id, link_device, unit_device
from .units import UnitState


class BluPowEntity(CoordinatorEntity[BluPowCoordinator]):
    """An entity of a link. Always available: what it tells is known whatever the link does."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: BluPowCoordinator, description: EntityDescription) -> None:
        """Initialize the entity."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{base_id(coordinator)}_{description.key}"
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
        return self.coordinator.shows(self.unit)


@callback
def add_of_units(
    async_add_entities: AddConfigEntryEntitiesCallback, entities: Iterable[BluPowReadingEntity]
) -> None:
    """Add entities of units, each under the subentry of its unit."""
    by_subentry: dict[str | None, list[BluPowReadingEntity]] = {}
    for entity in entities:
        by_subentry.setdefault(entity.unit.subentry_id, []).append(entity)
    for subentry_id, members in by_subentry.items():
        async_add_entities(members, config_subentry_id=subentry_id)


def unique_id(coordinator: BluPowCoordinator, unit: UnitState, key: str) -> str:
    """Return the unique id of a unit's entity."""
    parts = (base_id(coordinator), key) if unit.own else (base_id(coordinator), unit.key, key)
    return "_".join(parts)
