"""Entries of earlier releases, as those have stored them."""

import logging
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.profiles.presentation import sensors_of
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.reader.route import RouteKind
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from custom_components.blupow.migration import KEYS_OF_RELEASE_2
from custom_components.blupow.units import units_of
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntryState, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component

from .helpers.bluetooth import hear, service_info
from .helpers.families import FAMILIES
from .helpers.scripted import NOW, Script
from .helpers.simulated import INVERTER_ADDRESS
from .helpers.timeline import state

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


BARE = INVERTER_ADDRESS.replace(":", "").lower()
INVERTER_KEYS = [
    "model",
    "device_id",
    "firmware_version",
    "ac_input_voltage",
    "ac_input_current",
    "ac_input_frequency",
    "ac_output_voltage",
    "ac_output_current",
    "ac_output_frequency",
    "load_active_power",
    "load_apparent_power",
    "load_current",
    "load_percentage",
    "battery_voltage",
    "battery_soc",
    "charging_current",
    "charging_status",
    "charging_power",
    "line_charging_current",
    "solar_voltage",
    "solar_current",
    "solar_power",
    "inverter_temperature",
]
CONTROLLER_KEYS = [
    "model",
    "device_id",
    "firmware_version",
    "pv_voltage",
    "pv_current",
    "pv_power",
    "battery_voltage",
    "battery_current",
    "battery_soc",
    "battery_temperature",
    "battery_type",
    "charging_status",
    "charging_power",
    "max_charging_power_today",
    "charging_amp_hours_today",
    "discharging_amp_hours_today",
    "power_generation_today",
    "power_consumption_today",
    "power_generation_total",
    "load_status",
    "load_voltage",
    "load_current",
    "load_power",
    "controller_temperature",
]
GONE = {"firmware_version", "charging_power", "load_status"}
"""Of a controller; an inverter's charging power goes on."""


