"""Sensors: what the units sent, what follows from it, and what is known about the link."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .bank_sensors import bank_sensors
from .coordinator import BluPowCoordinator
from .descriptions import (
    LIST_KINDS,
    NONE,
    ON_THE_DEVICE_PAGE,
    WORST_FAULT,
    describe,
    describe_computed,
    describe_worst_fault,
    translation_of,
)
from .energy_sensors import BluPowEstimatedEnergy
from .entity import BluPowEntity, BluPowReadingEntity, add_of_units, unique_id
from .lib.blupow_ble.profiles.declaration import Computed, Estimate, Field, Kind, unknown
from .link_sensors import LINK_SENSORS, BluPowLinkSensorDescription
from .runtime import BluPowConfigEntry
from .units import UnitState

PARALLEL_UPDATES = 0

UNRECOGNIZED: Final = "unrecognized"
LAST_READ: Final = "last_read"


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors; optional ones once the unit has sent their value, now or before."""
    coordinator = entry.runtime_data.coordinator
    async_add_entities(BluPowLinkSensor(coordinator, description) for description in LINK_SENSORS)
    async_add_entities(bank_sensors(coordinator))
    add_of_units(
        async_add_entities,
        (
            BluPowEstimatedEnergy(coordinator, unit, estimate)
            for unit in coordinator.units
            for estimate in estimates_of(unit)
        ),
    )
    known_before = {
        registered.unique_id
        for registered in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    }
    waiting = [(unit, item) for unit in coordinator.units for item in sensors_of(unit)]

    @callback
    def add_sensors() -> None:
        due = [
            (unit, item)
            for unit, item in waiting
            if not (isinstance(item, Field) and item.optional)
            or unit.has_sent(item.key)
            or unique_id(coordinator, unit, item.key) in known_before
        ]
        for found in due:
            waiting.remove(found)
        if due:
            add_of_units(
                async_add_entities, (BluPowSensor(coordinator, unit, item) for unit, item in due)
            )

    add_sensors()
    entry.async_on_unload(coordinator.async_add_listener(add_sensors))
    unknown = [unit for unit in coordinator.units if unit.profile.faults]

    @callback
    def add_worst_faults() -> None:
        due = [
            unit
            for unit in unknown
            if unit.active_faults is not None
            or unique_id(coordinator, unit, WORST_FAULT) in known_before
        ]
        for unit in due:
            unknown.remove(unit)
        if due:
            add_of_units(async_add_entities, (BluPowWorstFault(coordinator, unit) for unit in due))

    add_worst_faults()
    entry.async_on_unload(coordinator.async_add_listener(add_worst_faults))


def sensors_of(unit: UnitState) -> Iterable[Field | Computed]:
    """Go through what becomes a sensor of a unit."""
    for field in unit.register_map.fields:
        if field.about not in ON_THE_DEVICE_PAGE and field.kind not in (Kind.FLAG, *LIST_KINDS):
            yield field
    yield from unit.register_map.computed


def estimates_of(unit: UnitState) -> list[Estimate]:
    """Return the energies that are integrated for a unit: those of powers that its model has."""
    powers = {computed.key for computed in unit.register_map.computed}
    return [estimate for estimate in unit.profile.estimates if estimate.power in powers]


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
            described = describe(item, unit.value(item.key))
        else:
            described = describe_computed(item)
        super().__init__(coordinator, unit, described)
        self._attr_translation_placeholders = translation_of(item.key)[1]

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
        super().__init__(coordinator, unit, describe_worst_fault(unit.profile))

    @property
    @override
    def native_value(self) -> StateType:
        """Return the worst one; None if this reading did not tell."""
        if worst := self.unit.profile.worst(self.unit.active_faults or ()):
            return worst
        return NONE if self.unit.active_faults is not None and self.unit.knows(None) else None
