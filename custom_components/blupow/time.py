"""Times: settings that are a time of day, and when the windows of a schedule begin and end."""

from datetime import time
from typing import override

from homeassistant.components.time import TimeEntity, TimeEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .lib.blupow_ble.profiles.setting import Setting, SettingKind
from .lib.blupow_ble.supervisor.schedule import TIMES
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
    """Set up the times."""
    for coordinator in entry.runtime_data.coordinators:
        add_settings(coordinator, async_add_entities, SettingKind.TIME, BluPowSettingTime)
        add_schedule(coordinator, async_add_entities, TIMES, BluPowWindowTime)


class BluPowSettingTime(BluPowSettingEntity, TimeEntity):
    """A setting that is a time of day, by the device's own clock."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, setting: Setting) -> None:
        """Initialize the time."""
        description = TimeEntityDescription(
            key=entity_key(setting.key), translation_key=setting.key
        )
        super().__init__(coordinator, unit, setting, description)

    @property
    @override
    def native_value(self) -> time | None:
        """Return what the setting is set to."""
        return (
            time.fromisoformat(self.setting_value) if isinstance(self.setting_value, str) else None
        )

    @override
    async def async_set_value(self, value: time) -> None:
        """Change the setting."""
        await self.async_change(value.strftime("%H:%M"))


class BluPowWindowTime(BluPowScheduleEntity, TimeEntity):
    """When a window of the schedule begins or ends, in local time."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, key: str) -> None:
        """Initialize the time."""
        description = TimeEntityDescription(key=entity_key(key), translation_key=key)
        super().__init__(coordinator, unit, description)

    @property
    @override
    def native_value(self) -> time:
        """Return what the user wants."""
        wanted: time = self.wanted
        return wanted

    @override
    async def async_set_value(self, value: time) -> None:
        """Take what the user wants; the schedule goes by whole minutes."""
        await self.async_want(value.replace(second=0, microsecond=0))
