"""Sensors: what the units sent, what follows from it, and what is known about the link."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .bank_sensors import bank_sensors
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .descriptions import cells_of, describe_sensor
from .energy_sensors import BluPowEstimatedEnergy
from .entity import BluPowEntity, BluPowReadingEntity, EntityWhenSeen, add_when_seen
from .lib.blupow_ble.profiles import presentation
from .lib.blupow_ble.profiles.declaration import Computed, Field, unknown
from .lib.blupow_ble.supervisor.schedule import Mode
from .lib.blupow_ble.supervisor.unit_faults import active_faults, worst_fault
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .link_sensors import LINK_SENSORS, BluPowLinkSensorDescription
from .setting_entities import ATTR_WAITING, SCHEDULE, BluPowOfSchedule, add_schedule, entity_key

PARALLEL_UPDATES = 0

UNRECOGNIZED: Final = "unrecognized"
LAST_READ: Final = "last_read"


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors."""
    for coordinator in entry.runtime_data.coordinators:
        async_add_entities([BluPowLinkSensor(coordinator, item) for item in LINK_SENSORS])
        async_add_entities(bank_sensors(coordinator))
        add_schedule(coordinator, async_add_entities, (SCHEDULE,), BluPowScheduleMode)
        add_when_seen(
            coordinator,
            async_add_entities,
            (item for unit in coordinator.supervisor.units for item in _of_unit(coordinator, unit)),
        )


def _of_unit(coordinator: BluPowCoordinator, unit: UnitState) -> Iterator[EntityWhenSeen]:
    """Yield the sensors of a unit: optional ones once it has sent their value."""
    for estimate in unit.estimates:
        yield EntityWhenSeen(
            unit=unit,
            key=estimate.key,
            seen=lambda: True,
            create=partial(BluPowEstimatedEnergy, coordinator, unit, estimate),
        )
    for item in presentation.sensors_of(unit.register_map):
        optional = isinstance(item, Field) and item.optional
        yield EntityWhenSeen(
            unit=unit,
            key=item.key,
            seen=partial(unit.has_sent, item.key) if optional else lambda: True,
            create=partial(BluPowSensor, coordinator, unit, item),
        )
    if unit.profile.faults:
        yield EntityWhenSeen(
            unit=unit,
            key=presentation.WORST_FAULT,
            seen=lambda: unit.active_faults is not None,
            create=partial(BluPowWorstFault, coordinator, unit),
        )


class BluPowLinkSensor(BluPowEntity, SensorEntity):
    """A sensor of the link."""

    entity_description: BluPowLinkSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return what is known about the link."""
        return self.entity_description.value_fn(self.coordinator)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return what belongs to it, where something does."""
        return self.entity_description.attributes_fn(self.coordinator)


class BluPowSensor(BluPowReadingEntity, SensorEntity):
    """A sensor of a value that a unit sends, or that follows from what it sends."""

    _unrecorded_attributes = frozenset({UNRECOGNIZED, LAST_READ})

    def __init__(
        self, coordinator: BluPowCoordinator, unit: UnitState, item: Field | Computed
    ) -> None:
        """Initialize the sensor."""
        if isinstance(item, Field):
            shown = presentation.of_field(item, unit.value(item.key))
        else:
            shown = presentation.of_computed(item)
        super().__init__(coordinator, unit, describe_sensor(shown))
        if isinstance(item, Field) and item.cell is not None:
            self._attr_translation_placeholders = {"number": str(item.cell)}

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value as the unit sent it."""
        value = self.unit.value(self.entity_description.key)
        return None if isinstance(value, list) else value

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return a number that has no name, or when a value of an earlier reading was read."""
        key, snapshot = self.entity_description.key, self.unit.snapshot
        if (number := snapshot.unknown.get(key) if snapshot else None) is not None:
            return {UNRECOGNIZED: unknown(number)}
        if (kept := self.unit.kept(key)) is not None:
            return {LAST_READ: kept.taken_at}
        return None


class BluPowWorstFault(BluPowReadingEntity, SensorEntity):
    """The worst of the faults and alarms that a unit reports."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState) -> None:
        """Initialize the sensor."""
        shown = presentation.of_worst_fault(unit.profile)
        super().__init__(coordinator, unit, describe_sensor(shown))

    @property
    @override
    def native_value(self) -> StateType:
        """Return the worst one; None if this reading did not tell."""
        return worst_fault(self.unit)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return the cells that the worst fault is about."""
        active, worst = active_faults(self.unit, None), self.native_value
        return cells_of(fault for fault in active if fault.state == worst) if active else None


class BluPowScheduleMode(BluPowOfSchedule, SensorEntity):
    """What the schedule of a unit has the device do."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, key: str) -> None:
        """Initialize the sensor."""
        description = SensorEntityDescription(
            key=entity_key(key),
            translation_key=key,
            device_class=SensorDeviceClass.ENUM,
            options=[mode.value for mode in Mode],
        )
        super().__init__(coordinator, unit, description)

    @property
    @override
    def native_value(self) -> StateType:
        """Return the mode that was confirmed last."""
        return self.unit.schedule.mode.value

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return why nothing is done just now, and what is put back at the end."""
        wait = self.coordinator.supervisor.scheduler.waits.get(self.unit.key)
        return {
            ATTR_WAITING: None if wait is None else wait.value,
            "put_back_at_the_end": dict(self.unit.schedule.before),
        }
