"""Moves an entry to another address: a module that was replaced keeps entities, history and statistics."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    async_add_external_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util.dt import utc_from_timestamp

from .const import DOMAIN
from .history import RECORDER, statistic_prefix

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry

_EVER: Final = datetime.fromtimestamp(0, UTC)


async def async_move_entry(hass: HomeAssistant, entry: BluPowConfigEntry, address: str) -> None:
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
    """Give statistics of days that devices keep other ids; Home Assistant renames its own alone."""
    instance = get_instance(hass)
    kept = await instance.async_add_executor_job(_kept_days, hass, f"{old}_")
    for metadata, rows in kept:
        statistic_id = new + metadata["statistic_id"].removeprefix(old)
        renamed = StatisticMetaData(**{**metadata, "statistic_id": statistic_id})
        async_add_external_statistics(hass, renamed, rows)
    instance.async_clear_statistics([metadata["statistic_id"] for metadata, _ in kept])


def _kept_days(
    hass: HomeAssistant, prefix: str
) -> list[tuple[StatisticMetaData, list[StatisticData]]]:
    """Return all that was imported of an entry. Blocks: it asks the database."""
    known = {
        statistic_id: metadata
        for statistic_id, (_, metadata) in get_metadata(hass, statistic_source=DOMAIN).items()
        if statistic_id.startswith(prefix)
    }
    if not known:
        return []
    found = statistics_during_period(hass, _EVER, None, set(known), "hour", None, {"state", "sum"})
    return [
        (
            metadata,
            [
                StatisticData(start=utc_from_timestamp(row["start"]), state=state, sum=total)
                for row in found.get(statistic_id, [])
                if (state := row["state"]) is not None and (total := row["sum"]) is not None
            ],
        )
        for statistic_id, metadata in known.items()
    ]
