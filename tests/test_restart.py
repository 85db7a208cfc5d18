"""What outlasts a restart of Home Assistant: values, announcements, energies, repairs that were ignored."""

from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.entry_store import EntryStore, take_kept
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir

from .helpers.families import FAMILIES
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up, state
from .test_repairs import shown

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")

PREFIX = "sensor.btric134000035"
VOLTAGE = f"{PREFIX}_battery_voltage"
STATUS = f"{PREFIX}_connection_status"


async def restart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Load the entry anew, without what Home Assistant has in its memory."""
    await hass.config_entries.async_unload(entry.entry_id)
    take_kept(hass, entry.entry_id)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_short_outage(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The last values stay within their grace, and are not called fresh."""
    await set_up(hass, entry)
    voltage = state(hass, VOLTAGE)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 100, heard=False, step=5)
    await restart(hass, entry)
    assert (state(hass, VOLTAGE), state(hass, STATUS)) == (voltage, "offline")
    await pass_time(hass, freezer, 490, heard=False, step=5)
    assert (state(hass, VOLTAGE), state(hass, STATUS)) == (voltage, "disconnected")
    await pass_time(hass, freezer, 20, heard=False)
    assert (state(hass, VOLTAGE), state(hass, STATUS)) == ("unavailable", "lost")


