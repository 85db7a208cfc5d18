"""What several batteries behind one module amount to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.helpers.typing import StateType

from .coordinator import BluPowCoordinator
from .entity import BluPowEntity
from .lib.blupow_ble.profiles.battery import BATTERY
from .lib.blupow_ble.profiles.declaration import UnitOfMeasurement
from .lib.blupow_ble.supervisor.bank import Bank, Member, bank_of
from .lib.blupow_ble.supervisor.unit_state import UnitState


@dataclass(frozen=True, kw_only=True)
class BluPowBankSensorDescription(SensorEntityDescription):
    """Describes a sensor of a bank."""

    value_fn: Callable[[Bank], float | None]
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT


BANK_SENSORS: Final = (
    BluPowBankSensorDescription(
        key="bank_percentage",
        translation_key="bank_percentage",
        device_class=SensorDeviceClass.BATTERY,
        native_unit_of_measurement=UnitOfMeasurement.PERCENT.value,
        suggested_display_precision=1,
        value_fn=lambda bank: bank.percentage,
    ),
    BluPowBankSensorDescription(
        key="bank_remaining_capacity",
        translation_key="bank_remaining_capacity",
        native_unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR.value,
        suggested_display_precision=1,
        value_fn=lambda bank: bank.remaining,
    ),
    BluPowBankSensorDescription(
        key="bank_current",
        translation_key="bank_current",
        device_class=SensorDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfMeasurement.AMPERE.value,
        suggested_display_precision=2,
        value_fn=lambda bank: bank.current,
    ),
    BluPowBankSensorDescription(
        key="bank_power",
        translation_key="bank_power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfMeasurement.WATT.value,
        suggested_display_precision=0,
        value_fn=lambda bank: bank.power,
    ),
)


def bank_sensors(coordinator: BluPowCoordinator) -> list[BluPowBankSensor]:
    """Return the sensors of the bank; none where there are not several batteries."""
    members = [unit for unit in coordinator.supervisor.units if unit.profile is BATTERY]
    if len(members) < 2:
        return []
    return [BluPowBankSensor(coordinator, members, description) for description in BANK_SENSORS]


def member(unit: UnitState) -> Member | None:
    """Return what a battery sent; None if it did not send all of it."""
    keys = ("remaining_capacity", "total_capacity", "battery_current", "battery_power")
    numbers = [value for key in keys if isinstance(value := unit.value(key), int | float)]
    if len(numbers) < len(keys):
        return None
    remaining, capacity, current, power = numbers
    return Member(remaining=remaining, capacity=capacity, current=current, power=power)


class BluPowBankSensor(BluPowEntity, SensorEntity):
    """A total of all batteries; known only while each of them is."""

    entity_description: BluPowBankSensorDescription

    def __init__(
        self,
        coordinator: BluPowCoordinator,
        members: list[UnitState],
        description: BluPowBankSensorDescription,
    ) -> None:
        """Initialize the sensor."""
        super().__init__(coordinator, description)
        self._members = members

    @property
    @override
    def available(self) -> bool:
        """Return whether the last reading of each battery is still shown."""
        return all(self.coordinator.supervisor.health.shows(unit) for unit in self._members)

    @property
    @override
    def native_value(self) -> StateType:
        """Return the total; None if one of them did not send its part."""
        members = [found for unit in self._members if (found := member(unit)) is not None]
        if len(members) < len(self._members):
            return None
        return self.entity_description.value_fn(bank_of(members))
