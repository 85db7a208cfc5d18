"""The diagnostics download: all that helps, nothing that tells whose it is."""

import json

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers.scripted import Script
from .helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME
from .helpers.timeline import pass_time, set_up

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


async def test_diagnostics(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
) -> None:
    """Registers, polls, events, who hears the device; no address, no name, no serial number."""
    assert await async_setup_component(hass, "diagnostics", {})
    await set_up(hass, entry, stale_checks=1, recovery_limit=1)
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 365)
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found["data"]["address"] == found["data"]["name"] == "**REDACTED**"
    assert found["data"]["model"] == "RIV1230RCH"
    assert found["options"] == {"stale_checks": 1, "recovery_limit": 1}
    assert found["options_in_use"]["heartbeat_interval"] == 120
    assert found["status"] == "disconnected"
    assert found["problem"] == "no_response: scripted no_response"
    assert found["failures"] == len(found["polls"]) - 1
    assert found["polls"][0]["error"] is None
    assert found["polls"][-1]["error"] == "no_response: scripted no_response"
    assert found["pause"] == 5
    assert found["partial_polls"] == 0
    assert found["recovery"]["given_up"] is True
    snapshot = found["snapshot"]
    (unit,) = found["units"]
    assert unit["values"]["battery_voltage"] > 13
    assert snapshot["route"]["kind"] == "isolated"
    assert len(unit["registers"]["4000"]) == 10
    assert all(len(word) == 4 for word in unit["registers"]["4000"])
    serial = {word for words in unit["registers"].values() for word in words}
    assert "**REDACTED**" in serial
    assert unit["identity"]["serial_number"] == "**REDACTED**"
    assert unit["identity"]["model"] == "RIV1230RCH-SPS"
    assert [event["topic"] for event in found["events"]] == [
        "cache",
        "cache",
        "watchdog",
        "recovery",
    ]
    (scanner,) = found["bluetooth"]["scanners"]
    assert scanner["signal_strength"] == -60
    (scanner,) = found["scanners"]
    assert scanner["name"] == "hci0 (**REDACTED**)"
    # the only one: it is never on cooldown
    assert scanner["failed_in_a_row"] == found["failures"]
    assert scanner["cooldown"] == 0
    assert found["no_reader_process"] is None
    assert found["bluetooth"]["reachability"]
    whole = json.dumps(found)
    for secret in (
        INVERTER_ADDRESS,
        INVERTER_ADDRESS.replace(":", "_"),
        INVERTER_NAME,
        "00:00:00:00:00:01",
        "VIRTUAL00000000001",
        "VIRTUAL00000000001".encode("ascii").hex().upper()[4:8],
    ):
        assert secret not in whole


async def test_device_that_was_never_read(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    hass_client: ClientSessionGenerator,
) -> None:
    """There is no snapshot, and that is reported."""
    assert await async_setup_component(hass, "diagnostics", {})
    script.error = ErrorCode.CONNECT_FAILED
    await set_up(hass, entry)
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found["snapshot"] is None
    assert found["status"] == "lost"
    assert found["problem"] == "connect_failed: scripted connect_failed"


async def test_entry_that_is_not_loaded(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    hass_client: ClientSessionGenerator,
) -> None:
    """What is set up is reported all the same."""
    assert await async_setup_component(hass, "diagnostics", {})
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert set(found) == {"data", "options"}
    assert found["data"]["unit_id"] == 32


async def test_virtual_device(
    hass: HomeAssistant,
    virtual_entry: MockConfigEntry,
    script: Script,
    hass_client: ClientSessionGenerator,
) -> None:
    """Nobody hears it."""
    assert await async_setup_component(hass, "diagnostics", {})
    await set_up(hass, virtual_entry)
    found = await get_diagnostics_for_config_entry(hass, hass_client, virtual_entry)
    assert found["bluetooth"] is None
    assert found["status"] == "test_mode"
