"""The background search for units behind a module."""

from dataclasses import replace
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.blupow.bluetooth import device_reader
from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.reader.plan import ReadPlan, UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.probing import Prober, likely_unit_ids
from custom_components.blupow.lib.blupow_ble.reader.reading import Reader
from custom_components.blupow.lib.blupow_ble.reader.result import Finding, Reading
from custom_components.blupow.lib.blupow_ble.reader.route import Route
from custom_components.blupow.lib.blupow_ble.supervisor.background_search import BackgroundSearch
from custom_components.blupow.lib.blupow_ble.virtual.device import virtual_bus
from custom_components.blupow.lib.blupow_ble.virtual.link import VirtualLink
from custom_components.blupow.unit_offers import add_units
from custom_components.blupow.units import units_of
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .helpers.families import FAMILIES
from .helpers.scripted import NOW, Script, ScriptedReader
from .helpers.timeline import set_up

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")

BATTERY = FAMILIES["battery"]
FOUND = Finding(
    unit_id=49,
    profile="battery",
    model="SMART",
    model_text="RBT100LFP12-BT",
    serial_number="VIRTUAL-BATT-049",
)


class Finds(ScriptedReader):
    """Finds a unit whenever it is to look at its address."""

    async def read(self, route: Route, plan: ReadPlan) -> tuple[Route, Reading]:
        """Take one reading."""
        route, reported = await super().read(route, plan)
        found = (FOUND,) if plan.look_at == FOUND.unit_id else ()
        return route, Reading(
            units=reported.units, timings=reported.timings, attempts=reported.attempts, found=found
        )


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """Have a second battery behind the module, which only the search finds."""
    monkeypatch.setattr(device_reader, "IsolatedReader", Finds)


def asked(script: Script) -> list[int | None]:
    """Return which addresses the readings have looked at."""
    return [plan.look_at for plan in script.plans]


def offers(hass: HomeAssistant) -> list[ir.IssueEntry]:
    """Return the units that are offered."""
    return [
        issue
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue.translation_key == "unit_found" and issue.active
    ]


def test_each_tenth_good_poll_asks_one_address() -> None:
    """All usual ones in turn, for ever; never one that is known, and never that of everybody."""
    units = units_of(BATTERY.entry())
    search = BackgroundSearch(units)
    reported: list[int | None] = []
    for _ in range(2000):
        reported.append(search.due())
        search.poll_was_good()
    assert [reported.index(unit) for unit in reported if unit is not None][:1] == [9]
    usual = [unit for unit in likely_unit_ids() if unit not in (255, 48)]
    wanted = [unit for unit in reported if unit is not None]
    assert wanted[: len(usual)] == usual
    assert wanted[len(usual) : 2 * len(usual)] == usual
    assert all(reported[number] is None for number in range(2000) if number % 10 != 9)


def test_bus_whose_every_address_is_known() -> None:
    """There is nothing to ask, and nothing that goes on for ever."""
    (unit,) = units_of(BATTERY.entry())
    search = BackgroundSearch([replace(unit, unit_id=address) for address in likely_unit_ids()])
    for _ in range(100):
        assert search.due() is None
        search.poll_was_good()


async def test_universal_address_is_given_up(hass: HomeAssistant, script: Script) -> None:
    """On a bus of several, all would answer it at once."""
    script.device = FAMILIES["hub"].device()
    entry = BATTERY.entry()
    await set_up(hass, entry)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "unit_id": 255})
    add_units(hass, entry, entry.runtime_data.only.supervisor.own, [FOUND])
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data["unit_id"] == 48
    assert [plan.unit_id for plan in script.plans[-1].units] == [48, 49]


def test_device_that_only_sends_is_never_asked() -> None:
    """A shunt has no units behind it."""
    search = BackgroundSearch(units_of(FAMILIES["shunt"].entry()))
    for _ in range(100):
        assert search.due() is None
        search.poll_was_good()


async def poll(hass: HomeAssistant, entry: MockConfigEntry, times: int) -> None:
    """Have readings taken."""
    for _ in range(times):
        await entry.runtime_data.only.async_refresh()
        await hass.async_block_till_done(wait_background_tasks=True)


async def until_found(hass: HomeAssistant, entry: MockConfigEntry, script: Script) -> None:
    """Have readings taken until the address was asked."""
    while 49 not in asked(script):
        await poll(hass, entry, 1)


async def opened(
    hass_client: ClientSessionGenerator, issue: ir.IssueEntry
) -> tuple[TestClient, dict[str, Any]]:
    """Have the user open a repair; return its form, and who answers it."""
    client = await hass_client()
    answer = await client.post(
        "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue.issue_id}
    )
    return client, await answer.json()


@pytest.mark.usefixtures("finds")
async def test_unit_is_offered_and_added(
    hass: HomeAssistant, script: Script, hass_client: ClientSessionGenerator
) -> None:
    """By a repair, whose form adds it as a subentry; it is not offered again."""
    assert await async_setup_component(hass, REPAIRS, {})
    script.device = FAMILIES["hub"].device()
    entry = BATTERY.entry()
    await set_up(hass, entry)
    await until_found(hass, entry, script)
    (issue,) = offers(hass)
    assert issue.translation_placeholders == {
        "name": "BT-TH-6A000035",
        "unit": "49: Battery, RBT100LFP12-BT, serial number VIRTUAL-BATT-049",
    }
    client, flow = await opened(hass_client, issue)
    assert flow["step_id"] == "confirm"
    answer = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    assert (await answer.json())["type"] == "create_entry"
    await hass.async_block_till_done(wait_background_tasks=True)
    (subentry,) = entry.subentries.values()
    assert (subentry.unique_id, subentry.title) == ("49", "Battery 49")
    assert subentry.data["serial_number"] == "VIRTUAL-BATT-049"
    assert entry.state is ConfigEntryState.LOADED
    assert [unit.unit_id for unit in entry.runtime_data.only.supervisor.units] == [48, 49]
    assert offers(hass) == []
    await poll(hass, entry, 120)
    assert offers(hass) == []


