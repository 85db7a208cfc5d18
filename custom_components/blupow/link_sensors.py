"""The sensors of the link: what is known about it, whatever it does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
import time
from typing import Any, Final

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import SIGNAL_STRENGTH_DECIBELS_MILLIWATT, EntityCategory, UnitOfTime
from homeassistant.helpers.typing import StateType

from .coordinator import BluPowCoordinator
from .lib.blupow_ble.profiles.declaration import UnitOfMeasurement
from .lib.blupow_ble.profiles.presentation import NONE
from .lib.blupow_ble.protocol.errors import ErrorCode
from .lib.blupow_ble.reader.route import RouteKind
from .lib.blupow_ble.supervisor.policies import ConnectionStatus


@dataclass(frozen=True, kw_only=True)
class BluPowLinkSensorDescription(SensorEntityDescription):
    """Describes a sensor of the link."""

    value_fn: Callable[[BluPowCoordinator], StateType | datetime]
    attributes_fn: Callable[[BluPowCoordinator], dict[str, Any] | None] = lambda _: None
    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _availability(coordinator: BluPowCoordinator) -> float | None:
    share = coordinator.supervisor.link.availability.share(time.monotonic())
    return None if share is None else 100 * share


def _route(coordinator: BluPowCoordinator) -> dict[str, Any] | None:
    if (snapshot := coordinator.supervisor.link.snapshot) is None:
        return None
    return {"scanner": snapshot.route.source, "reason": snapshot.route.reason}


LINK_SENSORS: Final = (
    BluPowLinkSensorDescription(
        key="connection_status",
        translation_key="connection_status",
        device_class=SensorDeviceClass.ENUM,
        options=[status.value for status in ConnectionStatus],
        value_fn=lambda coordinator: coordinator.supervisor.health.status.value,
    ),
    BluPowLinkSensorDescription(
        key="problem",
        translation_key="problem",
        device_class=SensorDeviceClass.ENUM,
        options=[NONE, *(code.value for code in ErrorCode)],
        value_fn=lambda coordinator: (
            coordinator.supervisor.link.last_error.code.value
            if coordinator.supervisor.link.last_error
            else NONE
        ),
    ),
    BluPowLinkSensorDescription(
        key="last_reading",
        translation_key="last_reading",
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda coordinator: (
            coordinator.supervisor.link.snapshot.taken_at
            if coordinator.supervisor.link.snapshot
            else None
        ),
    ),
    BluPowLinkSensorDescription(
        key="success_rate",
        translation_key="success_rate",
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfMeasurement.PERCENT.value,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda coordinator: coordinator.supervisor.link.success_rate,
        attributes_fn=lambda coordinator: {
            "polls": len(coordinator.supervisor.link.polls),
            "partial": coordinator.supervisor.link.partial_polls,
        },
    ),
    BluPowLinkSensorDescription(
        key="availability",
        translation_key="availability",
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfMeasurement.PERCENT.value,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        value_fn=_availability,
        attributes_fn=lambda coordinator: {
            "observed_hours": round(
                coordinator.supervisor.link.availability.observed(time.monotonic()) / 3600
            )
        },
    ),
    BluPowLinkSensorDescription(
        key="data_age",
        translation_key="data_age",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: _whole(coordinator.supervisor.health.age),
    ),
    BluPowLinkSensorDescription(
        key="consecutive_failures",
        translation_key="consecutive_failures",
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.supervisor.link.failures,
    ),
    BluPowLinkSensorDescription(
        key="last_duration",
        translation_key="last_duration",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.supervisor.link.last_duration,
    ),
    BluPowLinkSensorDescription(
        key="average_duration",
        translation_key="average_duration",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.supervisor.link.average_duration,
    ),
    BluPowLinkSensorDescription(
        key="connect_timeout",
        translation_key="connect_timeout",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.supervisor.connect_timeout,
    ),
    BluPowLinkSensorDescription(
        key="route",
        translation_key="route",
        device_class=SensorDeviceClass.ENUM,
        options=[kind.value for kind in RouteKind],
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: (
            coordinator.supervisor.link.snapshot.route.kind.value
            if coordinator.supervisor.link.snapshot
            else None
        ),
        attributes_fn=_route,
    ),
    BluPowLinkSensorDescription(
        key="signal_strength",
        translation_key="signal_strength",
        device_class=SensorDeviceClass.SIGNAL_STRENGTH,
        native_unit_of_measurement=SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.rssi,
    ),
    BluPowLinkSensorDescription(
        key="recoveries",
        translation_key="recoveries",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.supervisor.link.recoveries,
    ),
)
