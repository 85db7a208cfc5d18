"""Repairs: when they are shown, when they vanish, and what their flows mend."""

import asyncio
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.issues import cause
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader.route import RouteKind
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from custom_components.blupow.repairs import ReadInProcess
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .helpers.scripted import NOW, Script
from .helpers.timeline import pass_time, set_up

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")

SHOWN_BY = [
    (ErrorCode.NOT_ADVERTISING, Stage.START, "not_heard"),
    (ErrorCode.HELD_BY_OTHER, Stage.CONNECT, "held_by_other"),
    (ErrorCode.ADAPTER_UNAVAILABLE, Stage.CONNECT, "adapter_gone"),
    (ErrorCode.ADAPTER_UNAVAILABLE, Stage.START, "no_bluetooth"),
    (ErrorCode.READER_CRASHED, Stage.START, "reader_cannot_start"),
    (ErrorCode.SERVICE_MISSING, Stage.SERVICES, "wrong_family"),
    (ErrorCode.MODBUS_EXCEPTION, Stage.READ, "wrong_family"),
    (ErrorCode.NO_RESPONSE, Stage.READ, "unit_not_found"),
    (ErrorCode.WRONG_UNIT, Stage.READ, "unit_not_found"),
    (ErrorCode.NO_CONNECTABLE_SCANNER, Stage.START, "no_connectable_scanner"),
    (ErrorCode.PAIRING_REQUIRED, Stage.CONNECT, "pairing_required"),
    (ErrorCode.BRIDGE_UNREACHABLE, Stage.START, "bridge_unreachable"),
]


def shown(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the repairs that are shown, by their kind."""
    return {
        str(issue.translation_key): issue
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }


async def lose(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    clock: FrozenDateTimeFactory,
    error: ErrorCode,
    **options: Any,
) -> None:
    """Set the device up, and let it fail until its last reading is stale."""
    await set_up(hass, entry, **({"update_interval": 60, "stale_age": 130} | options))
    script.error, script.stage = error, Stage.START
    await pass_time(hass, clock, 425, heard=error is not ErrorCode.NOT_ADVERTISING)


class Flow:
    """A fix flow over HTTP, as the frontend goes through it."""

    def __init__(self, hass: HomeAssistant, client: ClientSessionGenerator) -> None:
        """Prepare."""
        self._hass = hass
        self._client = client
        self._url = "/api/repairs/issues/fix"

    async def begin(self, kind: str) -> dict[str, Any]:
        """Open the flow of a repair."""
        assert await async_setup_component(self._hass, "repairs", {})
        self._http = await self._client()
        issue_id = shown(self._hass)[kind].issue_id
        result = await self._post(self._url, {"handler": DOMAIN, "issue_id": issue_id})
        self._url = f"{self._url}/{result['flow_id']}"
        return result

    async def submit(self, **answers: Any) -> dict[str, Any]:
        """Submit its form, and wait for what takes its time."""
        result = await self._post(self._url, answers)
        while result["type"] == "progress":
            await self._hass.async_block_till_done(wait_background_tasks=True)
            response = await self._http.get(self._url)
            result = await response.json()
        return result

    async def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await self._http.post(url, json=body)
        assert response.status == 200, await response.text()
        result: dict[str, Any] = await response.json()
        return result


@pytest.fixture
def flow(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> Flow:
    """Return a fix flow."""
    return Flow(hass, hass_client)


@pytest.mark.parametrize(("error", "stage", "kind"), SHOWN_BY)
async def test_repair_comes_and_goes_by_itself(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    error: ErrorCode,
    stage: Stage,
    kind: str,
) -> None:
    """Shown once the last reading is stale, gone with the first fresh one."""
    await set_up(hass, entry, update_interval=100, heartbeat_interval=600, route="isolated")
    script.error, script.stage = error, stage
    await pass_time(hass, freezer, 295, heard=False)
    assert shown(hass) == {}
    await pass_time(hass, freezer, 310, heard=False)
    assert set(shown(hass)) == {kind}
    issue = shown(hass)[kind]
    assert issue.translation_placeholders == {"name": "BTRIC134000035"}
    assert issue.is_fixable is (kind != "wrong_family")
    assert issue.severity is ir.IssueSeverity.WARNING
    script.error = None
    await entry.runtime_data.only.async_refresh()
    assert shown(hass) == {}


@pytest.mark.parametrize("code", sorted(set(ErrorCode) - {code for code, _, _ in SHOWN_BY}))
async def test_no_repair_without_a_cure(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    code: ErrorCode,
) -> None:
    """A weak link is reported by the sensor, not by a repair."""
    await lose(hass, entry, script, freezer, code, stale_checks=10)
    assert shown(hass) == {}


def test_reader_that_has_started() -> None:
    """One that crashes in mid-reading can be started."""
    assert cause(ReaderError(ErrorCode.READER_CRASHED, "x", stage=Stage.READ)) is None
    assert cause(ReaderError(ErrorCode.READER_CRASHED, "x", stage=Stage.START)) is not None
    assert cause(None) is None


async def test_cause_stays_until_another_one_is_known(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """An error that says less does not take it back; another cause takes its place."""
    await lose(hass, entry, script, freezer, ErrorCode.HELD_BY_OTHER, stale_checks=10)
    coordinator = entry.runtime_data.only
    assert set(shown(hass)) == {"held_by_other"}
    script.error = ErrorCode.CONNECT_TIMEOUT
    await coordinator.async_refresh()
    assert set(shown(hass)) == {"held_by_other"}
    script.error, script.stage = ErrorCode.ADAPTER_UNAVAILABLE, Stage.CONNECT
    await coordinator.async_refresh()
    assert set(shown(hass)) == {"adapter_gone"}


async def test_recovery_given_up(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Shown with the limit, whatever the cause; gone with a fresh reading."""
    await set_up(hass, entry, stale_checks=1, recovery_limit=2)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 365)
    assert entry.runtime_data.only.supervisor.link.failed_recoveries == 1
    assert shown(hass) == {}
    await pass_time(hass, freezer, 80)
    assert entry.runtime_data.only.supervisor.link.failed_recoveries == 2
    assert set(shown(hass)) == {"recovery_given_up"}
    script.error = ErrorCode.NO_RESPONSE
    await entry.runtime_data.only.async_refresh()
    assert set(shown(hass)) == {"recovery_given_up", "unit_not_found"}
    script.error = None
    await entry.runtime_data.only.async_refresh()
    assert shown(hass) == {}