@pytest.mark.usefixtures("finds")
@pytest.mark.parametrize("meanwhile", ["added", "unloaded"])
async def test_offer_that_came_too_late(
    hass: HomeAssistant, script: Script, hass_client: ClientSessionGenerator, meanwhile: str
) -> None:
    """While the form was open the unit was added, or the entry unloaded: nothing is added twice."""
    assert await async_setup_component(hass, REPAIRS, {})
    script.device = FAMILIES["hub"].device()
    entry = BATTERY.entry()
    await set_up(hass, entry)
    await until_found(hass, entry, script)
    (issue,) = offers(hass)
    client, flow = await opened(hass_client, issue)
    if meanwhile == "added":
        add_units(hass, entry, entry.runtime_data.only.supervisor.own, [FOUND])
        await hass.async_block_till_done(wait_background_tasks=True)
    else:
        await hass.config_entries.async_unload(entry.entry_id)
    answer = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    reported = await answer.json()
    if meanwhile == "added":
        assert reported["type"] == "create_entry"
        assert len(entry.subentries) == 1
    else:
        assert (reported["type"], reported["reason"]) == ("abort", "not_loaded")
        assert not entry.subentries


@pytest.mark.usefixtures("finds")
async def test_offer_that_is_ignored(hass: HomeAssistant, script: Script) -> None:
    """It stays so, over a reload and when the unit is found again."""
    script.device = FAMILIES["hub"].device()
    entry = BATTERY.entry()
    await set_up(hass, entry)
    await until_found(hass, entry, script)
    (issue,) = offers(hass)
    ir.async_ignore_issue(hass, DOMAIN, issue.issue_id, ignore=True)
    await hass.config_entries.async_reload(entry.entry_id)
    script.plans.clear()
    await until_found(hass, entry, script)
    (issue,) = offers(hass)
    assert issue.dismissed_version is not None
    await hass.config_entries.async_remove(entry.entry_id)
    assert offers(hass) == []


@pytest.mark.usefixtures("finds")
async def test_offer_of_a_unit_that_the_user_has_added(
    hass: HomeAssistant, script: Script, hass_client: ClientSessionGenerator
) -> None:
    """Meanwhile, by the search: the offer is withdrawn."""
    script.device = FAMILIES["hub"].device()
    entry = BATTERY.entry()
    await set_up(hass, entry)
    await until_found(hass, entry, script)
    assert len(offers(hass)) == 1
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "unit"), context={"source": "user"}
    )
    flows = hass.config_entries.subentries
    result = await flows.async_configure(result["flow_id"], {})
    while result["type"] == "progress":
        await hass.async_block_till_done()
        result = await flows.async_configure(result["flow_id"])
    await flows.async_configure(result["flow_id"], {"units": ["49"]})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert offers(hass) == []


async def test_reading_looks_for_another_unit(script: Script) -> None:
    """Over the same connection, after its own blocks; an unresponsive one costs nothing else."""
    script.device = FAMILIES["hub"].device()
    (unit,) = units_of(BATTERY.entry())
    plan = UnitPlan(key=unit.key, profile=unit.profile, model=unit.model, unit_id=unit.unit_id)
    for address, found in ((49, [FOUND]), (97, [])):
        reader = Reader(VirtualLink(script.device), [plan], look_at=address)
        reported = await reader.read()
        await reader.close()
        assert list(reported.found) == found
        assert reported.main.values["battery_voltage"] == 13.2


async def test_no_look_where_little_time_is_left(script: Script) -> None:
    """It must not cost a good reading its deadline."""
    script.device = FAMILIES["hub"].device()
    (unit,) = units_of(BATTERY.entry())
    plan = UnitPlan(key=unit.key, profile=unit.profile, model=unit.model, unit_id=unit.unit_id)
    reader = Reader(VirtualLink(script.device), [plan], look_at=49, budget=5.9)
    reported = await reader.read()
    await reader.close()
    assert reported.found == ()


async def test_look_that_fails_spoils_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link drops, or the unit names no model where families are alike."""
    device = virtual_bus([("battery", 48), ("controller", 96)], lambda: NOW)
    (unit,) = units_of(BATTERY.entry())
    plan = UnitPlan(key=unit.key, profile=unit.profile, model=unit.model, unit_id=unit.unit_id)
    device.devices[1].overrides = dict.fromkeys(range(0x000C, 0x0014), 0)
    reader = Reader(VirtualLink(device), [plan], look_at=96)
    reported = await reader.read()
    await reader.close()
    assert reported.found == ()
    assert reported.main.values["battery_voltage"] == 13.2

    async def drop(*_: object) -> None:
        raise ReaderError(ErrorCode.CONNECT_FAILED, "the link dropped")

    monkeypatch.setattr(Prober, "look_at", drop)
    reader = Reader(VirtualLink(device), [plan], look_at=96)
    reported = await reader.read()
    await reader.close()
    assert reported.found == ()
    assert reported.main.values["battery_voltage"] == 13.2
