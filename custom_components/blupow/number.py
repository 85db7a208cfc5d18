"""Numbers: settings that are one, and what a schedule needs."""

from typing import override

from homeassistant.components.number import (
    NumberDeviceClass,
    NumberEntity,
    NumberEntityDescription,
    NumberMode,
)
from homeassistant.const import PERCENTAGE
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .lib.blupow_ble.profiles import presentation
from .lib.blupow_ble.profiles.declaration import UnitOfMeasurement
from .lib.blupow_ble.profiles.setting import Setting, SettingKind
from .lib.blupow_ble.profiles.setting_rules import Limits, limits
from .lib.blupow_ble.supervisor.schedule import (
    AC_CHARGE_CURRENT,
    CHARGE_WINDOW_CURRENT,
    HIGHEST_MINIMUM,
    MINIMUM_SOC,
)
from .lib.blupow_ble.supervisor.scheduler import BATTERY_PERCENTAGE
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .setting_entities import (
    BluPowScheduleEntity,
    BluPowSettingEntity,
    add_schedule,
    add_settings,
    entity_key,
)

PARALLEL_UPDATES = 1


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the numbers."""
    for coordinator in entry.runtime_data.coordinators:
        add_settings(coordinator, async_add_entities, SettingKind.NUMBER, BluPowSettingNumber)
        add_schedule(
            coordinator,
            async_add_entities,
            (MINIMUM_SOC,),
            BluPowMinimumSoc,
            needs_value=BATTERY_PERCENTAGE,
        )
        add_schedule(
            coordinator,
            async_add_entities,
            (CHARGE_WINDOW_CURRENT,),
            BluPowChargeWindowCurrent,
            needs=AC_CHARGE_CURRENT,
        )


class BluPowSettingNumber(BluPowSettingEntity, NumberEntity):
    """A setting that is a number."""

    _attr_mode = NumberMode.BOX

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, setting: Setting) -> None:
        """Initialize the number."""
        super().__init__(coordinator, unit, setting, described(setting))

    @property
    def _limits(self) -> Limits:
        return self.unit.settings.limits(self.setting, self.unit.monotonic())

    @property
    @override
    def native_min_value(self) -> float:
        """Return the smallest value."""
        return self._limits.low

    @property
    @override
    def native_max_value(self) -> float:
        """Return the largest value."""
        return self._limits.high

    @property
    @override
    def native_step(self) -> float:
        """Return the step."""
        return self._limits.step

    @property
    @override
    def native_value(self) -> float | None:
        """Return what the setting is set to."""
        return float(self.setting_value) if isinstance(self.setting_value, int | float) else None

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Change the setting."""
        await self.async_change(value)


class BluPowMinimumSoc(BluPowScheduleEntity, NumberEntity):
    """The state of charge at which the grid serves the loads; 0 is none."""

    _attr_native_min_value = 0
    _attr_native_max_value = HIGHEST_MINIMUM
    _attr_native_step = 1
    _attr_native_unit_of_measurement = PERCENTAGE
    _attr_mode = NumberMode.BOX

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, key: str) -> None:
        """Initialize the number."""
        description = NumberEntityDescription(key=entity_key(key), translation_key=key)
        super().__init__(coordinator, unit, description)

    @property
    @override
    def native_value(self) -> float:
        """Return what the user wants."""
        return float(self.wanted)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Take what the user wants."""
        await self.async_want(int(value))


class BluPowChargeWindowCurrent(BluPowScheduleEntity, NumberEntity):
    """The current from the grid within the charge window; unknown leaves what the device is set to."""

    _attr_mode = NumberMode.BOX

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, key: str) -> None:
        """Initialize the number, with the limits of the setting that it stands for."""
        setting = unit.register_map.controls.setting(AC_CHARGE_CURRENT)
        assert setting is not None
        description = NumberEntityDescription(
            key=entity_key(key),
            translation_key=key,
            device_class=NumberDeviceClass.CURRENT,
            native_unit_of_measurement=UnitOfMeasurement.AMPERE.value,
        )
        super().__init__(coordinator, unit, description)
        allowed = limits(setting)
        self._attr_native_min_value = allowed.low
        self._attr_native_max_value = allowed.high
        self._attr_native_step = allowed.step

    @property
    @override
    def native_value(self) -> float | None:
        """Return what the user wants."""
        return self.unit.schedule.schedule.charge_window_current

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Take what the user wants."""
        await self.async_want(value)


def described(setting: Setting) -> NumberEntityDescription:
    """Return the description of a setting's number."""
    unit, device_class = setting.unit_of_measurement, presentation.setting_class(setting)
    return NumberEntityDescription(
        key=entity_key(setting.key),
        translation_key=setting.key,
        device_class=NumberDeviceClass(device_class) if device_class else None,
        native_unit_of_measurement=unit.value if unit else None,
    )
