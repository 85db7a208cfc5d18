"""How what a profile declares is shown: device class, unit, state class, precision, category."""

import re
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
    Estimate,
    FaultGroup,
    Field,
    Info,
    Kind,
    Profile,
    UnitOfMeasurement,
    Value,
    digits,
)

NONE: Final = "none"
WORST_FAULT: Final = "worst_fault"

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
BATTERY_LEVELS: Final = frozenset({"battery_percentage", "bank_percentage"})
LIST_KINDS: Final = frozenset({Kind.CODES, Kind.BITS, Kind.PAIRS})
"""Faults and alarms: shown by their groups and the worst of them."""
ON_THE_DEVICE_PAGE: Final = frozenset({Info.SERIAL_NUMBER, Info.VERSION, Info.HARDWARE_VERSION})
SETTING_LEVELS: Final = frozenset(
    {
        "system_voltage_setting",
        "over_voltage_threshold",
        "charging_limit_voltage",
        "equalization_voltage",
        "boost_voltage",
        "float_voltage",
        "boost_recovery_voltage",
        "over_discharge_recovery_voltage",
        "under_voltage_warning_level",
        "over_discharge_voltage",
        "discharge_limit_voltage",
        "end_of_charge_percentage",
        "end_of_discharge_percentage",
        "over_discharge_delay",
        "equalization_time",
        "boost_time",
        "equalization_interval",
        "temperature_compensation",
        "reverse_charging_voltage",
        "solar_cut_off_current",
    }
)
KILO: Final = 3
"""Digits that a value has more when it is shown in thousands."""
SETTINGS: Final = SETTING_LEVELS | {
    "device_id",
    "battery_type",
    "battery_capacity",
    "maximum_system_voltage",
    "rated_charging_current",
    "load_mode",
    "cells",
}
"""What the device is, or is set to: diagnostic."""
DISABLED: Final = SETTING_LEVELS | frozenset(
    {
        "inverter_time_today",
        "bypass_time_today",
        "inverter_time_total",
        "bypass_time_total",
        "minimum_battery_voltage_today",
        "maximum_battery_voltage_today",
        "maximum_charging_current_today",
        "maximum_discharging_current_today",
        "maximum_charging_power_today",
        "maximum_discharging_power_today",
        "operating_days",
        "over_discharges",
        "full_charges",
        "load_brightness",
        "maximum_system_voltage",
        "rated_charging_current",
        "charge_voltage_limit",
        "discharge_voltage_limit",
        "charge_current_limit",
        "discharge_current_limit",
        "charge_request",
        "environment_1_temperature",
        "environment_2_temperature",
        "heater_1_temperature",
        "heater_2_temperature",
    }
)
"""Rarely wanted, hence not enabled by default."""
_OF_A_CELL: Final = re.compile(r"cell_(?P<number>\d+)_(?P<what>voltage|temperature)")
"""The keys of single cells: up to 32 sensors of a battery, hence not enabled by default."""
FLAG_CLASSES: Final = {
    "heater": BinarySensorDeviceClass.RUNNING,
    "ignition": BinarySensorDeviceClass.POWER,
    "load": BinarySensorDeviceClass.POWER,
}


def _category(key: str, about: Info | None = None) -> EntityCategory | None:
    return EntityCategory.DIAGNOSTIC if about is not None or key in SETTINGS else None


def _enabled(key: str) -> bool:
    return key not in DISABLED and _OF_A_CELL.fullmatch(key) is None


def translation_of(key: str) -> tuple[str, dict[str, str]]:
    """Return the translation key of a value, and what its text names: cells share one text."""
    if (cell := _OF_A_CELL.fullmatch(key)) is not None:
        return f"cell_{cell['what']}", {"number": cell["number"]}
    return key, {}


def _device_class(key: str, unit: UnitOfMeasurement) -> SensorDeviceClass | None:
    return SensorDeviceClass.BATTERY if key in BATTERY_LEVELS else DEVICE_CLASSES.get(unit)


def _state_class(field: Field) -> SensorStateClass | None:
    """Return what statistics are kept of a field's numbers: of a setting none, as it stays as it is."""
    if field.counter:
        return SensorStateClass.TOTAL_INCREASING
    return None if field.key in SETTINGS else SensorStateClass.MEASUREMENT


def _shown_in(unit: UnitOfMeasurement, counter: Counter | None) -> str | None:
    """Return the unit that a value is shown in, if it is not its own: a life's energy is long in Wh."""
    if unit is UnitOfMeasurement.WATT_HOUR and counter is Counter.TOTAL:
        return UnitOfMeasurement.KILOWATT_HOUR.value
    return None


def describe(field: Field, value: Value | None = None) -> SensorEntityDescription:
    """Return the description of a field's sensor; a value tells how finely the device measures."""
    category, enabled = _category(field.key, field.info), _enabled(field.key)
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
        translation_key=translation_of(field.key)[0],
        device_class=_device_class(field.key, field.unit_of_measurement),
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
        device_class=_device_class(computed.key, computed.unit_of_measurement),
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
        options=[NONE, *(fault.name for fault in profile.faults)],
        entity_category=EntityCategory.DIAGNOSTIC,
    )


def describe_flag(field: Field) -> BinarySensorEntityDescription:
    """Return the description of a flag's binary sensor."""
    return BinarySensorEntityDescription(
        key=field.key,
        translation_key=field.key,
        device_class=FLAG_CLASSES.get(field.key),
        entity_registry_enabled_default=_enabled(field.key),
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
