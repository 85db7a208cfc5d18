"""Binary sensors: whether the device reports a fault."""

from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import BluPowReadingEntity
from .runtime import BluPowConfigEntry

PARALLEL_UPDATES = 0

FAULTS: Final = "faults"
FAULT: Final = BinarySensorEntityDescription(
    key="fault", translation_key="fault", device_class=BinarySensorDeviceClass.PROBLEM
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the fault sensor once the device has sent its faults."""
    coordinator = entry.runtime_data.coordinator
    added = False

    @callback
    def add_fault() -> None:
        nonlocal added
        if not added and isinstance(coordinator.value(FAULTS), list):
            added = True
            async_add_entities([BluPowFault(coordinator, FAULT)])

    add_fault()
    entry.async_on_unload(coordinator.async_add_listener(add_fault))


class BluPowFault(BluPowReadingEntity, BinarySensorEntity):
    """Whether the device reports a fault."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether a fault is active; None if this reading did not tell."""
        faults = self.coordinator.value(FAULTS)
        return bool(faults) if isinstance(faults, list) else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return the active faults."""
        faults = self.coordinator.value(FAULTS)
        return {"active": faults} if isinstance(faults, list) else None
