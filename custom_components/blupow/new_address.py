"""Moves an entry to another address: a module that was replaced keeps entities, history and statistics."""

from homeassistant.components.recorder.statistics import list_statistic_ids
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.recorder import get_instance

from .const import DOMAIN
from .history import RECORDER, statistic_prefix


async def async_move_entry(hass: HomeAssistant, entry: ConfigEntry, address: str) -> None:
    """Give an entry's devices, entities and statistics the ids of another address.

    They keep their names, their history and what the user has set.
    """
    old = entry.unique_id or entry.entry_id

    def moved(text: str) -> str:
        return address + text.removeprefix(old) if text.startswith(old) else text

    @callback
    def move_entity(item: er.RegistryEntry) -> dict[str, str]:
        return {"new_unique_id": moved(item.unique_id)}

    await er.async_migrate_entries(hass, entry.entry_id, move_entity)
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_device(
            device.id,
            new_identifiers={(domain, moved(text)) for domain, text in device.identifiers},
            new_connections={
                (kind, address if text == old else text) for kind, text in device.connections
            },
        )
    if RECORDER in hass.config.components:
        await _move_statistics(hass, statistic_prefix(old), statistic_prefix(address))


async def _move_statistics(hass: HomeAssistant, old: str, new: str) -> None:
    """Give statistics of days that devices keep other ids."""
    instance = get_instance(hass)
    known = await instance.async_add_executor_job(list_statistic_ids, hass)
    for statistic in known:
        statistic_id = statistic["statistic_id"]
        if statistic["source"] == DOMAIN and statistic_id.startswith(f"{old}_"):
            instance.async_update_statistics_metadata(
                statistic_id, new_statistic_id=new + statistic_id.removeprefix(old)
            )
