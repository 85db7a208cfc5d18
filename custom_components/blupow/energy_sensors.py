"""Energy that a device does not count itself: integrated from its power, and called an estimate."""

from typing import override

from homeassistant.components.sensor import RestoreSensor
from homeassistant.helpers.typing import StateType

from .coordinator import BluPowCoordinator
from .descriptions import describe_sensor
from .entity import BluPowReadingEntity
from .lib.blupow_ble.profiles import presentation
from .lib.blupow_ble.profiles.profile import Estimate
from .lib.blupow_ble.supervisor.unit_state import UnitState


class BluPowEstimatedEnergy(BluPowReadingEntity, RestoreSensor):
    """An energy that the supervisor integrates over fresh readings; restored over restarts."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, estimate: Estimate) -> None:
        """Initialize the sensor."""
        super().__init__(coordinator, unit, describe_sensor(presentation.of_estimate(estimate)))
        self._estimate = estimate
        self._energies = unit.energies

    @override
    async def async_added_to_hass(self) -> None:
        """Go on from where it was before the restart."""
        await super().async_added_to_hass()
        before = await self.async_get_last_sensor_data()
        if before is not None and isinstance(before.native_value, int | float):
            # what was kept every five minutes, or what was shown last: it never steps back
            known = self._energies.get(self._estimate.key, 0.0)
            self._energies[self._estimate.key] = max(known, float(before.native_value))

    @property
    @override
    def native_value(self) -> StateType:
        """Return the energy; None before the first reading."""
        total = self._energies.get(self._estimate.key)
        return None if total is None else round(total, 3)
