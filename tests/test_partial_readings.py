"""Readings that lack a block: its last values stay within their own grace, and say how old they are."""

from typing import override

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.lib.blupow_ble.protocol.modbus import seal
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from homeassistant.core import HomeAssistant, State

from .helpers.scripted import NOW, Script
from .helpers.timeline import pass_time, set_up, state

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")

PREFIX = "btric134000035"
PERCENT = f"sensor.{PREFIX}_battery"
VOLTAGE = f"sensor.{PREFIX}_battery_voltage"
STATUS = f"sensor.{PREFIX}_connection_status"
FAULT = f"binary_sensor.{PREFIX}_fault"
RATE = f"sensor.{PREFIX}_success_rate"


class Partly(VirtualDevice):
    """A device that carries out its required block alone, while it is ill."""

    ill = True

    @override
    def answer(self, request: bytes) -> bytes | None:
        if int.from_bytes(request[2:4]) != 4000:
            return seal(bytes((self.unit_id, 0x83, 4)))
        return VirtualDevice.answer(self, request)


def shown(hass: HomeAssistant, entity_id: str) -> State:
    """Return a state with its attributes."""
    found = hass.states.get(entity_id)
    assert found is not None
    return found


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_missing_blocks_keep_their_values(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Partial is neither a success nor a failure; after the grace what is missing is unknown."""
    await set_up(hass, entry)
    coordinator = entry.runtime_data.only
    link, whole = coordinator.supervisor.link, script.device
    percent, voltage = state(hass, PERCENT), state(hass, VOLTAGE)
    script.device = Partly(clock=lambda: NOW)
    script.device.overrides = {4005: 127}
    await pass_time(hass, freezer, 31)
    assert (state(hass, PERCENT), state(hass, VOLTAGE)) == (percent, "12.7")
    assert voltage != "12.7"
    last_read = shown(hass, PERCENT).attributes["last_read"]
    assert "last_read" not in shown(hass, VOLTAGE).attributes
    assert state(hass, STATUS) == "connected"
    assert state(hass, FAULT) == "off"
    assert (link.partial_polls, link.failures, link.success_rate) == (1, 0, 100)
    await pass_time(hass, freezer, 560)
    assert state(hass, PERCENT) == percent
    assert shown(hass, PERCENT).attributes["last_read"] == last_read
    await pass_time(hass, freezer, 31)
    assert state(hass, PERCENT) == "unknown"
    assert state(hass, FAULT) == "unknown"
    assert (state(hass, VOLTAGE), state(hass, STATUS)) == ("12.7", "connected")
    assert shown(hass, RATE).attributes["partial"] == link.partial_polls >= 18
    assert link.success_rate == 100
    script.device = whole
    await pass_time(hass, freezer, 3700, step=10)  # what was refused is on cooldown for an hour
    assert state(hass, PERCENT) == percent
    assert "last_read" not in shown(hass, PERCENT).attributes
    reported = [line.text for line in link.log.lines if "readings" in line.text]
    assert [text.partition(",")[0] for text in reported] == [
        "partial readings",
        "whole readings again",
    ]


async def test_partial_does_not_end_a_series_of_failures_unseen(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Its values are fresh, so that the device is connected; the health check names what is missing."""
    await set_up(hass, entry)
    script.device = Partly(clock=lambda: NOW)
    await entry.runtime_data.only.async_refresh()
    answer = await hass.services.async_call(
        "blupow",
        "health_check",
        {"config_entry_id": entry.entry_id},
        blocking=True,
        return_response=True,
    )
    assert answer["partial_polls"] == 1
    assert set(answer["missing_blocks"]) == {"battery", "load", "status", "heatsinks", "energy"}
