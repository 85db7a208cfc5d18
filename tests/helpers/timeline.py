"""Sets an entry up and lets time pass by a frozen clock."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, State

from .bluetooth import hear, service_info


def state(hass: HomeAssistant, entity_id: str) -> str:
    """Return a state."""
    found: State | None = hass.states.get(entity_id)
    assert found is not None, entity_id
    return found.state


async def set_up(hass: HomeAssistant, entry: MockConfigEntry, **options) -> None:
    """Set the inverter up."""
    hear(hass, service_info())
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED


async def pass_time(
    hass: HomeAssistant,
    clock: FrozenDateTimeFactory,
    seconds: int,
    *,
    heard: bool = True,
    step: int = 1,
) -> None:
    """Let time pass, second by second, so that every timer fires when it is due."""
    for _ in range(0, seconds, step):
        clock.tick(timedelta(seconds=step))
        if heard:
            hear(hass, service_info())
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
