"""How what a profile declares is shown: device class, unit, state class, precision, category."""

from collections.abc import Iterable
from typing import Final

from homeassistant.components.binary_sensor import BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory

from .lib.blupow_ble.profiles.declaration import (
    Computed,
    Counter,
    Fault,
    FaultGroup,
    Field,
    Info,
    Kind,
    Quantity,
    UnitOfMeasurement,
    Value,
    digits,
)
from .lib.blupow_ble.profiles.profile import Estimate, Profile

NONE: Final = "none"
WORST_FAULT: Final = "worst_fault"
CELLS: Final = "cells"

DEVICE_CLASSES: Final = {
    UnitOfMeasurement.VOLT: SensorDeviceClass.VOLTAGE,
    UnitOfMeasurement.AMPERE: SensorDeviceClass.CURRENT,
    UnitOfMeasurement.WATT: SensorDeviceClass.POWER,
    UnitOfMeasurement.VOLT_AMPERE: SensorDeviceClass.APPARENT_POWER,
    UnitOfMeasurement.HERTZ: SensorDeviceClass.FREQUENCY,
    UnitOfMeasurement.CELSIUS: SensorDeviceClass.TEMPERATURE,
    UnitOfMeasurement.WATT_HOUR: SensorDeviceClass.ENERGY,
    UnitOfMeasurement.KILOWATT_HOUR: SensorDeviceClass.ENERGY,
    UnitOfMeasurement.SECOND: SensorDeviceClass.DURATION,
    UnitOfMeasurement.MINUTE: SensorDeviceClass.DURATION,
    UnitOfMeasurement.HOUR: SensorDeviceClass.DURATION,
    UnitOfMeasurement.DAY: SensorDeviceClass.DURATION,
}
QUANTITIES: Final = {Quantity.BATTERY_LEVEL: SensorDeviceClass.BATTERY}
FLAG_CLASSES: Final = {
    Quantity.RUNNING: BinarySensorDeviceClass.RUNNING,
    Quantity.POWERED: BinarySensorDeviceClass.POWER,
}
LIST_KINDS: Final = frozenset({Kind.CODES, Kind.BITS, Kind.PAIRS})
"""Faults and alarms: shown by their groups and the worst of them."""
ON_THE_DEVICE_PAGE: Final = frozenset({Info.SERIAL_NUMBER, Info.VERSION, Info.HARDWARE_VERSION})
KILO: Final = 3
"""Digits that a value has more when it is shown in thousands."""


def translation_key(item: Field | Computed) -> str:
    """Return the translation key of a value: cells share one text, which names their number."""
    cell = item.cell if isinstance(item, Field) else None
    return item.key if cell is None else item.key.replace(f"cell_{cell}_", "cell_")


def _category(field: Field) -> EntityCategory | None:
    """Return the category: what the device is, or is set to, is diagnostic."""
    return EntityCategory.DIAGNOSTIC if field.setting or field.info is not None else None


def _device_class(item: Field | Computed, unit: UnitOfMeasurement) -> SensorDeviceClass | None:
    if item.quantity is not None:
        return QUANTITIES.get(item.quantity)
    return DEVICE_CLASSES.get(unit)


def _state_class(field: Field) -> SensorStateClass | None:
    """Return what statistics are kept of a field's numbers: of a setting none, as it stays as it is."""
    if field.counter:
        return SensorStateClass.TOTAL_INCREASING
    return None if field.setting else SensorStateClass.MEASUREMENT


def _shown_in(unit: UnitOfMeasurement, counter: Counter | None) -> str | None:
    """Return the unit that a value is shown in, if it is not its own: a life's energy is long in Wh."""
    if unit is UnitOfMeasurement.WATT_HOUR and counter is Counter.TOTAL:
        return UnitOfMeasurement.KILOWATT_HOUR.value
    return None


def describe(field: Field, value: Value | None = None) -> SensorEntityDescription:
    """Return the description of a field's sensor; a value tells how finely the device measures."""
    category, enabled = _category(field), not field.advanced
    if field.kind is Kind.ENUM:
        names = list(dict.fromkeys(field.names.values()))
        return SensorEntityDescription(
            key=field.key,
            translation_key=field.key,
            device_class=SensorDeviceClass.ENUM,
            options=names,
            entity_category=category,
            entity_registry_enabled_default=enabled,
        )
    if field.unit_of_measurement is None:
        return SensorEntityDescription(
            key=field.key,
            translation_key=field.key,
            state_class=SensorStateClass.TOTAL_INCREASING if field.counter else None,
            entity_category=category,
            entity_registry_enabled_default=enabled,
        )
    shown_in = _shown_in(field.unit_of_measurement, field.counter)
    return SensorEntityDescription(
        key=field.key,
        translation_key=translation_key(field),
        device_class=_device_class(field, field.unit_of_measurement),
        native_unit_of_measurement=field.unit_of_measurement.value,
        suggested_unit_of_measurement=shown_in,
        state_class=_state_class(field),
        suggested_display_precision=field.digits_of(value) + (KILO if shown_in else 0),
        entity_category=category,
        entity_registry_enabled_default=enabled,
    )


def describe_computed(computed: Computed) -> SensorEntityDescription:
    """Return the description of the sensor of a value that follows from others."""
    return SensorEntityDescription(
        key=computed.key,
        translation_key=computed.key,
        device_class=_device_class(computed, computed.unit_of_measurement),
        native_unit_of_measurement=computed.unit_of_measurement.value,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=digits(computed.scale),
    )


def describe_estimate(estimate: Estimate) -> SensorEntityDescription:
    """Return the description of the sensor of an energy that is integrated."""
    return SensorEntityDescription(
        key=estimate.key,
        translation_key=estimate.key,
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfMeasurement.WATT_HOUR.value,
        suggested_unit_of_measurement=UnitOfMeasurement.KILOWATT_HOUR.value,
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=2,
    )


def describe_worst_fault(profile: Profile) -> SensorEntityDescription:
    """Return the description of the sensor of the worst fault."""
    return SensorEntityDescription(
        key=WORST_FAULT,
        translation_key=WORST_FAULT,
        device_class=SensorDeviceClass.ENUM,
        options=[NONE, *dict.fromkeys(fault.state for fault in profile.faults)],
        entity_category=EntityCategory.DIAGNOSTIC,
    )


def cells_of(faults: Iterable[Fault]) -> dict[str, list[int]]:
    """Return the attribute that names the cells that faults are about; none where they are about none."""
    cells = sorted({fault.cell for fault in faults if fault.cell is not None})
    return {CELLS: cells} if cells else {}


def describe_flag(field: Field) -> BinarySensorEntityDescription:
    """Return the description of a flag's binary sensor."""
    return BinarySensorEntityDescription(
        key=field.key,
        translation_key=field.key,
        device_class=FLAG_CLASSES.get(field.quantity) if field.quantity else None,
        entity_registry_enabled_default=not field.advanced,
    )


def describe_group(group: FaultGroup) -> BinarySensorEntityDescription:
    """Return the description of the binary sensor of a group of faults."""
    return BinarySensorEntityDescription(
        key=group.value,
        translation_key=group.value,
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
    )


FAULT: Final = BinarySensorEntityDescription(
    key="fault",
    translation_key="fault",
    device_class=BinarySensorDeviceClass.PROBLEM,
    entity_category=EntityCategory.DIAGNOSTIC,
)
"""Any fault at all."""
