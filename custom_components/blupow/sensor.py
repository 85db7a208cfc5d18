"""Sensors: what the device sent, and what is known about the link."""

from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .coordinator import BluPowCoordinator
from .entity import BluPowEntity, BluPowReadingEntity
from .lib.blupow_ble.profiles.declaration import About, Field, Kind, Unit
from .link_sensors import LINK_SENSORS, NONE, BluPowLinkSensorDescription
from .runtime import BluPowConfigEntry

PARALLEL_UPDATES = 0

DEVICE_CLASSES: Final = {
    Unit.VOLT: SensorDeviceClass.VOLTAGE,
    Unit.AMPERE: SensorDeviceClass.CURRENT,
    Unit.WATT: SensorDeviceClass.POWER,
    Unit.VOLT_AMPERE: SensorDeviceClass.APPARENT_POWER,
    Unit.HERTZ: SensorDeviceClass.FREQUENCY,
    Unit.CELSIUS: SensorDeviceClass.TEMPERATURE,
    Unit.KILOWATT_HOUR: SensorDeviceClass.ENERGY,
    Unit.MINUTE: SensorDeviceClass.DURATION,
    Unit.HOUR: SensorDeviceClass.DURATION,
}
BATTERY_LEVELS: Final = frozenset({"battery_percentage"})
DISABLED: Final = frozenset(
    {"inverter_time_today", "bypass_time_today", "inverter_time_total", "bypass_time_total"}
)
"""Rarely wanted, hence not enabled by default."""
ON_THE_DEVICE_PAGE: Final = frozenset({About.SERIAL_NUMBER, About.VERSION})


def describe(field: Field) -> SensorEntityDescription:
    """Return the description of a field's sensor."""
    diagnostic = field.about is not None or field.key == "device_id"
    category = EntityCategory.DIAGNOSTIC if diagnostic else None
    enabled = field.key not in DISABLED
    if field.kind in (Kind.ENUM, Kind.CODES):
        names = list(dict.fromkeys(field.names.values()))
        if field.kind is Kind.CODES:
            names = [NONE, *names]
        if field.other is not None:
            names.append(field.other)
        return SensorEntityDescription(
            key=field.key,
            translation_key=field.key,
            device_class=SensorDeviceClass.ENUM,
            options=names,
        )
    if field.unit is None:
        return SensorEntityDescription(
            key=field.key,
            translation_key=field.key,
            entity_category=category,
            entity_registry_enabled_default=enabled,
        )
    device_class = DEVICE_CLASSES.get(field.unit)
    if field.key in BATTERY_LEVELS:
        device_class = SensorDeviceClass.BATTERY
    return SensorEntityDescription(
        key=field.key,
        translation_key=field.key,
        device_class=device_class,
        native_unit_of_measurement=field.unit.value,
        state_class=SensorStateClass.TOTAL_INCREASING
        if field.counter
        else SensorStateClass.MEASUREMENT,
        suggested_display_precision=len(f"{abs(field.scale):g}".partition(".")[2]),
        entity_category=category,
        entity_registry_enabled_default=enabled,
    )


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors; optional ones once the device has sent their value, now or before."""
    coordinator = entry.runtime_data.coordinator
    async_add_entities(BluPowLinkSensor(coordinator, description) for description in LINK_SENSORS)
    waiting = {
        field.key: field
        for field in coordinator.register_map.fields
        if field.about not in ON_THE_DEVICE_PAGE
    }
    known_before = {
        registered.unique_id
        for registered in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    }

    @callback
    def add_sensors() -> None:
        due = [
            field
            for field in waiting.values()
            if not field.optional
            or coordinator.value(field.key) is not None
            or f"{entry.unique_id}_{field.key}" in known_before
        ]
        for field in due:
            del waiting[field.key]
        if due:
            async_add_entities(BluPowSensor(coordinator, field) for field in due)

    add_sensors()
    entry.async_on_unload(coordinator.async_add_listener(add_sensors))


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
    """A sensor of a value that the device sends."""

    def __init__(self, coordinator: BluPowCoordinator, field: Field) -> None:
        """Initialize the sensor of a field."""
        super().__init__(coordinator, describe(field))
        self._field = field

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value as the device sent it; the first one where it sends a list."""
        value = self.coordinator.value(self._field.key)
        if isinstance(value, list):
            return value[0] if value else NONE
        return value

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return all active ones where the device sends a list."""
        value = self.coordinator.value(self._field.key)
        return {"active": value} if isinstance(value, list) else None
