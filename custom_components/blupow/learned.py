"""Stores in an entry what its units say of themselves: their unit IDs and models."""

from typing import TYPE_CHECKING

from homeassistant.const import CONF_MODEL
from homeassistant.core import HomeAssistant, callback

from .const import CONF_UNIT_ID
from .lib.blupow_ble.reader.result import UnitReading
from .lib.blupow_ble.supervisor.options import Options
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .units import unit_subentries

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry


@callback
def remember_unit(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    unit: UnitState,
    reading: UnitReading,
    options: Options,
) -> None:
    """Store what is new of a unit; with a new model the entry is loaded again."""
    if unit.own:
        found: dict[str, str | int | None] = {}
        if options.unit_id is None and entry.data.get(CONF_UNIT_ID) != reading.unit_id:
            found[CONF_UNIT_ID] = reading.unit_id
        model = unit.named_model(reading) if unit.model is None else None
        if model is not None:
            found[CONF_MODEL] = model
        if found:
            hass.config_entries.async_update_entry(entry, data={**entry.data, **found})
    else:
        model = reading.model if unit.model is None else None
        for subentry in unit_subentries(entry):
            if model is not None and subentry.unique_id == unit.key:
                hass.config_entries.async_update_subentry(
                    entry, subentry, data={**subentry.data, CONF_MODEL: model}
                )
    if model is not None:
        hass.config_entries.async_schedule_reload(entry.entry_id)
