"""The base entities, and the one rule of when they are available."""

from typing import override

from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import BluPowCoordinator
from .device import device_info


class BluPowEntity(CoordinatorEntity[BluPowCoordinator]):
    """An entity of a device. Always available: what it tells is known whatever the link does."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: BluPowCoordinator, description: EntityDescription) -> None:
        """Initialize the entity."""
        super().__init__(coordinator)
        self.entity_description = description
        entry = coordinator.config_entry
        unique_id = entry.unique_id or entry.entry_id
        self._attr_unique_id = f"{unique_id}_{description.key}"
        self._attr_device_info = device_info(coordinator)

    @property
    @override
    def available(self) -> bool:
        """Return True: a failed poll does not make the link's story unknown."""
        return True


class BluPowReadingEntity(BluPowEntity):
    """An entity that shows what the device sent: available within the grace of the last reading."""

    @property
    @override
    def available(self) -> bool:
        """Return whether the last reading is still shown."""
        return self.coordinator.within_grace
