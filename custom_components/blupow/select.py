"""Selects: settings that are one of several choices."""

from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .lib.blupow_ble.profiles.setting import Setting, SettingKind
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .setting_entities import BluPowSettingEntity, add_settings, entity_key

PARALLEL_UPDATES = 1


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the selects."""
    for coordinator in entry.runtime_data.coordinators:
        add_settings(coordinator, async_add_entities, SettingKind.CHOICE, BluPowSettingSelect)


class BluPowSettingSelect(BluPowSettingEntity, SelectEntity):
    """A setting that is one of several choices."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, setting: Setting) -> None:
        """Initialize the select."""
        description = SelectEntityDescription(
            key=entity_key(setting.key), translation_key=setting.key
        )
        super().__init__(coordinator, unit, setting, description)

    @property
    @override
    def options(self) -> list[str]:
        """Return what may be chosen, and what the device has if that is something else."""
        offered = self.setting.offered
        current = self.current_option
        return offered if current is None or current in offered else [*offered, current]

    @property
    @override
    def current_option(self) -> str | None:
        """Return what the setting is set to."""
        return self.setting_value if isinstance(self.setting_value, str) else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the setting."""
        await self.async_change(option)
