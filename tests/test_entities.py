"""All entities of each family, as Home Assistant's registry and states show them."""

from collections.abc import Sequence

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.blupow.descriptions import describe_sensor
from custom_components.blupow.lib.blupow_ble.profiles import PROFILES, presentation
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Counter, UnitOfMeasurement
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers.bluetooth import hear, service_info
from .helpers.families import FAMILIES
from .helpers.scripted import Script
from .helpers.simulated import INVERTER_ADDRESS
from .helpers.timeline import set_up

COLUMNS = (
    "entity",
    "key",
    "name",
    "class",
    "state class",
    "unit",
    "digits",
    "category",
    "default",
    "state",
)


def row(hass: HomeAssistant, item: er.RegistryEntry, *, enabled: bool) -> tuple[str, ...]:
    """Return what a person checks of an entity."""
    state = hass.states.get(item.entity_id)
    assert state is not None, item.entity_id
    assert item.translation_key is not None
    return (
        item.entity_id,
        item.unique_id.removeprefix(f"{INVERTER_ADDRESS}_"),
        state.attributes["friendly_name"],
        item.original_device_class or "",
        (item.capabilities or {}).get("state_class", ""),
        item.unit_of_measurement or "",
        str(item.options.get("sensor", {}).get("suggested_display_precision", "")),
        item.entity_category or "",
        "on" if enabled else "off",
        state.state,
    )


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as a table with aligned columns."""
    widths = [max(len(line[column]) for line in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in rows
    )


@pytest.mark.freeze_time("2026-11-21 12:00:00+00:00")
@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("family", list(FAMILIES))
async def test_entities(
    hass: HomeAssistant,
    script: Script,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    family: str,
) -> None:
    """Each entity with its key, name, classes, unit, whether it is enabled by default, and its state."""
    script.device = FAMILIES[family].device()
    entry = FAMILIES[family].entry()
    hear(hass, service_info(FAMILIES[family].name))
    await set_up(hass, entry)
    disabled = {
        item.entity_id
        for item in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if item.disabled_by is not None
    }
    for entity_id in disabled:
        entity_registry.async_update_entity(entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    items = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    rows = sorted(row(hass, item, enabled=item.entity_id not in disabled) for item in items)
    assert table([COLUMNS, *rows]) == snapshot


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
    (field.key, field.unit_of_measurement): describe_sensor(presentation.of_field(field))
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