def release_2(
    hass: HomeAssistant,
    typed: str = INVERTER_ADDRESS,
    keys: list[str] = INVERTER_KEYS,
    options: dict[str, Any] | None = None,
) -> MockConfigEntry:
    """Have an entry with its device and its sensors, as release 2.0.0 made them."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=1,
        title=f"BluPow {typed}",
        unique_id=typed,
        data={"address": typed, "name": f"BluPow {typed}"},
        options={"update_interval": 30} if options is None else options,
    )
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, typed)},
        manufacturer="Renogy",
        name=f"BluPow {typed}",
    )
    for key in keys:
        er.async_get(hass).async_get_or_create(
            "sensor",
            DOMAIN,
            f"{BARE}_{key}",
            config_entry=entry,
            device_id=device.id,
            suggested_object_id=f"blupow_{key}",
        )
    return entry


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Have Home Assistant start with the entry."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("family", list(KEYS_OF_RELEASE_2))
def test_successors_are_sensors(family: str) -> None:
    """Each old key leads to a sensor that this release has, and no two to the same."""
    (unit,) = units_of(FAMILIES[family].entry())
    ours = {item.key for item in sensors_of(unit.register_map)}
    successors = list(KEYS_OF_RELEASE_2[family].values())
    assert set(successors) <= ours
    assert len(set(successors)) == len(successors)
    keys = INVERTER_KEYS if family == "inverter" else CONTROLLER_KEYS
    gone = {"firmware_version"} if family == "inverter" else GONE
    assert set(keys) - set(KEYS_OF_RELEASE_2[family]) == gone


@pytest.mark.parametrize(
    "typed",
    [
        INVERTER_ADDRESS,
        INVERTER_ADDRESS.lower(),
        INVERTER_ADDRESS.replace(":", "-"),
        INVERTER_ADDRESS.replace(":", "-").lower(),
    ],
)
async def test_inverter_of_release_2(
    hass: HomeAssistant, script: Script, caplog: pytest.LogCaptureFixture, typed: str
) -> None:
    """Its sensors keep their ids, names and settings, and show this release's values."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    entry = release_2(hass, typed)
    entities, devices = er.async_get(hass), dr.async_get(hass)
    entities.async_update_entity("sensor.blupow_battery_voltage", name="House battery")
    entities.async_update_entity(
        "sensor.blupow_solar_power", new_entity_id="sensor.the_sun", name="The sun"
    )
    entities.async_update_entity(
        "sensor.blupow_load_current", disabled_by=er.RegistryEntryDisabler.USER
    )
    (device,) = dr.async_entries_for_config_entry(devices, entry.entry_id)
    devices.async_update_device(device.id, name_by_user="Van inverter")
    before = {item.entity_id for item in entities.entities.values()}
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert (entry.version, entry.unique_id) == (2, INVERTER_ADDRESS)
    assert entry.data == {
        "address": INVERTER_ADDRESS,
        "name": f"BluPow {typed}",
        "profile": "inverter",
        "model": "RIV1230RCH",
        "unit_id": 32,
    }
    assert entry.options == {"update_interval": 30}
    after = {
        item.entity_id: item for item in er.async_entries_for_config_entry(entities, entry.entry_id)
    }
    assert before - set(after) == {"sensor.blupow_firmware_version"}
    assert "sensor.blupow_firmware_version has no successor" in caplog.text
    voltage = after["sensor.blupow_battery_voltage"]
    assert (voltage.unique_id, voltage.name) == (
        f"{INVERTER_ADDRESS}_battery_voltage",
        "House battery",
    )
    assert float(state(hass, "sensor.blupow_battery_voltage")) == pytest.approx(13.2, abs=0.5)
    assert after["sensor.the_sun"].unique_id == f"{INVERTER_ADDRESS}_solar_power"
    assert float(state(hass, "sensor.the_sun")) >= 0
    assert after["sensor.blupow_load_current"].disabled_by is er.RegistryEntryDisabler.USER
    assert state(hass, "sensor.blupow_model") == "RIV1230RCH-SPS"
    (now,) = dr.async_entries_for_config_entry(devices, entry.entry_id)
    assert (now.id, now.name_by_user) == (device.id, "Van inverter")
    assert now.identifiers == {(DOMAIN, INVERTER_ADDRESS)}
    shown = [
        entity_id
        for entity_id in before & set(after)
        if hass.states.get(entity_id) is None and after[entity_id].disabled_by is None
    ]
    assert shown == []
    assert "Traceback" not in caplog.text


