"""A module that was replaced: its entry takes another address, and nothing that the user has is lost."""

from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.blupow.lib.blupow_ble.protocol import session
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.virtual.waves import midnight
from homeassistant.components.recorder.statistics import (
    list_statistic_ids,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.recorder import get_instance

from .helpers.bluetooth import hear, service_info
from .helpers.families import FAMILIES
from .helpers.scripted import NOW, Script
from .helpers.simulated import INVERTER_ADDRESS
from .helpers.timeline import pass_time, set_up, state
from .test_units import bus, two_batteries

NEW = "C4:D3:6A:00:00:99"

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


async def form(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Return the form that asks for the address."""
    menu = await entry.start_reconfigure_flow(hass)
    return await hass.config_entries.flow.async_configure(
        menu["flow_id"], {"next_step_id": "new_address"}
    )


async def answer(hass: HomeAssistant, result: dict[str, Any], address: str) -> dict[str, Any]:
    """Answer the form, and wait until the device was read."""
    hear(hass, service_info(address=NEW))
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {"address": address})
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await hass.async_block_till_done(wait_background_tasks=True)
        result = await hass.config_entries.flow.async_configure(result["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def test_everything_stays(hass: HomeAssistant, script: Script) -> None:
    """Entities keep their names and ids, devices their areas; units behind the module come along."""
    entry = two_batteries()
    script.device = bus(("battery", 48), ("battery", 49))
    await set_up(hass, entry)
    devices, entities = dr.async_get(hass), er.async_get(hass)
    old = entry.unique_id
    assert old is not None
    before = {
        item.entity_id: item.unique_id
        for item in er.async_entries_for_config_entry(entities, entry.entry_id)
    }
    named = next(iter(before))
    entities.async_update_entity(named, name="House battery")
    known = {device.id for device in dr.async_entries_for_config_entry(devices, entry.entry_id)}
    (module,) = [
        device
        for device in dr.async_entries_for_config_entry(devices, entry.entry_id)
        if device.identifiers == {("blupow", old)}
    ]
    assert len(known) == 3
    devices.async_update_device(module.id, name_by_user="Bank")

    result = await answer(hass, await form(hass, entry), "c4-d3-6a-00-00-99")
    assert result["reason"] == "reconfigure_successful"
    assert (entry.unique_id, entry.data["address"]) == (NEW, NEW)
    assert script.routes[-1].device.address == NEW
    after = {
        item.entity_id: item.unique_id
        for item in er.async_entries_for_config_entry(entities, entry.entry_id)
    }
    assert after == {
        entity_id: NEW + unique_id.removeprefix(old) for entity_id, unique_id in before.items()
    }
    assert entities.async_get(named).name == "House battery"
    found = dr.async_entries_for_config_entry(devices, entry.entry_id)
    assert {device.id for device in found} == known
    moved = devices.async_get(module.id)
    assert moved.identifiers == {("blupow", NEW)}
    assert moved.connections == {("bluetooth", NEW)}
    assert moved.name_by_user == "Bank"
    assert all(old not in text for device in found for _, text in device.identifiers)
    assert not [item for item in hass.states.async_all("sensor") if item.attributes.get("restored")]


@pytest.mark.usefixtures("recorder_mock")
async def test_statistics_stay(
    hass: HomeAssistant,
    script: Script,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Days that the device kept go on under the new address."""
    monkeypatch.setattr(session, "DRAIN_QUIET", 0)
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(datetime.fromtimestamp(midnight(NOW) + 12 * 3600, UTC))
    script.device = FAMILIES["controller"].device()
    entry = FAMILIES["controller"].entry()
    await set_up(hass, entry)
    await pass_time(hass, freezer, 31)

    async def days() -> dict[str, list[tuple[float, float | None, float | None]]]:
        await async_wait_recording_done(hass)
        instance = get_instance(hass)
        known = await instance.async_add_executor_job(list_statistic_ids, hass)
        ids = {item["statistic_id"] for item in known if item["source"] == "blupow"}
        since = datetime.fromtimestamp(NOW, UTC) - timedelta(days=30)
        found = await instance.async_add_executor_job(
            statistics_during_period, hass, since, None, ids, "hour", None, {"state", "sum"}
        )
        return {
            key: [(row["start"], row["state"], row["sum"]) for row in rows]
            for key, rows in found.items()
        }

    old = entry.unique_id.lower().replace(":", "_")
    before = await days()
    assert len(before[f"blupow:{old}_solar_energy"]) == 7
    result = await answer(hass, await form(hass, entry), NEW)
    assert result["reason"] == "reconfigure_successful"
    assert await days() == {
        key.replace(old, "c4_d3_6a_00_00_99"): rows for key, rows in before.items()
    }


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("the new one", "invalid_address"),
        (INVERTER_ADDRESS.lower(), "same_address"),
        ("C4:D3:6A:00:00:77", "address_in_use"),
    ],
)
async def test_address_that_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, address: str, error: str
) -> None:
    """It is reported why, and can be corrected; nothing is read meanwhile."""
    data = entry.data | {"address": "C4:D3:6A:00:00:77"}
    MockConfigEntry(domain="blupow", version=2, unique_id=data["address"], data=data).add_to_hass(
        hass
    )
    await set_up(hass, entry)
    polls = script.polls
    result = await answer(hass, await form(hass, entry), address)
    assert result["errors"] == {"address": error}
    (field,) = result["data_schema"].schema
    assert field.description == {"suggested_value": address}
    assert script.polls == polls
    result = await answer(hass, result, NEW)
    assert result["reason"] == "reconfigure_successful"


async def test_module_that_does_not_answer(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Nothing is moved to an address under which nothing was read."""
    await set_up(hass, entry)
    script.error = ErrorCode.CONNECT_TIMEOUT
    result = await answer(hass, await form(hass, entry), NEW)
    assert result["errors"] == {"base": "connect_timeout"}
    assert entry.unique_id == INVERTER_ADDRESS
    script.error = None
    assert state(hass, "sensor.btric134000035_battery_voltage") != "unavailable"
