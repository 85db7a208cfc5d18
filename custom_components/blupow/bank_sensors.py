"""What several batteries behind one module amount to."""

from collections.abc import Sequence
from typing import Final, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription
from homeassistant.helpers.typing import StateType

from .coordinator import BluPowCoordinator
from .descriptions import describe_sensor
from .entity import BluPowEntity
from .lib.blupow_ble.profiles.presentation import BANK, BANK_PREFIX
from .lib.blupow_ble.supervisor.bank import batteries_of, known_bank
from .lib.blupow_ble.supervisor.unit_state import UnitState

BANK_SENSORS: Final = tuple(describe_sensor(item) for item in BANK)


def bank_sensors(coordinator: BluPowCoordinator) -> list[BluPowBankSensor]:
    """Return the sensors of the bank; none where there are not several batteries."""
    batteries = batteries_of(coordinator.supervisor.units)
    if not batteries:
        return []
    return [BluPowBankSensor(coordinator, batteries, description) for description in BANK_SENSORS]


class BluPowBankSensor(BluPowEntity, SensorEntity):
    """A total of all batteries; known only while each of them is."""

    def __init__(
        self,
        coordinator: BluPowCoordinator,
        batteries: Sequence[UnitState],
        description: SensorEntityDescription,
    ) -> None:
        """Initialize the sensor."""
        super().__init__(coordinator, description)
        self._batteries = batteries
        self._field = description.key.removeprefix(BANK_PREFIX)

    @property
    @override
    def available(self) -> bool:
        """Return whether the last reading of each battery is still shown."""
        return all(self.coordinator.supervisor.health.shows(unit) for unit in self._batteries)

    @property
    @override
    def native_value(self) -> StateType:
        """Return the total; None if one of them did not send its part."""
        if (bank := known_bank(self._batteries)) is None:
            return None
        value: float | None = getattr(bank, self._field)
        return value