async def test_repair_of_an_entry_that_is_unloaded(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """It goes with the entry, and is back when the entry is loaded again and still has no reading."""
    await lose(hass, entry, script, freezer, ErrorCode.HELD_BY_OTHER, stale_checks=10)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert shown(hass) == {}
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert set(shown(hass)) == {"held_by_other"}


async def test_try_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    flow: Flow,
) -> None:
    """What the user did has helped, or the form says why not."""
    await lose(hass, entry, script, freezer, ErrorCode.HELD_BY_OTHER, stale_checks=10)
    result = await flow.begin("held_by_other")
    assert (result["type"], result["step_id"]) == ("form", "confirm")
    assert result["description_placeholders"]["name"] == "BTRIC134000035"
    assert result["data_schema"] == []
    polls = script.polls
    result = await flow.submit()
    assert result["errors"] == {"base": "still_failing"}
    assert "held by a phone or another program" in result["description_placeholders"]["problem"]
    assert script.polls == polls + 3
    script.error = None
    result = await flow.submit()
    assert result["type"] == "create_entry"
    assert shown(hass) == {}
    assert entry.runtime_data.only.supervisor.health.status == "connected"


async def test_read_in_process(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    flow: Flow,
) -> None:
    """The option is set, and the device is read inside Home Assistant; other options stay."""
    crashed = ErrorCode.READER_CRASHED
    await lose(hass, entry, script, freezer, crashed, stale_checks=10, route="isolated")
    await flow.begin("reader_cannot_start")
    script.error = None
    result = await flow.submit()
    assert result["type"] == "create_entry"
    assert entry.options["route"] == "in_process"
    assert entry.options["stale_checks"] == 10
    assert script.routes[-1].kind is RouteKind.IN_PROCESS
    assert shown(hass) == {}


