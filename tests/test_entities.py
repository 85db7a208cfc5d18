"""All entities of an inverter, as Home Assistant's registry and states show them."""

from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.blupow.sensor import describe
from homeassistant.components.sensor import SensorStateClass
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .bluetooth import hear, service_info
from .scripted import Script


@pytest.mark.freeze_time("2026-11-21 12:00:00+00:00")
@pytest.mark.usefixtures("heard", "script", "entity_registry_enabled_by_default")
@pytest.mark.parametrize("platform", [Platform.SENSOR, Platform.BINARY_SENSOR, Platform.BUTTON])
async def test_entities(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    platform: Platform,
) -> None:
    """Each entity with its names, units, classes and value."""
    hear(hass, service_info())
    entry.add_to_hass(hass)
    with patch("custom_components.blupow.PLATFORMS", [platform]):
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)
        assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("heard")
async def test_device(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    device_registry: dr.DeviceRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    """The device with what it says about itself."""
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    (device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert (device.manufacturer, device.model) == ("Renogy", "RIV1230RCH-SPS")
    assert device.serial_number == "VIRTUAL00000000001"
    assert device.sw_version == "V1.0-virtual"
    assert device.connections == {("bluetooth", "C4:D3:6A:00:00:35")}


def test_energy_counters_are_ready_for_the_dashboard() -> None:
    """Every counter is total_increasing, in the unit that the device sends."""
    from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER

    counters = {field.key: describe(field) for field in INVERTER.fields if field.counter}
    assert len(counters) == 15
    for description in counters.values():
        assert description.state_class is SensorStateClass.TOTAL_INCREASING
    energy = {key for key, item in counters.items() if item.device_class == "energy"}
    assert energy == {
        "solar_energy_today",
        "load_energy_today",
        "mains_load_energy_today",
        "solar_energy_total",
        "load_energy_total",
        "mains_load_energy_total",
    }
    assert {counters[key].native_unit_of_measurement for key in energy} == {"kWh"}
