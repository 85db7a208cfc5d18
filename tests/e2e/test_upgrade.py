"""An installation of release 2, with its history: this release takes it over, in a real Home Assistant."""

from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from typing import Any

import pytest

from simulator.__main__ import ADAPTER_ADDRESS
from simulator.home_assistant import HomeAssistant, free_port, home_assistant
from simulator.process import simulator

from ..helpers.simulated import INVERTER_ADDRESS
from .scene import FORBIDDEN_IN_LOG

TYPED = INVERTER_ADDRESS.lower().replace(":", "-")
BARE = INVERTER_ADDRESS.lower().replace(":", "")
VOLTAGE = "sensor.house_battery"
SOLAR = "sensor.blupow_solar_power"
ENTRY, GATEWAY, DEVICE = "release2entry", "release3entry", "release2device"
THEN = "2025-07-01T12:00:00.000000+00:00"
BEFORE = "11.11"
"""A voltage that the simulated inverter never has."""


@pytest.mark.usefixtures("real_sockets")
async def test_upgrade(tmp_path: Path) -> None:
    """The old entity ids show new values, and their history goes on; release 3 ends in a repair."""
    folder = tmp_path / "config"
    adapters = [ADAPTER_ADDRESS.format(0x13)]
    async with simulator(tmp_path / "bus") as devices:
        async with home_assistant(
            folder, devices.bus_address, free_port(), adapters=adapters
        ) as hass:
            await remember(hass)
            assert await hass.stop() == 0
        install_release_2(folder / ".storage")
        async with home_assistant(
            folder, devices.bus_address, free_port(), adapters=adapters
        ) as hass:
            await shows_new_values(hass)
            await goes_on_with_its_history(hass)
            await tells_of_release_3(hass)
            assert await hass.stop() == 0
            log = hass.log.read_text()
            assert not [text for text in FORBIDDEN_IN_LOG if text in log]
            ours = [line for line in log.splitlines() if "custom_components.blupow" in line]
            assert not [line for line in ours if " ERROR " in line]
            assert "sensor.blupow_firmware_version has no successor" in log


async def remember(hass: HomeAssistant) -> None:
    """Have the recorder know what release 2 showed: states, and statistics of the hours before."""
    attributes = {
        "unit_of_measurement": "V",
        "device_class": "voltage",
        "state_class": "measurement",
    }
    await hass.post(f"/api/states/{VOLTAGE}", {"state": BEFORE, "attributes": attributes})
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    await hass.call(
        "recorder/import_statistics",
        metadata={
            "has_mean": True,
            "has_sum": False,
            "mean_type": 1,
            "name": None,
            "source": "recorder",
            "statistic_id": VOLTAGE,
            "unit_class": "voltage",
            "unit_of_measurement": "V",
        },
        stats=[
            {
                "start": (hour + timedelta(hours=number)).isoformat(),
                "mean": 11 + number / 10,
                "min": 11,
                "max": 12,
            }
            for number in range(3)
        ],
    )

    async def recorded() -> bool:
        return bool(await history(hass)) and len(await statistics(hass)) == 3

    await hass.wait_for("history and statistics", recorded, 60)


async def history(hass: HomeAssistant) -> list[str]:
    """Return the states that the recorder has of the voltage."""
    start = datetime.now(UTC) - timedelta(hours=6)
    found = await hass.call(
        "history/history_during_period",
        start_time=start.isoformat(),
        entity_ids=[VOLTAGE],
        minimal_response=True,
    )
    return [state["s"] for state in found.get(VOLTAGE, [])]


async def statistics(hass: HomeAssistant) -> list[float]:
    """Return the hourly means of the voltage."""
    found = await hass.call(
        "recorder/statistics_during_period",
        start_time=(datetime.now(UTC) - timedelta(hours=6)).isoformat(),
        statistic_ids=[VOLTAGE],
        period="hour",
    )
    return [row["mean"] for row in found.get(VOLTAGE, [])]


def _write(storage: Path, key: str, minor: int, data: dict[str, Any]) -> None:
    content = {"version": 1, "minor_version": minor, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content))


