"""The entity descriptions of what a profile declares."""

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

from .lib.blupow_ble.profiles.declaration import Fault
from .lib.blupow_ble.profiles.presentation import Presentation

CELLS: Final = "cells"


def describe_sensor(shown: Presentation) -> SensorEntityDescription:
    """Return the description of a sensor."""
    return SensorEntityDescription(
        key=shown.key,
        translation_key=shown.text_key,
        device_class=SensorDeviceClass(shown.device_class) if shown.device_class else None,
        native_unit_of_measurement=shown.unit_of_measurement,
        suggested_unit_of_measurement=shown.shown_in,
        state_class=SensorStateClass(shown.state_class) if shown.state_class else None,
        suggested_display_precision=shown.precision,
        options=list(shown.options) if shown.options is not None else None,
        entity_category=_category(shown),
        entity_registry_enabled_default=shown.enabled,
    )


def describe_binary_sensor(shown: Presentation) -> BinarySensorEntityDescription:
    """Return the description of a binary sensor."""
    return BinarySensorEntityDescription(
        key=shown.key,
        translation_key=shown.text_key,
        device_class=BinarySensorDeviceClass(shown.device_class) if shown.device_class else None,
        entity_category=_category(shown),
        entity_registry_enabled_default=shown.enabled,
    )


def _category(shown: Presentation) -> EntityCategory | None:
    return EntityCategory.DIAGNOSTIC if shown.diagnostic else None


def cells_of(faults: Iterable[Fault]) -> dict[str, list[int]]:
    """Return the attribute that names the cells that faults are about; none where they are about none."""
    cells = sorted({fault.cell for fault in faults if fault.cell is not None})
    return {CELLS: cells} if cells else {}
