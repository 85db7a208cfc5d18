"""The blueprints, run by Home Assistant's own automations."""

from pathlib import Path
import shutil
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from custom_components.blupow.lib.blupow_ble.virtual.writes import Habit
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers.families import FAMILIES, RIV4835
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up, state

ROOT = Path(__file__).resolve().parent.parent
BATTERY = "sensor.btric134000035_battery"
TELL = [{"action": "test.tell", "data": {"message": "{{ message }}"}}]

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


@pytest.fixture
def blueprints(hass: HomeAssistant, tmp_path: Path) -> None:
    """Have the blueprints in the configuration folder, as an import puts them there."""
    hass.config.config_dir = str(tmp_path)
    shutil.copytree(ROOT / "blueprints", tmp_path / "blueprints")


async def automate(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    """Make an automation of a blueprint."""
    use = {"path": f"blupow/{name}.yaml", "input": inputs}
    assert await async_setup_component(hass, "automation", {"automation": {"use_blueprint": use}})
    await hass.async_block_till_done()
    assert len(hass.states.async_entity_ids("automation")) == 1


@pytest.mark.usefixtures("blueprints")
async def test_connection_lost(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """One message when it is lost, with the cause, and one when it is back."""
    reported = async_mock_service(hass, "test", "tell")
    await set_up(hass, entry, heartbeat_interval=600)
    await automate(
        hass,
        "connection_lost",
        connection="event.btric134000035_connection",
        lost_actions=TELL,
        restored_actions=TELL,
    )
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 595)
    assert reported == []
    await pass_time(hass, freezer, 10)
    script.error = None
    await pass_time(hass, freezer, 301)
    assert [call.data["message"].replace("12 m", "11 m") for call in reported] == [
        "BTRIC134000035 has sent nothing for 10 minutes (no response).",
        "BTRIC134000035 is back after 11 minutes.",
    ]
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(reported) == 2  # the last event is shown again, and is none


@pytest.mark.usefixtures("blueprints")
async def test_battery_low(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Below the level for long enough; a dip and a lost connection are none."""
    reported = async_mock_service(hass, "test", "tell")
    script.device.overrides = {4327: 50}
    await set_up(hass, entry, update_interval=60, heartbeat_interval=600)
    await automate(hass, "battery_low", battery=BATTERY, alert_actions=TELL)
    script.device.overrides = {4327: 15}
    await pass_time(hass, freezer, 200)
    assert state(hass, BATTERY) == "15"
    script.device.overrides = {4327: 50}
    await pass_time(hass, freezer, 400)
    assert reported == []
    script.device.overrides = {4327: 19}
    await pass_time(hass, freezer, 420)
    assert [call.data["message"] for call in reported] == ["BTRIC134000035 Battery is at 19 %."]
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 1200)
    assert state(hass, BATTERY) == "unavailable"
    assert len(reported) == 1


@pytest.mark.usefixtures("blueprints")
async def test_charge_from_grid(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Once when it gets cheap, unless the battery is full enough; once when that is over."""
    device = script.device = RIV4835.device()
    assert isinstance(device, VirtualDevice)
    device.overrides = {4327: 50}
    await set_up(hass, RIV4835.entry(), allow_changes=True, update_interval=60)
    hass.states.async_set("input_boolean.cheap", "off")
    await automate(
        hass,
        "charge_from_grid",
        cheap="input_boolean.cheap",
        battery="sensor.rngriu00000035_battery",
        priority="select.rngriu00000035_output_priority",
    )
    for cheap in ("on", "off"):
        hass.states.async_set("input_boolean.cheap", cheap)
        await pass_time(hass, freezer, 61)
    assert device.writes.seen == [(4441, (1,)), (4441, (2,))]
    # the end is missed: it is done when the device is back
    hass.states.async_set("input_boolean.cheap", "on")
    await pass_time(hass, freezer, 61)
    assert device.writes.seen[2:] == [(4441, (1,))]
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 700, step=7)
    assert state(hass, "select.rngriu00000035_output_priority") == "unavailable"
    hass.states.async_set("input_boolean.cheap", "off")
    script.error = None
    await pass_time(hass, freezer, 130)
    assert device.writes.seen[3:] == [(4441, (2,))]
    # full enough: neither the begin nor the end does anything
    device.overrides[4327] = 85
    await pass_time(hass, freezer, 61)
    for cheap in ("on", "unavailable", "off"):
        hass.states.async_set("input_boolean.cheap", cheap)
        await pass_time(hass, freezer, 61)
    assert len(device.writes.seen) == 4


@pytest.mark.usefixtures("blueprints")
async def test_shed_load(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Off below the one level, on again only above the other; a second try to switch on, and no third."""
    family = FAMILIES["controller"]
    device = script.device = family.device()
    assert isinstance(device, VirtualDevice)
    device.overrides = {0x0100: 60}
    await set_up(hass, family.entry(), allow_changes=True, update_interval=60)
    await automate(
        hass,
        "shed_load",
        battery="sensor.bt_th_6a000035_battery",
        load="switch.bt_th_6a000035_load",
    )
    device.overrides[0x0100] = 29
    await pass_time(hass, freezer, 299, step=13)
    assert device.writes.seen == []
    await pass_time(hass, freezer, 120, step=13)
    assert device.writes.seen == [(0x010A, (0,))]
    device.overrides[0x0100] = 49
    await pass_time(hass, freezer, 600, step=13)
    assert len(device.writes.seen) == 1
    device.overrides[0x0100] = 50
    device.writes.habit = Habit.FORGETS
    await pass_time(hass, freezer, 600, step=13)
    assert device.writes.seen[1:] == [(0x010A, (1,))] * 2
    assert state(hass, "switch.bt_th_6a000035_load") == "off"
