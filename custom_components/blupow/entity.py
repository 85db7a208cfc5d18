"""The base entities, and the one rule of when they are available."""

from typing import override

from homeassistant.helpers.entity import EntityDescription
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


def unique_id(coordinator: BluPowCoordinator, unit: UnitState, key: str) -> str:
    """Return the unique id of a unit's entity."""
    parts = (base_id(coordinator), key) if unit.own else (base_id(coordinator), unit.key, key)
    return "_".join(parts)
