"""All entities of each family, as Home Assistant's registry and states show them."""

from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.blupow.descriptions import describe
from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Counter, UnitOfMeasurement
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers.bluetooth import hear, service_info
from .helpers.families import FAMILIES
from .helpers.scripted import Script
from .helpers.timeline import set_up


@pytest.mark.freeze_time("2026-11-21 12:00:00+00:00")
@pytest.mark.usefixtures("heard", "entity_registry_enabled_by_default")
@pytest.mark.parametrize(
    ("family", "platform"),
    [
        (family, platform)
        for family in FAMILIES
        for platform in (Platform.SENSOR, Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT)
        if (family, platform) != ("shunt", Platform.BINARY_SENSOR)
    ],
)
async def test_entities(
    hass: HomeAssistant,
    script: Script,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    family: str,
    platform: Platform,
) -> None:
    """Each entity with its names, units, classes and value."""
    script.device = FAMILIES[family].device()
    entry = FAMILIES[family].entry()
    hear(hass, service_info(FAMILIES[family].name))
    entry.add_to_hass(hass)
    early = platform is Platform.EVENT
    with (
        patch("custom_components.blupow.EARLY_PLATFORMS", [platform] if early else []),
        patch("custom_components.blupow.PLATFORMS", [] if early else [platform]),
    ):
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)
        assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("family", list(FAMILIES))
async def test_nothing_is_unknown(
    hass: HomeAssistant, script: Script, family: str, entity_registry: er.EntityRegistry
) -> None:
    """A healthy device fills every sensor of a value that it has."""
    script.device = FAMILIES[family].device()
    entry = FAMILIES[family].entry()
    await set_up(hass, entry)
    states = [
        hass.states.get(item.entity_id)
        for item in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if item.disabled_by is None
    ]
    assert [
        item.entity_id for item in states if item and item.state in ("unknown", "unavailable")
    ] == [item.entity_id for item in states if item and item.domain in ("button", "event")]


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


ENERGY = {
    (field.key, field.unit_of_measurement): describe(field)
    for profile in PROFILES.values()
    for model in profile.models
    for field in profile.register_map(model).fields
    if field.unit_of_measurement in (UnitOfMeasurement.WATT_HOUR, UnitOfMeasurement.KILOWATT_HOUR)
}


def test_energy_counters_are_ready_for_the_dashboard() -> None:
    """Every counter is total_increasing, in the unit that the device sends, and cannot run away."""
    assert {key for key, _ in ENERGY} == {
        "solar_energy_today",
        "load_energy_today",
        "mains_load_energy_today",
        "solar_energy_total",
        "load_energy_total",
        "mains_load_energy_total",
        "charged_energy_today",
        "charged_energy_total",
    }
    for (_, unit), description in ENERGY.items():
        assert description.state_class is SensorStateClass.TOTAL_INCREASING
        assert description.device_class is SensorDeviceClass.ENERGY
        assert description.native_unit_of_measurement == unit


def test_every_counter_has_a_limit() -> None:
    """A counter of something that flows says how fast it can grow."""
    for profile in PROFILES.values():
        for model in profile.models:
            for field in profile.register_map(model).fields:
                flows = field.counter in (Counter.DAILY, Counter.TOTAL)
                assert (field.per_hour is not None) is flows, field.key