async def test_restored_is_told_after_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Lost is announced once, and so is its end, with the whole outage."""
    lost = async_capture_events(hass, "blupow_connection_lost")
    restored = async_capture_events(hass, "blupow_connection_restored")
    await set_up(hass, entry)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 900, heard=False, step=5)
    await restart(hass, entry)
    await pass_time(hass, freezer, 900, heard=False, step=5)
    assert (len(lost), len(restored)) == (1, 0)
    script.error = None
    await pass_time(hass, freezer, 60, step=5)
    (event,) = restored
    assert event.data["outage"] == pytest.approx(1810, abs=15)


async def test_energy_never_steps_back(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """After a power cut it goes on from what was kept every five minutes."""
    script.device = FAMILIES["battery"].device()
    script.device.overrides = {5042: 1000, 5043: 120}
    entry = FAMILIES["battery"].entry()
    await set_up(hass, entry)
    await pass_time(hass, freezer, 610, step=5)
    entity = "sensor.bt_th_6a000035_battery_energy_in_estimated"
    before = float(state(hass, entity))
    assert before > 0.019
    energies = entry.runtime_data.only.supervisor.own.energies
    assert energies["battery_energy_in"] == pytest.approx(1000 * before, abs=0.001)
    await restart(hass, entry)
    assert float(state(hass, entity)) >= before


@pytest.mark.parametrize("again", ["night", "options"])
async def test_repair_that_was_ignored_stays_ignored(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    again: str,
) -> None:
    """Over its end and its return, a reload and a restart."""
    await set_up(hass, entry)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 1200, heard=False, step=5)
    issue_id = shown(hass)["not_heard"].issue_id
    ir.async_ignore_issue(hass, DOMAIN, issue_id, ignore=True)
    if again == "night":
        script.error = None
        await entry.runtime_data.only.async_refresh()
        await pass_time(hass, freezer, 60, step=5)
        assert shown(hass) == {}
        script.error = ErrorCode.NOT_ADVERTISING
    await restart(hass, entry)
    await pass_time(hass, freezer, 1200, heard=False, step=5)
    assert shown(hass)["not_heard"].dismissed_version is not None
    ir.async_ignore_issue(hass, DOMAIN, issue_id, ignore=False)
    script.error = None
    await entry.runtime_data.only.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 1200, heard=False, step=5)
    assert shown(hass)["not_heard"].dismissed_version is None


WHOLE = {
    "announced_lost": False,
    "ignored_repairs": [],
    "fresh_at": None,
    "units": {
        "": {
            "profile": "inverter",
            "model": "RIV1230RCH",
            "counters": {"solar_energy_total": [5.0, 1_700_000_000.0]},
            "energies": {},
            "day_mark": None,
            "values": {"battery_voltage": 12.0},
            "taken_at": 1_700_000_000.0,
        }
    },
}


def without(**changes: Any) -> dict[str, Any]:
    """Return what is stored, with another unit."""
    return WHOLE | {"units": {"": WHOLE["units"][""] | changes}}


@pytest.mark.parametrize(
    "data",
    [
        [],
        {},
        {"units": {}},
        WHOLE | {"units": []},
        WHOLE | {"units": {"": None}},
        WHOLE | {"announced_lost": "yes"},
        WHOLE | {"fresh_at": "yesterday"},
        WHOLE | {"ignored_repairs": [1]},
        WHOLE | {"ignored_repairs": 7},
        without(counters={"solar_energy_total": ["x", 0]}),
        without(counters={"solar_energy_total": 5}),
        without(counters=[1]),
        without(energies={"battery_energy_in": "much"}),
        without(values={"battery_voltage": None}),
        without(values={"battery_voltage": {}}),
        without(taken_at="noon"),
        without(taken_at=1e300),
        without(day_mark=[1]),
        without(day_mark=[1, "someday"]),
        without(changes={"schedule": {}, "state": {"before": {"ac_charge_current": [1]}}}),
        without(changes={"schedule": {"charge_start_time": "noon"}, "state": {}}),
        without(changes=7),
    ],
    ids=str,
)
async def test_store_of_another_shape(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    data: Any,
) -> None:
    """It is set aside and logged; the device is read all the same, and its counters begin anew."""
    hass_storage[f"blupow.{entry.entry_id}"] = {"version": 1, "data": data}
    await set_up(hass, entry)
    assert state(hass, STATUS) == "connected"
    assert float(state(hass, f"{PREFIX}_solar_energy_total")) > 1000
    reported = [line for line in caplog.messages if "is set aside" in line]
    assert len(reported) == 1
    assert reported[0].startswith("[cache] BTRIC134000035: ")


async def test_store_of_a_later_version(
    hass: HomeAssistant, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    """As after going back to an earlier release."""
    hass_storage[f"blupow.{entry.entry_id}"] = {"version": 7, "data": WHOLE}
    await set_up(hass, entry)
    assert state(hass, STATUS) == "connected"


@pytest.mark.parametrize(
    "error",
    [
        IsADirectoryError("it is a directory"),
        TypeError("list indices must be integers"),
        KeyError("data"),
        NotImplementedError(),
        HomeAssistantError("later version"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("directory", [True, False])
async def test_file_that_is_no_store(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    directory: bool,
) -> None:
    """What stands in its place goes aside, so that a good one can be written."""
    await set_up(hass, entry)
    hass.config.config_dir = str(tmp_path)
    path = tmp_path / ".storage" / f"blupow.{entry.entry_id}"
    path.parent.mkdir()
    if directory:
        path.mkdir()
    else:
        path.write_text("[]")
    store = EntryStore(hass, entry.entry_id)
    monkeypatch.setattr(store._store, "async_load", AsyncMock(side_effect=error))
    await store.load(entry.runtime_data.only.supervisor.link)
    assert [item.name for item in path.parent.iterdir()] == [f"{path.name}.unreadable"]
    await store.load(entry.runtime_data.only.supervisor.link)  # nothing is there to go aside


async def test_fault_of_our_own_is_not_hidden(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a good reading too: it is the problem, it is counted, and logged once."""
    await set_up(hass, entry)
    coordinator = entry.runtime_data.only

    def broken(*_: object) -> None:
        raise TypeError("broken")

    monkeypatch.setattr(type(coordinator.supervisor.own), "keep", broken)
    for _ in range(3):
        await coordinator.async_refresh()
    assert state(hass, f"{PREFIX}_problem") == "reader_crashed"
    assert coordinator.supervisor.link.failures == 3
    assert state(hass, VOLTAGE) != "unavailable"
    assert sum("a fault of BluPow itself" in line for line in caplog.messages) == 1
