"""A day by schedule in Home Assistant: its entities, its event, a restart in the middle."""

from datetime import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from custom_components.blupow.lib.blupow_ble.virtual.writes import Habit
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers.families import FAMILIES, RIV4835
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up, state

NAME = "rngriu00000035"
PRIORITY = f"select.{NAME}_output_priority"
CURRENT = f"number.{NAME}_ac_charge_current"
MODE = f"sensor.{NAME}_schedule"
EVENT = f"event.{NAME}_schedule"

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


async def start(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory, at: str
) -> VirtualDevice:
    """Set an inverter up at a local time of a winter's day in Berlin."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to(f"2026-11-21T{at}+01:00")
    script.device = RIV4835.device()
    assert isinstance(script.device, VirtualDevice)
    script.device.overrides[4327] = 80
    await set_up(hass, RIV4835.entry(), allow_changes=True, update_interval=300)
    return script.device


async def do(hass: HomeAssistant, entity: str, action: str, **data: Any) -> None:
    """Do something with an entity."""
    domain, _, _ = entity.partition(".")
    entity_id = entity.format(NAME)
    await hass.services.async_call(domain, action, {"entity_id": entity_id} | data, blocking=True)


async def act(hass: HomeAssistant, action: str, **data: Any) -> None:
    """Call an action for the device."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    await hass.services.async_call(DOMAIN, action, {"device_id": device.id, **data}, blocking=True)


async def test_a_day(hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory) -> None:
    """Entities and actions set it, the device follows it, all is put back, and the event tells of it."""
    device = await start(hass, script, freezer, "12:00:00")
    assert state(hass, MODE) == "none"
    await act(hass, "set_discharge_start_time", time="17:00")
    await act(hass, "set_discharge_end_time", time="22:00")
    await do(hass, "time.{}_charge_start_time", "set_value", time="23:00:00")
    await do(hass, "time.{}_charge_end_time", "set_value", time="06:00:30")
    assert state(hass, f"time.{NAME}_charge_end_time") == "06:00:00"
    await do(hass, "number.{}_charge_window_current", "set_value", value=20)
    await do(hass, "switch.{}_charge_window", "turn_on")
    await do(hass, "switch.{}_discharge_window", "turn_on")
    await act(hass, "set_minimum_soc", percentage=30)
    assert state(hass, f"number.{NAME}_minimum_state_of_charge") == "30.0"
    assert state(hass, f"time.{NAME}_discharge_start_time") == "17:00:00"
    assert device.writes.seen == []

    await pass_time(hass, freezer, 5 * 3600 + 60, step=30)
    assert (state(hass, PRIORITY), state(hass, MODE)) == ("battery_first", "discharge")
    device.overrides[4327] = 28
    await pass_time(hass, freezer, 900, step=30)
    assert (state(hass, PRIORITY), state(hass, MODE)) == ("grid_first", "hold")
    device.overrides[4327] = 60
    await pass_time(hass, freezer, 900, step=30)
    assert (state(hass, PRIORITY), state(hass, MODE)) == ("battery_first", "discharge")
    await pass_time(hass, freezer, 4 * 3600 + 1800, step=30)  # 22:01
    assert (state(hass, PRIORITY), state(hass, MODE)) == ("solar_first", "none")
    await pass_time(hass, freezer, 3600, step=30)
    assert (state(hass, PRIORITY), state(hass, CURRENT)) == ("grid_first", "20.0")
    event = hass.states.get(EVENT)
    assert event is not None
    assert event.attributes["event_type"] == "charge_started"
    assert event.attributes["settings"]["ac_charge_current"] == {"from": 10.0, "to": 20.0}
    shown = hass.states.get(MODE)
    assert shown is not None
    assert shown.attributes["put_back_at_the_end"] == {
        "output_priority": "solar_first",
        "ac_charge_current": 10.0,
    }

    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await pass_time(hass, freezer, 600, step=30)
    assert (state(hass, PRIORITY), state(hass, MODE)) == ("grid_first", "charge")
    await pass_time(hass, freezer, 7 * 3600, step=30)
    assert (state(hass, PRIORITY), state(hass, CURRENT)) == ("solar_first", "10.0")
    assert state(hass, MODE) == "none"
    assert [register for register, _ in device.writes.seen] == [4441] * 5 + [0xE205, 4441, 0xE205]


