"""Binary sensors: the faults and alarms that units report, and what is on or off."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .descriptions import cells_of, describe_binary_sensor
from .entity import BluPowReadingEntity, EntityWhenSeen, add_when_seen
from .lib.blupow_ble.profiles import presentation
from .lib.blupow_ble.profiles.declaration import FaultGroup, Field
from .lib.blupow_ble.supervisor.unit_faults import active_faults, has_fault
from .lib.blupow_ble.supervisor.unit_state import UnitState

PARALLEL_UPDATES = 0

ACTIVE: Final = "active"


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors."""
    for coordinator in entry.runtime_data.coordinators:
        add_when_seen(
            coordinator,
            async_add_entities,
            (item for unit in coordinator.supervisor.units for item in _of_unit(coordinator, unit)),
        )


def _of_unit(coordinator: BluPowCoordinator, unit: UnitState) -> Iterator[EntityWhenSeen]:
    """Yield the binary sensors of a unit."""
    for field in presentation.flags_of(unit.register_map):
        yield EntityWhenSeen(
            unit=unit,
            key=field.key,
            seen=partial(unit.has_sent, field.key) if field.optional else lambda: True,
            create=partial(BluPowFlag, coordinator, unit, field),
        )
    for group in presentation.groups_of(unit.profile):
        yield EntityWhenSeen(
            unit=unit,
            key=presentation.of_group(group).key,
            seen=partial(unit.has_reported, group),
            create=partial(BluPowFault, coordinator, unit, group),
        )


class BluPowFlag(BluPowReadingEntity, BinarySensorEntity):
    """Something that is on or off."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, field: Field) -> None:
        """Initialize the binary sensor of a field."""
        super().__init__(coordinator, unit, describe_binary_sensor(presentation.of_flag(field)))

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether it is on; None if this reading did not tell."""
        value = self.unit.value(self.entity_description.key)
        return value if isinstance(value, bool) else None


class BluPowFault(BluPowReadingEntity, BinarySensorEntity):
    """Whether a unit reports a fault of a group."""

    def __init__(
        self, coordinator: BluPowCoordinator, unit: UnitState, group: FaultGroup | None
    ) -> None:
        """Initialize the binary sensor of a group, or of all of them."""
        super().__init__(coordinator, unit, describe_binary_sensor(presentation.of_group(group)))
        self._group = group

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether a fault is active; None if this reading did not tell of all there may be."""
        return has_fault(self.unit, self._group)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return the active faults, the worst first, and the cells that they are about."""
        if (active := active_faults(self.unit, self._group)) is None:
            return None
        return {ACTIVE: list(dict.fromkeys(fault.state for fault in active))} | cells_of(active)
