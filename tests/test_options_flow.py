"""The options, as a user changes them."""

from datetime import time

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.lib.blupow_ble.reader import bluez
from custom_components.blupow.options import EntryOptions, RouteChoice
from custom_components.blupow.options_flow import in_sections, suggested
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData

from .helpers.timeline import set_up

OPTIONS = {
    "update_interval": 60,
    "cache_time": 120,
    "grace_time": 200,
    "route": "isolated",
    "heartbeat_interval": 30,
    "stale_age": 150,
    "stale_checks": 2,
    "recovery_limit": 5,
    "notify_on_recovery": True,
    "allow_changes": True,
    "source_dwell": 300,
    "log_file": False,
    "may_be_off": False,
}


@pytest.mark.usefixtures("heard")
async def test_options(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """They take effect at once; what is left empty is automatic."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    sections = result["data_schema"].schema
    assert {str(name): section.options["collapsed"] for name, section in sections.items()} == {
        "updates": False,
        "connection": True,
        "recovery": True,
        "controls": True,
        "log": True,
    }
    shown = {
        str(field): field.description["suggested_value"]
        for section in sections.values()
        for field in section.schema.schema
        if field.description
    }
    assert shown == {
        "update_interval": 30,
        "cache_time": 300,
        "grace_time": 600,
        "route": "automatic",
        "heartbeat_interval": 120,
        "stale_age": 300,
        "stale_checks": 3,
        "recovery_limit": 10,
        "notify_on_recovery": False,
        "allow_changes": False,
        "source_dwell": 600,
        "log_file": False,
        "may_be_off": False,
    }
    result = await hass.config_entries.options.async_configure(
        result["flow_id"],
        in_sections(
            OPTIONS | {"connect_timeout": 40.0, "unit_id": 7, "daily_reconnect": "03:30:00"}
        ),
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.only.options == EntryOptions(
        update_interval=60,
        connect_timeout=40,
        cache_time=120,
        grace_time=200,
        route=RouteChoice.ISOLATED,
        unit_id=7,
        heartbeat_interval=30,
        stale_age=150,
        stale_checks=2,
        recovery_limit=5,
        daily_reconnect=time(3, 30),
        notify_on_recovery=True,
        allow_changes=True,
        source_dwell=300,
    )
    shown = suggested(entry.runtime_data.only.options)
    assert (shown["unit_id"], shown["daily_reconnect"]) == (7, "03:30:00")


@pytest.mark.usefixtures("heard")
async def test_grace_shorter_than_cache(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Refused, and the input is kept."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], in_sections(OPTIONS | {"cache_time": 201})
    )
    assert result["errors"] == {"base": "grace_shorter_than_cache"}
    assert entry.options == {}
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], in_sections(OPTIONS)
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("options", "cache", "grace", "stale_age"),
    [
        ({}, 300, 600, 300),
        ({"update_interval": 300}, 600, 900, 600),
        ({"update_interval": 86_400}, 172_800, 173_100, 172_800),
        ({"update_interval": 150, "cache_time": 310, "grace_time": 310}, 310, 310, 300),
    ],
)
def test_times_follow_a_long_interval(
    options: dict[str, int], cache: int, grace: int, stale_age: int
) -> None:
    """A reading serves for two intervals at least, and is not stale before."""
    made = EntryOptions(**options)
    freshness = made.freshness()
    assert (freshness.cache, freshness.grace) == (cache, grace)
    assert made.watchdog.stale_age == stale_age
    assert made.freshness(polling=False).cache == 172_800


@pytest.mark.usefixtures("heard")
async def test_isolated_where_there_is_no_bluez(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form says so, instead of a device that is never read."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    monkeypatch.setattr(bluez, "BUS_SOCKETS", ())
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    flow_id = result["flow_id"]
    result = await hass.config_entries.options.async_configure(flow_id, in_sections(OPTIONS))
    assert result["errors"] == {"base": "isolated_needs_bluez"}
    answers = OPTIONS | {"route": "automatic"}
    result = await hass.config_entries.options.async_configure(flow_id, in_sections(answers))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["route"] == "automatic"


@pytest.mark.usefixtures("heard")
async def test_isolated_test_mode_where_there_is_no_bluez(
    hass: HomeAssistant, virtual_entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual device needs none."""
    await set_up(hass, virtual_entry)
    monkeypatch.setattr(bluez, "BUS_SOCKETS", ())
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    result = await hass.config_entries.options.async_init(virtual_entry.entry_id)
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], in_sections(OPTIONS)
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("update_interval", 10, 86_400),
        ("connect_timeout", 5, 60),
        ("cache_time", 20, 3600),
        ("grace_time", 20, 7200),
        ("unit_id", 1, 247),
        ("heartbeat_interval", 10, 600),
        ("stale_age", 20, 3600),
        ("stale_checks", 1, 10),
        ("recovery_limit", 1, 100),
        ("source_dwell", 60, 7200),
    ],
)
async def test_ranges_of_options(
    hass: HomeAssistant, entry: MockConfigEntry, key: str, low: int, high: int
) -> None:
    """Values outside are refused at their field, the limits are not."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    floor = {"cache_time": 9, "grace_time": 9}.get(key, low - 1)
    for value in (floor, high + 1):
        result = await hass.config_entries.options.async_init(entry.entry_id)
        with pytest.raises(InvalidData) as caught:
            await hass.config_entries.options.async_configure(
                result["flow_id"], in_sections(OPTIONS | {key: value})
            )
        assert key in str(caught.value.schema_errors)
    for value in (low, high):
        wide = OPTIONS | {"cache_time": 20, "grace_time": 7200, "stale_age": 3600}
        result = await hass.config_entries.options.async_init(entry.entry_id)
        result = await hass.config_entries.options.async_configure(
            result["flow_id"], in_sections(wide | {key: value})
        )
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert entry.options[key] == value
