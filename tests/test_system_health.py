"""What the system information says."""

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers.scripted import Script
from .helpers.timeline import set_up


@pytest.mark.usefixtures("heard")
async def test_system_health(
    hass: HomeAssistant, entry: MockConfigEntry, virtual_entry: MockConfigEntry, script: Script
) -> None:
    """How many devices there are, and how many are read."""
    assert await async_setup_component(hass, "system_health", {})
    await set_up(hass, virtual_entry)
    script.error = ErrorCode.NO_RESPONSE
    await set_up(hass, entry)
    await hass.async_block_till_done()
    assert await get_system_health_info(hass, "blupow") == {
        "devices": 2,
        "devices_connected": 1,
        "devices_recovering": 0,
        "connectable_scanners": 1,
    }
    entry.runtime_data.only.supervisor.link.failed_recoveries = 1
    assert (await get_system_health_info(hass, "blupow"))["devices_recovering"] == 1
