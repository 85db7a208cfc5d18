"""The blueprints, run by Home Assistant's own automations."""

from pathlib import Path
import shutil
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

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
