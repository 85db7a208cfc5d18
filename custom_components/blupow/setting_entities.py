"""What the entities of settings share: which there are, and how one is changed."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, override

from homeassistant.const import EntityCategory
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowCoordinator
from .entity import BluPowReadingEntity, EntityWhenSeen, add_when_seen
from .lib.blupow_ble.profiles.setting import Setting, SettingKind, SettingValue
from .lib.blupow_ble.profiles.setting_rules import setting_of
from .lib.blupow_ble.supervisor.schedule import SCHEDULE_KEYS, carried_out_by
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .setting_changes import async_change_settings, async_set_schedule, raise_unless_changed

SCHEDULE: Final = "schedule"
"""The key of the entities that tell of a schedule."""
ATTR_EVIDENCE: Final = "evidence"
ATTR_WAITING: Final = "waiting_for"


def entity_key(key: str) -> str:
    """Return the key of a setting's entity; the sensor of what the device is set to has the setting's own."""
    return f"setting_{key}"


class BluPowSettingEntity(BluPowReadingEntity):
    """A setting of a unit: it shows what was read back, and changes it when asked to."""

    _unrecorded_attributes = frozenset({ATTR_EVIDENCE})

    def __init__(
        self,
        coordinator: BluPowCoordinator,
        unit: UnitState,
        setting: Setting,
        description: EntityDescription,
    ) -> None:
        """Initialize the entity of a setting."""
        super().__init__(coordinator, unit, description)
        self.setting = setting
        self._attr_entity_category = None if setting.primary else EntityCategory.CONFIG
        self._attr_entity_registry_enabled_default = unit.evidence(setting).confirmed

    @property
    @override
    def available(self) -> bool:
        """Return whether the unit is shown, and what the setting is set to is known."""
        return super().available and self.setting_value is not None

    @property
    def setting_value(self) -> SettingValue | None:
        """What the setting is set to."""
        return self.unit.setting(self.setting.key)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return what is known of the setting: whether a device was seen to take it."""
        return {ATTR_EVIDENCE: self.unit.evidence(self.setting).value}

    async def async_change(self, value: SettingValue) -> None:
        """Change the setting; anything but a confirmed change is raised."""
        values = {self.setting.key: value}
        reports = await async_change_settings(self.coordinator, self.unit, values)
        raise_unless_changed(self.coordinator, self.unit, reports)


class BluPowOfSchedule(BluPowReadingEntity):
    """An entity of a schedule that BluPow carries out. Always available: it is known here."""

    def __init__(
        self, coordinator: BluPowCoordinator, unit: UnitState, description: EntityDescription
    ) -> None:
        """Initialize the entity; it is enabled where all settings behind the schedule are confirmed."""
        super().__init__(coordinator, unit, description)
        self._attr_entity_registry_enabled_default = schedule_confirmed(unit)

    @property
    @override
    def available(self) -> bool:
        """Return True: it is kept here, not in the device."""
        return True


class BluPowScheduleEntity(BluPowOfSchedule):
    """What the user wants of a unit's schedule."""

    _attr_entity_category = EntityCategory.CONFIG

    def __init__(
        self, coordinator: BluPowCoordinator, unit: UnitState, description: EntityDescription
    ) -> None:
        """Initialize the entity."""
        super().__init__(coordinator, unit, description)
        self._field = description.key.removeprefix(entity_key(""))

    @property
    def wanted(self) -> Any:
        """What the user wants."""
        return getattr(self.unit.schedule.schedule, self._field)

    async def async_want(self, value: Any) -> None:
        """Take what the user wants, and carry it out where it is time."""
        await async_set_schedule(self.coordinator, self.unit, **{self._field: value})


def schedule_confirmed(unit: UnitState) -> bool:
    """Whether devices were seen to take all settings by which a schedule is carried out."""
    controls = unit.register_map.controls
    return all(
        unit.evidence(setting_of(controls, key)).confirmed for key in carried_out_by(controls)
    )


def schedules(unit: UnitState) -> bool:
    """Whether BluPow carries out a schedule for a unit."""
    return bool(carried_out_by(unit.register_map.controls))


def add_settings(
    coordinator: BluPowCoordinator,
    async_add_entities: AddConfigEntryEntitiesCallback,
    kind: SettingKind,
    create: Callable[[BluPowCoordinator, UnitState, Setting], BluPowSettingEntity],
) -> None:
    """Add an entity for each setting of a kind once it was read, if the user allows changes."""
    if not coordinator.options.allow_changes:
        return
    add_when_seen(
        coordinator,
        async_add_entities,
        (
            EntityWhenSeen(
                unit=unit,
                key=entity_key(setting.key),
                seen=partial(_is_known, unit, setting.key),
                create=partial(create, coordinator, unit, setting),
            )
            for unit in coordinator.supervisor.units
            for setting in unit.register_map.controls.settings
            if setting.kind is kind
        ),
    )


def add_schedule(
    coordinator: BluPowCoordinator,
    async_add_entities: AddConfigEntryEntitiesCallback,
    keys: tuple[str, ...],
    create: Callable[[BluPowCoordinator, UnitState, str], BluPowReadingEntity],
    *,
    needs: str | None = None,
    needs_value: str | None = None,
) -> None:
    """Add entities of the schedule for each unit that BluPow carries one out for, once that is known.

    `needs`: only where it is carried out by that setting; `needs_value`: where the unit sends that.
    """
    if not coordinator.options.allow_changes:
        return
    add_when_seen(
        coordinator,
        async_add_entities,
        (
            EntityWhenSeen(
                unit=unit,
                key=entity_key(key),
                seen=partial(_can_schedule, unit),
                create=partial(create, coordinator, unit, key),
            )
            for unit in coordinator.supervisor.units
            if schedules(unit)
            and needs in (None, *carried_out_by(unit.register_map.controls))
            and needs_value in (None, *(item.key for item in unit.register_map.fields))
            for key in keys
        ),
    )


def _is_known(unit: UnitState, key: str) -> bool:
    return unit.setting(key) is not None


def _can_schedule(unit: UnitState) -> bool:
    """Whether the settings that carry out a schedule were read."""
    return all(_is_known(unit, key) for key in carried_out_by(unit.register_map.controls))


def control_keys(unit: UnitState) -> Iterator[str]:
    """Yield the keys of all entities that controls of a unit may have."""
    for setting in unit.register_map.controls.settings:
        yield entity_key(setting.key)
    if schedules(unit):
        yield from (entity_key(key) for key in (*SCHEDULE_KEYS, SCHEDULE))