async def test_no_process_can_be_started(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, flow: Flow
) -> None:
    """The device is read all the same, by the first reading; the repair tells why, and tries again."""
    script.no_process = True
    await set_up(hass, entry)
    coordinator = entry.runtime_data.only
    assert (coordinator.supervisor.health.status, coordinator.supervisor.link.failures) == (
        "connected",
        0,
    )
    assert coordinator.supervisor.link.snapshot.route.kind is RouteKind.IN_PROCESS
    assert [route.kind for route in script.routes] == [RouteKind.ISOLATED, RouteKind.IN_PROCESS]
    (issue,) = shown(hass).values()
    assert issue.translation_key == "read_in_process"
    assert issue.translation_placeholders == {"reason": "scripted sandbox"}
    await coordinator.async_refresh()
    assert script.routes[-1].kind is RouteKind.IN_PROCESS
    assert len(script.routes) == 3
    await flow.begin("read_in_process")
    result = await flow.submit()
    assert result["errors"] == {"base": "still_failing"}
    assert "could not be started" in result["description_placeholders"]["problem"]
    assert coordinator.supervisor.health.status == "connected"
    script.no_process = False
    result = await flow.submit()
    assert result["type"] == "create_entry"
    assert script.routes[-1].kind is RouteKind.ISOLATED
    assert shown(hass) == {}


async def test_no_process_is_wanted(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Who chooses in-process gets no repair."""
    script.no_process = True
    await set_up(hass, entry)
    assert set(shown(hass)) == {"read_in_process"}
    hass.config_entries.async_update_entry(entry, options={"route": "in_process"})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown(hass) == {}


@pytest.mark.parametrize(
    ("answers", "options", "unit_id"), [({"unit_id": 7}, {"unit_id": 7}, 7), ({}, {}, 32)]
)
async def test_other_unit(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    flow: Flow,
    answers: dict[str, int],
    options: dict[str, int],
    unit_id: int,
) -> None:
    """The one that is entered, or the one that is found by trying."""
    script.device = VirtualDevice(unit_id=99, clock=lambda: NOW)
    await lose(hass, entry, script, freezer, ErrorCode.NO_RESPONSE, unit_id=99, stale_checks=10)
    result = await flow.begin("unit_not_found")
    assert [field["name"] for field in result["data_schema"]] == ["unit_id"]
    script.error = None
    script.device = VirtualDevice(unit_id=unit_id, clock=lambda: NOW)
    result = await flow.submit(**answers)
    assert result["type"] == "create_entry"
    assert entry.options == options | {"update_interval": 60, "stale_age": 130, "stale_checks": 10}
    assert entry.runtime_data.only.supervisor.own.unit_id == unit_id
    assert entry.runtime_data.only.supervisor.health.status == "connected"


async def test_browser_that_goes_away(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The entry is not left half loaded, and what was begun is done."""
    crashed = ErrorCode.READER_CRASHED
    await lose(hass, entry, script, freezer, crashed, stale_checks=10, route="isolated")
    flow = ReadInProcess(entry, entry.entry_id)
    flow.hass = hass
    script.error = None
    script.gate.clear()
    result = await flow.async_step_confirm({})
    assert (result["type"], result["progress_action"]) == ("progress", "mend")
    while not script.at_once:
        await asyncio.sleep(0)
    result["progress_task"].cancel()
    script.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    assert entry.options["route"] == "in_process"
    assert shown(hass) == {}


async def test_repair_outlasts_a_change_of_options(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """It is not over because something else was changed."""
    await set_up(hass, entry, stale_checks=1, recovery_limit=1)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 365)
    assert set(shown(hass)) == {"recovery_given_up"}
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert set(shown(hass)) == {"recovery_given_up"}


async def test_device_that_is_not_loaded_any_more(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    flow: Flow,
) -> None:
    """The flow says so."""
    await lose(hass, entry, script, freezer, ErrorCode.HELD_BY_OTHER, stale_checks=10)
    await flow.begin("held_by_other")
    await hass.config_entries.async_unload(entry.entry_id)
    result = await flow.submit()
    assert (result["type"], result["reason"]) == ("abort", "not_loaded")


@pytest.mark.parametrize("kind", ["read_in_process", "held_by_other"])
async def test_no_device_is_concerned_any_more(
    hass: HomeAssistant, entry: MockConfigEntry, flow: Flow, kind: str
) -> None:
    """A repair that was left behind goes when it is opened."""
    await set_up(hass, entry)
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{kind}_left",
        data={"kind": kind, "entry_id": "gone"},
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=kind,
        translation_placeholders={"name": "gone", "reason": ""},
    )
    result = await flow.begin(kind)
    assert result["type"] == "create_entry"
    assert shown(hass) == {}