async def test_controller_of_release_2(
    hass: HomeAssistant, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Its sensors tell that it is one, whatever is heard of it."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    script.device = FAMILIES["controller"].device()
    entry = release_2(hass, keys=CONTROLLER_KEYS)
    await set_up(hass, entry)
    assert (entry.data["profile"], entry.data["model"]) == ("controller", "Rover")
    registry = er.async_get(hass)
    assert registry.async_get_entity_id("sensor", DOMAIN, f"{INVERTER_ADDRESS}_solar_voltage") == (
        "sensor.blupow_pv_voltage"
    )
    assert float(state(hass, "sensor.blupow_power_generation_total")) > 0
    for key in GONE:
        assert registry.async_get(f"sensor.blupow_{key}") is None
        assert f"sensor.blupow_{key} has no successor" in caplog.text


async def test_release_2_without_sensors(hass: HomeAssistant, script: Script) -> None:
    """Nothing tells what the device is: it is asked at set-up, until it answers."""
    script.error = ErrorCode.CONNECT_TIMEOUT
    entry = release_2(hass, keys=[], options={"update_interval": 5, "connection_timeout": 20.5})
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert "no connection was made in time" in (entry.reason or "")
    assert entry.options == {"update_interval": 10}
    script.error = None
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    assert (entry.data["profile"], entry.data["unit_id"]) == ("inverter", 32)


async def test_asked_family_takes_the_sensors_over(hass: HomeAssistant, script: Script) -> None:
    """Those that both families had do not tell which one it is."""
    script.device = FAMILIES["controller"].device()
    entry = release_2(hass, keys=["battery_voltage", "battery_soc"])
    await set_up(hass, entry)
    assert entry.data["profile"] == "controller"
    assert float(state(hass, "sensor.blupow_battery_voltage")) > 10
    assert float(state(hass, "sensor.blupow_battery_soc")) > 0


async def test_two_entries_of_one_device(
    hass: HomeAssistant, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """The second one is refused by a sentence, and nothing of it is lost."""
    first = release_2(hass, keys=["ac_input_voltage"])
    second = release_2(hass, INVERTER_ADDRESS.lower(), keys=[])
    await set_up(hass, first)
    assert first.state is ConfigEntryState.LOADED
    assert second.state is ConfigEntryState.MIGRATION_ERROR
    assert second.data["address"] == INVERTER_ADDRESS.lower()
    assert "has the same address as" in caplog.text


async def test_discovery_that_was_ignored(hass: HomeAssistant, script: Script) -> None:
    """It is no entry that the user could see, and does not stand in the way."""
    MockConfigEntry(
        domain=DOMAIN, version=1, unique_id=INVERTER_ADDRESS, source=SOURCE_IGNORE
    ).add_to_hass(hass)
    entry = release_2(hass, INVERTER_ADDRESS.lower())
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


async def test_entry_that_names_an_address_alone(hass: HomeAssistant, script: Script) -> None:
    """An early release 3 had the same sensors for every device: the device itself is asked."""
    script.device = FAMILIES["controller"].device()
    entry = MockConfigEntry(
        domain=DOMAIN, version=1, title="BluPow", data={"address": INVERTER_ADDRESS}
    )
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, BARE)}, name="BluPow"
    )
    er.async_get(hass).async_get_or_create(
        "sensor", DOMAIN, f"{BARE}_ac_input_voltage", config_entry=entry, device_id=device.id
    )
    await set_up(hass, entry)
    assert (entry.data["profile"], entry.data["name"]) == ("controller", "BluPow")
    (now,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert now.id == device.id
    assert float(state(hass, "sensor.blupow_battery_voltage")) > 10


@pytest.mark.parametrize("keys", [[], INVERTER_KEYS])
async def test_model_in_no_list(hass: HomeAssistant, script: Script, keys: list[str]) -> None:
    """What all models have in common is read, as with a device that is added now."""
    script.device = VirtualDevice(model="RIV9999XYZ", clock=lambda: NOW)
    entry = release_2(hass, keys=keys)
    await set_up(hass, entry)
    assert (entry.data["profile"], entry.data["model"]) == ("inverter", "other")
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert device.model == "RIV9999XYZ (unconfirmed)"


@pytest.mark.parametrize("data", [{}, {"address": "the inverter in the van", "name": "Van"}])
async def test_entry_of_release_3(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
    data: dict[str, str],
) -> None:
    """It names no device: a repair says what to do, and deletes it."""
    assert await async_setup_component(hass, REPAIRS, {})
    entry = MockConfigEntry(domain=DOMAIN, version=1, title="BluPow Gateway", data=data)
    entry.add_to_hass(hass)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert "names no device" in caplog.text
    assert "Traceback" not in caplog.text
    # nothing that Home Assistant shows of it fails
    assert entry.supported_subentry_types == {}
    for begin in (
        entry.start_reconfigure_flow(hass),
        hass.config_entries.options.async_init(entry.entry_id),
    ):
        assert (await begin)["reason"] == "earlier_release"
    assert await get_diagnostics_for_config_entry(hass, hass_client, entry) == {
        "data": {},
        "options": {},
    }
    issue_id = f"earlier_release_{entry.entry_id}"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.is_fixable
    client = await hass_client()
    answer = await client.post(
        "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue_id}
    )
    flow = await answer.json()
    assert flow["step_id"] == "confirm"
    assert flow["description_placeholders"] == {"name": "BluPow Gateway"}
    answer = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    assert (await answer.json())["type"] == "create_entry"
    assert hass.config_entries.async_entries(DOMAIN) == []
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_entry_of_a_later_release(hass: HomeAssistant) -> None:
    """It is refused, and stays as it is."""
    entry = MockConfigEntry(domain=DOMAIN, version=3, data={"anything": 1})
    entry.add_to_hass(hass)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert entry.data == {"anything": 1}


async def test_units_in_the_data_of_an_entry(hass: HomeAssistant, script: Script) -> None:
    """They become subentries, with their devices and entities; keys have their names of today."""
    script.device = FAMILIES["hub"].device()
    hub = FAMILIES["hub"]
    made = hub.entry()
    more = [
        {"key": str(unit["unit_id"]), "unit": unit["unit_id"]}
        | {key: value for key, value in unit.items() if key != "unit_id"}
        for unit in hub.more
    ]
    data = {key: value for key, value in made.data.items() if key != "unit_id"}
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=1,
        title=made.title,
        unique_id=made.unique_id,
        data={**data, "unit": made.data["unit_id"], "more_units": more},
        options={"path": "in_process", "update_interval": 60},
    )
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, f"{INVERTER_ADDRESS}_unit_49")},
        name="BT-TH-6A000035 Battery 49",
    )
    old = er.async_get(hass).async_get_or_create(
        "sensor",
        DOMAIN,
        f"{INVERTER_ADDRESS}_49_battery_voltage",
        config_entry=entry,
        device_id=device.id,
        suggested_object_id="second_battery",
    )
    route = er.async_get(hass).async_get_or_create(
        "sensor", DOMAIN, f"{INVERTER_ADDRESS}_path", config_entry=entry
    )
    hear(hass, service_info())
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    assert dict(entry.data) == dict(made.data)
    assert entry.options == {"route": "in_process", "update_interval": 60}
    assert script.routes[-1].kind is RouteKind.IN_PROCESS
    now_named = er.async_get(hass).async_get(route.entity_id)
    assert now_named is not None
    assert now_named.unique_id == f"{INVERTER_ADDRESS}_route"
    (battery, controller) = entry.subentries.values()
    assert (battery.title, battery.unique_id) == ("Battery 49", "49")
    assert dict(battery.data) == hub.more[0]
    assert (controller.title, controller.unique_id) == ("Charge controller 96", "96")
    now = dr.async_get(hass).async_get(device.id)
    assert now is not None
    assert now.config_subentry_id == battery.subentry_id
    moved = er.async_get(hass).async_get(old.entity_id)
    assert moved is not None
    assert moved.config_subentry_id == battery.subentry_id
    assert state(hass, old.entity_id) == "13.2"


async def test_entry_of_an_earlier_build_of_this_release(
    hass: HomeAssistant, script: Script
) -> None:
    """Version 2 with the keys of before: data, options and subentries have their names of today."""
    hub = FAMILIES["hub"]
    script.device = hub.device()
    made = hub.entry([])
    units = [
        ConfigSubentryData(
            subentry_type="unit",
            title="Unit",
            unique_id=str(unit["unit_id"]),
            data={**{key: value for key, value in unit.items() if key != "unit_id"}}
            | {"unit": unit["unit_id"]},
        )
        for unit in hub.more
    ]
    data = {key: value for key, value in made.data.items() if key != "unit_id"}
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=2,
        minor_version=1,
        title=made.title,
        unique_id=made.unique_id,
        data={**data, "unit": made.data["unit_id"]},
        options={"path": "in_process"},
        subentries_data=units,
    )
    entry.add_to_hass(hass)
    hear(hass, service_info())
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    assert (entry.version, entry.minor_version) == (2, 2)
    assert dict(entry.data) == dict(made.data)
    assert entry.options == {"route": "in_process"}
    assert [dict(subentry.data) for subentry in entry.subentries.values()] == list(hub.more)
