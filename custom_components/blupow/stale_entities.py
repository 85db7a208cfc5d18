"""Removes entities that a device no longer has: another model, or another family, was chosen for it."""

from collections.abc import Iterator

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .bank_sensors import BANK_SENSORS
from .button import RECONNECT
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .entity import unique_id
from .event import CONNECTION
from .lib.blupow_ble.profiles import presentation
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .link_sensors import LINK_SENSORS
from .setting_entities import control_keys


@callback
def remove_stale_entities(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Remove what neither a link nor a unit of an entry can have."""
    registry = er.async_get(hass)
    possible = {
        key for coordinator in entry.runtime_data.coordinators for key in _unique_ids(coordinator)
    }
    for item in er.async_entries_for_config_entry(registry, entry.entry_id):
        if item.unique_id not in possible:
            registry.async_remove(item.entity_id)


def _unique_ids(coordinator: BluPowCoordinator) -> Iterator[str]:
    """Go through the unique ids of all entities that a link may have."""
    for description in (*LINK_SENSORS, *BANK_SENSORS, RECONNECT, CONNECTION):
        yield f"{coordinator.base_id}_{description.key}"
    for unit in coordinator.supervisor.units:
        yield from (unique_id(coordinator, unit, key) for key in _keys(unit))
        if coordinator.options.allow_changes:
            yield from (unique_id(coordinator, unit, key) for key in control_keys(unit))


def _keys(unit: UnitState) -> Iterator[str]:
    """Go through the keys of all entities that a unit may have."""
    yield presentation.WORST_FAULT
    yield from (item.key for item in presentation.sensors_of(unit.register_map))
    yield from (estimate.key for estimate in unit.estimates)
    yield from (item.key for item in presentation.flags_of(unit.register_map))
    yield from (presentation.of_group(group).key for group in presentation.groups_of(unit.profile))