def install_release_2(storage: Path) -> None:
    """Write what Home Assistant of that time stored of the releases 2.0.0 and 3.2.0."""
    path = storage / "core.config_entries"
    stored = json.loads(path.read_text())
    common = {
        "created_at": THEN,
        "modified_at": THEN,
        "disabled_by": None,
        "discovery_keys": {},
        "domain": "blupow",
        "minor_version": 1,
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "version": 1,
    }
    stored["data"]["entries"] += [
        common
        | {
            "entry_id": ENTRY,
            "title": f"BluPow {TYPED}",
            "unique_id": TYPED,
            "data": {"address": TYPED, "name": f"BluPow {TYPED}"},
            "options": {"update_interval": 30, "connection_timeout": 20.0},
        },
        common
        | {
            "entry_id": GATEWAY,
            "title": "BluPow Gateway",
            "unique_id": None,
            "data": {},
            "options": {},
        },
    ]
    path.write_text(json.dumps(stored))
    _write(
        storage,
        "core.device_registry",
        10,
        {
            "devices": [
                {
                    "area_id": None,
                    "config_entries": [ENTRY],
                    "config_entries_subentries": {ENTRY: [None]},
                    "configuration_url": None,
                    "connections": [],
                    "created_at": THEN,
                    "disabled_by": None,
                    "entry_type": None,
                    "hw_version": None,
                    "id": DEVICE,
                    "identifiers": [["blupow", TYPED]],
                    "labels": [],
                    "manufacturer": "Renogy",
                    "model": "RIV1230RCH-SPS",
                    "model_id": None,
                    "modified_at": THEN,
                    "name_by_user": "Van inverter",
                    "name": f"BluPow {TYPED}",
                    "primary_config_entry": ENTRY,
                    "serial_number": None,
                    "sw_version": None,
                    "via_device_id": None,
                }
            ],
            "deleted_devices": [],
        },
    )
    _write(
        storage,
        "core.entity_registry",
        17,
        {
            "entities": [
                _entity(VOLTAGE, "battery_voltage", name="House battery"),
                _entity(SOLAR, "solar_power"),
                _entity("sensor.blupow_ac_input_voltage", "ac_input_voltage", disabled_by="user"),
                _entity("sensor.blupow_firmware_version", "firmware_version"),
            ],
            "deleted_entities": [],
        },
    )


def _entity(entity_id: str, key: str, **facts: str) -> dict[str, Any]:
    return {
        "aliases": [],
        "area_id": None,
        "categories": {},
        "capabilities": None,
        "config_entry_id": ENTRY,
        "config_subentry_id": None,
        "created_at": THEN,
        "device_class": None,
        "device_id": DEVICE,
        "disabled_by": None,
        "entity_category": None,
        "entity_id": entity_id,
        "has_entity_name": False,
        "hidden_by": None,
        "icon": None,
        "id": f"id{key}",
        "labels": [],
        "modified_at": THEN,
        "name": None,
        "options": {},
        "original_device_class": None,
        "original_icon": None,
        "original_name": key.replace("_", " "),
        "platform": "blupow",
        "previous_unique_id": None,
        "suggested_object_id": None,
        "supported_features": 0,
        "translation_key": None,
        "unique_id": f"{BARE}_{key}",
        "unit_of_measurement": None,
    } | facts


async def shows_new_values(hass: HomeAssistant) -> None:
    """By the old ids, with the user's names; the device keeps its name, the disabled one stays so."""

    async def look() -> dict[str, Any] | None:
        states = await hass.states()
        there = VOLTAGE in states and states[VOLTAGE]["state"] not in ("unknown", "unavailable")
        return states if there and states[VOLTAGE]["state"] != BEFORE else None

    states = await hass.wait_for("a new value", look, 120)
    assert 12.5 < float(states[VOLTAGE]["state"]) < 14
    assert states[VOLTAGE]["attributes"]["friendly_name"] == "House battery"
    assert float(states[SOLAR]["state"]) >= 0
    assert "sensor.blupow_ac_input_voltage" not in states
    entities = {item["entity_id"]: item for item in await hass.call("config/entity_registry/list")}
    assert entities["sensor.blupow_ac_input_voltage"]["disabled_by"] == "user"
    assert "sensor.blupow_firmware_version" not in entities
    (device,) = [
        device
        for device in await hass.call("config/device_registry/list")
        if ["blupow", INVERTER_ADDRESS] in device["identifiers"]
    ]
    assert (device["id"], device["name_by_user"]) == (DEVICE, "Van inverter")


async def goes_on_with_its_history(hass: HomeAssistant) -> None:
    """States of before and of now under one id; the statistics too, without a complaint."""

    async def look() -> bool:
        states = await history(hass)
        return states[0] == BEFORE and any(state.startswith("13") for state in states)

    await hass.wait_for("the history of both releases", look, 60)
    assert await statistics(hass) == [11.0, 11.1, 11.2]
    issues = await hass.call("recorder/validate_statistics")
    assert VOLTAGE not in issues


async def tells_of_release_3(hass: HomeAssistant) -> None:
    """Its entry is not loaded; the repair says why."""
    entries = {
        entry["entry_id"]: entry for entry in await hass.call("config_entries/get", domain="blupow")
    }
    assert entries[ENTRY]["state"] == "loaded"
    assert entries[GATEWAY]["state"] == "setup_error"
    issues = (await hass.call("repairs/list_issues"))["issues"]
    ours = {issue["translation_key"] for issue in issues if issue["domain"] == "blupow"}
    assert ours == {"earlier_release"}