async def test_a_restart_in_the_middle_of_a_window(
    hass: HomeAssistant,
    script: Script,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """What was before is in the file; it is put back though the window ended meanwhile."""
    device = await start(hass, script, freezer, "22:50:00")
    await do(hass, "time.{}_charge_start_time", "set_value", time="22:00:00")
    await do(hass, "time.{}_charge_end_time", "set_value", time="23:00:00")
    await do(hass, "switch.{}_charge_window", "turn_on")
    assert state(hass, PRIORITY) == "grid_first"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    stored = hass_storage[f"blupow.{entry.entry_id}"]["data"]["units"][""]["changes"]
    assert stored["state"]["before"] == {"output_priority": "solar_first"}
    assert stored["written"] == {"output_priority": 1}
    assert await hass.config_entries.async_unload(entry.entry_id)
    hass.data.pop("blupow_link_states")  # as a restart does
    freezer.move_to("2026-11-22T09:00:00+01:00")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await pass_time(hass, freezer, 120, step=30)
    assert (state(hass, PRIORITY), state(hass, MODE)) == ("solar_first", "none")
    assert state(hass, f"switch.{NAME}_charge_window") == "on"
    assert device.writes.seen == [(4441, (1,)), (4441, (0,))]
    schedule = entry.runtime_data.only.supervisor.own.schedule.schedule
    assert schedule.charge_start_time == time(22)


async def test_what_it_waits_for(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """A change that fails is told and not repeated at once; a change by hand rests it."""
    device = await start(hass, script, freezer, "22:50:00")
    device.writes.habit = Habit.FORGETS
    await do(hass, "time.{}_charge_start_time", "set_value", time="22:00:00")
    await do(hass, "time.{}_charge_end_time", "set_value", time="23:30:00")
    await do(hass, "switch.{}_charge_window", "turn_on")
    event = hass.states.get(EVENT)
    assert event is not None
    assert event.attributes["event_type"] == "failed"
    assert "not_kept" in event.attributes["why"]
    await pass_time(hass, freezer, 61)
    shown = hass.states.get(MODE)
    assert shown is not None
    assert (shown.state, shown.attributes["waiting_for"]) == ("none", "dwell")
    device.writes.habit = Habit.KEEPS
    await pass_time(hass, freezer, 600, step=30)
    assert state(hass, MODE) == "charge"
    await do(hass, PRIORITY, "select_option", option="battery_first")
    await pass_time(hass, freezer, 61)
    shown = hass.states.get(MODE)
    assert shown is not None
    assert shown.attributes["waiting_for"] == "manual"
    event = hass.states.get(EVENT)
    assert event is not None
    assert event.attributes["event_type"] == "manual_change"
    assert state(hass, PRIORITY) == "battery_first"


async def test_what_can_never_be(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """A current off its step, a minimum too high: an error in words, at once."""
    await start(hass, script, freezer, "12:00:00")
    with pytest.raises(ServiceValidationError, match="Charge window current goes in steps of 5"):
        await do(hass, "number.{}_charge_window_current", "set_value", value=12)
    with pytest.raises(
        ServiceValidationError, match="Minimum state of charge must be from 0 to 95"
    ):
        await act(hass, "set_minimum_soc", percentage=96)
    assert state(hass, f"number.{NAME}_charge_window_current") == "unknown"


async def test_where_there_is_no_schedule(hass: HomeAssistant, script: Script) -> None:
    """A controller has none, and the actions say so; one that is only documented has to be enabled."""
    script.device = FAMILIES["controller"].device()
    await set_up(hass, FAMILIES["controller"].entry(), allow_changes=True)
    assert not [item for item in hass.states.async_entity_ids() if "window" in item]
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    await hass.config_entries.async_remove(entry.entry_id)
    script.device = FAMILIES["inverter"].device()
    await set_up(hass, FAMILIES["inverter"].entry(), allow_changes=True)
    hidden = er.async_get(hass).async_get("switch.btric134000035_charge_window")
    assert hidden is not None
    assert hidden.disabled
