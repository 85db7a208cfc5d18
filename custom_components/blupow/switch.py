"""Switches: settings that are on or off, and the windows of a schedule."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .lib.blupow_ble.profiles.setting import Setting, SettingKind
from .lib.blupow_ble.supervisor.schedule import WINDOWS
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
    """Set up the switches."""
    for coordinator in entry.runtime_data.coordinators:
        add_settings(coordinator, async_add_entities, SettingKind.SWITCH, BluPowSettingSwitch)
        add_schedule(coordinator, async_add_entities, WINDOWS, BluPowWindowSwitch)


class BluPowSettingSwitch(BluPowSettingEntity, SwitchEntity):
    """A setting that is on or off."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, setting: Setting) -> None:
        """Initialize the switch."""
        description = SwitchEntityDescription(
            key=entity_key(setting.key), translation_key=setting.key
        )
        super().__init__(coordinator, unit, setting, description)

    @property
    @override
    def is_on(self) -> bool | None:
        """Return what the setting is set to."""
        return self.setting_value if isinstance(self.setting_value, bool) else None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Switch it on."""
        await self.async_change(value=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Switch it off."""
        await self.async_change(value=False)


class BluPowWindowSwitch(BluPowScheduleEntity, SwitchEntity):
    """Whether a window of the schedule is on."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, key: str) -> None:
        """Initialize the switch."""
        description = SwitchEntityDescription(key=entity_key(key), translation_key=key)
        super().__init__(coordinator, unit, description)

    @property
    @override
    def is_on(self) -> bool:
        """Return what the user wants."""
        return bool(self.wanted)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Switch the window on."""
        await self.async_want(value=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Switch the window off; what it has changed is put back."""
        await self.async_want(value=False)
