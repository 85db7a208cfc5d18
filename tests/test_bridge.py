"""Devices that a bridge reads: a real bridge, and Home Assistant's side of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
from blupow_ble.bridge_messages import MessageType
from blupow_ble.protocol.errors import ErrorCode as BridgeErrorCode
from blupow_ble.virtual.device import virtual_bus
from blupow_bridge.http import socket as socket_module, status as status_module
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.blupow.bridge import client as client_module, connection
from custom_components.blupow.bridge.coordinator import BridgeCoordinator
from custom_components.blupow.const import DOMAIN
from custom_components.blupow.diagnostics import async_get_config_entry_diagnostics
from custom_components.blupow.repairs import async_create_fix_flow
from homeassistant.config_entries import SOURCE_USER, SOURCE_ZEROCONF, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from .helpers.bridge import BridgeScript, TestBridge, inverter, scripted_bridge
from .helpers.scripted import NOW, Script
from .helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME
from .helpers.timeline import set_up, state

STATUS = "sensor.btric134000035_connection_status"
PROBLEM = "sensor.btric134000035_problem"
VOLTAGE = "sensor.btric134000035_battery_voltage"
ROUTE = "sensor.btric134000035_route"

pytestmark = pytest.mark.usefixtures(
    "real_sockets", "enable_bluetooth", "script", "mock_async_zeroconf"
)


@pytest.fixture
def bridge_script() -> BridgeScript:
    """Return what the bridge's devices do."""
    return BridgeScript()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tries to connect follow soon."""
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(socket_module, "TOKEN_CHECK", 0.05)
    # their timers outlast a test
    monkeypatch.setattr(socket_module, "HEARTBEAT", None)
    monkeypatch.setattr(client_module, "HEARTBEAT", None)


@pytest.fixture
async def bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bridge_script: BridgeScript
) -> AsyncIterator[TestBridge]:
    """Return a bridge that has read one inverter."""
    async with scripted_bridge(tmp_path / "bridge", monkeypatch, bridge_script) as found:
        yield found


def form(bridge: TestBridge, **changes: Any) -> dict[str, Any]:
    """Return what the user types."""
    known = {
        "host": "127.0.0.1",
        "port": bridge.port,
        "token": bridge.secret,
        "ssl": False,
        "verify_ssl": True,
    }
    return known | changes


async def begin(hass: HomeAssistant) -> str:
    """Begin a flow by hand; return its id."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": "bridge"}
    )
    assert (result["type"], result["errors"]) == ("form", {})
    return result["flow_id"]


async def add(hass: HomeAssistant, bridge: TestBridge, **options: Any) -> MockConfigEntry:
    """Set a bridge up, and wait until it pushes."""
    result = await hass.config_entries.flow.async_configure(await begin(hass), form(bridge))
    assert result["type"] == "create_entry", result
    entry = result["result"]
    if options:
        hass.config_entries.async_update_entry(entry, options=options)
        await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.bridge.connected)
    return entry


async def until(hass: HomeAssistant, condition: Callable[[], Any]) -> None:
    """Wait for a condition; what the bridge does takes its time."""
    async with asyncio.timeout(12):
        while not condition():
            await asyncio.sleep(0.01)
    await hass.async_block_till_done()


async def test_set_up_by_hand(hass: HomeAssistant, bridge: TestBridge) -> None:
    """What is typed wrong is told; then the device is there, with the ids that it has by radio."""
    flow = await begin(hass)
    for wrong, errors in (
        ({"port": 1}, {"base": "bridge_unreachable"}),
        ({"host": "no host/at all"}, {"host": "invalid_host"}),
        ({"token": "wrong"}, {"base": "invalid_token"}),
    ):
        result = await hass.config_entries.flow.async_configure(flow, form(bridge, **wrong))
        assert (result["type"], result["errors"]) == ("form", errors)
    result = await hass.config_entries.flow.async_configure(
        flow, form(bridge, token=f" {bridge.secret} ", host=" 127.0.0.1 ")
    )
    assert (result["type"], result["title"]) == ("create_entry", "Van")
    entry = result["result"]
    assert entry.unique_id == bridge.hub.id
    assert entry.data["token"] == bridge.secret
    await until(hass, lambda: state(hass, STATUS) == "connected")
    assert 13.0 <= float(state(hass, VOLTAGE)) <= 13.8
    registered = er.async_get(hass).async_get(VOLTAGE)
    assert registered is not None
    assert registered.unique_id == f"{INVERTER_ADDRESS}_battery_voltage"
    devices = dr.async_get(hass)
    device = devices.async_get(registered.device_id)
    assert device is not None
    assert (device.name, device.model) == (INVERTER_NAME, "RIV1230RCH-SPS")
    via = devices.async_get(device.via_device_id)
    assert via is not None
    assert (via.name, via.sw_version) == ("Van", "development")
    # again: it is there already
    result = await hass.config_entries.flow.async_configure(await begin(hass), form(bridge))
    assert (result["type"], result["reason"]) == ("abort", "already_configured")


async def test_no_bridge_answers(hass: HomeAssistant, bridge: TestBridge) -> None:
    """Something else listens there, and says something else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    flow = await begin(hass)
    for other in (b"hello", b"[]", b"{}", b'{"id": 1, "name": 2, "version": 3, "api": "x"}'):
        body = other
        result = await hass.config_entries.flow.async_configure(flow, form(bridge, port=port))
        assert result["errors"] == {"base": "bridge_unreachable"}
        detail = result["description_placeholders"]["detail"]
        assert detail == "what answers there is no BluPow bridge"
    server.close()


async def test_newer_bridge(
    hass: HomeAssistant, bridge: TestBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as such: in the form, and by a repair where it was updated later."""
    entry = await add(hass, bridge)
    with monkeypatch.context() as patched:
        patched.setattr(status_module, "API_VERSION", 2)
        result = await hass.config_entries.flow.async_configure(await begin(hass), form(bridge))
        assert result["errors"] == {"base": "bridge_newer"}
        await bridge.stop()
        await bridge.start()
        issue = (DOMAIN, f"bridge_newer_{entry.entry_id}")
        await until(hass, lambda: issue in ir.async_get(hass).issues)
        assert not entry.runtime_data.bridge.connected
        await bridge.stop()
    await bridge.start()
    await until(hass, lambda: entry.runtime_data.bridge.connected)
    assert issue not in ir.async_get(hass).issues


def announced(bridge: TestBridge, **changes: str) -> ZeroconfServiceInfo:
    """Return what the network tells of a bridge."""
    said = {"id": bridge.hub.id, "name": "Van", "version": "4.0.0", "api": "1", "tls": "0"}
    return ZeroconfServiceInfo(
        ip_address=ip_address("127.0.0.1"),
        ip_addresses=[ip_address("127.0.0.1")],
        port=bridge.port,
        hostname="blupow.local.",
        type="_blupow._tcp.local.",
        name="Van._blupow._tcp.local.",
        properties=said | changes,
    )


async def discover(hass: HomeAssistant, info: ZeroconfServiceInfo) -> dict[str, Any]:
    """Return what comes of an announcement."""
    result: dict[str, Any] = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_ZEROCONF}, data=info
    )
    return result


async def test_discovered(hass: HomeAssistant, bridge: TestBridge) -> None:
    """It asks for the token alone; at another address the entry follows it."""
    result = await discover(hass, announced(bridge))
    assert (result["type"], result["step_id"]) == ("form", "bridge_token")
    assert result["description_placeholders"]["name"] == "Van"
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "Van"}
    configure = hass.config_entries.flow.async_configure
    result = await configure(result["flow_id"], {"token": "wrong"})
    assert result["errors"] == {"base": "invalid_token"}
    result = await configure(result["flow_id"], {"token": bridge.secret})
    assert (result["type"], result["title"]) == ("create_entry", "Van")
    entry = result["result"]
    await until(hass, lambda: entry.runtime_data.bridge.connected)
    moved = announced(bridge)
    moved.ip_address = ip_address("192.0.2.7")
    result = await discover(hass, moved)
    assert result["reason"] == "already_configured"
    assert entry.data["host"] == "192.0.2.7"
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"id": ""}, "not_supported"), ({"api": "2"}, "bridge_newer"), ({"api": "x"}, "bridge_newer")],
)
async def test_discovered_but_not_understood(
    hass: HomeAssistant, bridge: TestBridge, changes: dict[str, str], reason: str
) -> None:
    """It is not offered."""
    result = await discover(hass, announced(bridge, **changes))
    assert (result["type"], result["reason"]) == ("abort", reason)


async def test_discovered_with_tls(hass: HomeAssistant, bridge: TestBridge) -> None:
    """The user may leave its certificate unchecked; what does not speak TLS is told."""
    result = await discover(hass, announced(bridge, tls="1", name=""))
    assert [str(key) for key in result["data_schema"].schema] == ["token", "verify_ssl"]
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {"token": bridge.secret, "verify_ssl": False}
    )
    assert result["errors"] == {"base": "bridge_unreachable"}
    assert "TLS" in result["description_placeholders"]["detail"]


async def test_readings_are_pushed(
    hass: HomeAssistant, bridge: TestBridge, bridge_script: BridgeScript
) -> None:
    """Each reading of the bridge is one update, with no request."""
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    client = entry.runtime_data.bridge.client
    assert client.requests == 0
    for volts in (126, 129, 131):
        bridge_script.device.overrides = {4005: volts}
        await bridge.poll()
        await until(hass, lambda volts=volts: float(state(hass, VOLTAGE)) == volts / 10)
    assert client.requests == 0
    link = entry.runtime_data.only.supervisor.link
    assert link.snapshot.route.kind == "bridge"
    assert link.snapshot.route.reason == "read by Van over hci0"
    assert entry.runtime_data.only.rssi == -71


async def test_failures_are_pushed(
    hass: HomeAssistant, bridge: TestBridge, bridge_script: BridgeScript
) -> None:
    """The reason that the bridge has is the reason here; the last values stay within the grace."""
    await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    before = state(hass, VOLTAGE)
    bridge_script.error = BridgeErrorCode.HELD_BY_OTHER
    await bridge.poll()
    await until(hass, lambda: state(hass, PROBLEM) == "held_by_other")
    assert (state(hass, STATUS), state(hass, VOLTAGE)) == ("offline", before)
    bridge_script.error = None
    await bridge.poll()
    await until(hass, lambda: state(hass, STATUS) == "connected")
    assert state(hass, PROBLEM) == "none"


async def test_recovery_of_the_bridge_is_told(hass: HomeAssistant, bridge: TestBridge) -> None:
    """Its recoveries are events here too, and counted."""
    events = async_capture_events(hass, "blupow_recovery")
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    await bridge.hub.devices["c4d36a000035"].supervisor.watchdog.force()
    await until(hass, lambda: events)
    assert (events[0].data["trigger"], events[0].data["worked"]) == ("user", True)
    assert events[0].data["name"] == INVERTER_NAME
    assert entry.runtime_data.only.supervisor.fresh_readings == 2


async def test_bridge_that_restarts(
    hass: HomeAssistant,
    bridge: TestBridge,
    bridge_script: BridgeScript,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The values stay, the reason is shown, and all goes on by itself; one line each way."""
    caplog.set_level("INFO")
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    before = state(hass, VOLTAGE)
    await bridge.stop()
    await until(hass, lambda: state(hass, PROBLEM) == "bridge_unreachable")
    assert (state(hass, STATUS), state(hass, VOLTAGE)) == ("offline", before)
    assert not entry.runtime_data.bridge.connected
    bridge_script.device.overrides = {4005: 128}
    await bridge.start()
    await until(hass, lambda: float(state(hass, VOLTAGE)) == 12.8)
    assert (state(hass, STATUS), state(hass, PROBLEM)) == ("connected", "none")
    assert entry.runtime_data.bridge.connections == 2
    lines = [line for line in caplog.messages if line.startswith("[push]")]
    assert [line.split(":")[1].split(",")[0] for line in lines] == [
        " connected",
        " not connected",
        " connected",
    ]
    report = (await async_get_config_entry_diagnostics(hass, entry))["bridge"]
    assert (report["connected"], report["connections"], report["problem"]) == (True, 2, None)


async def test_home_assistant_starts_before_the_bridge(
    hass: HomeAssistant, bridge: TestBridge
) -> None:
    """Its entities are there, and say that the bridge is not; then they are read."""
    entry = await add(hass, bridge)
    await hass.config_entries.async_unload(entry.entry_id)
    await bridge.stop()
    await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: state(hass, PROBLEM) == "bridge_unreachable")
    assert entry.state is ConfigEntryState.LOADED
    await bridge.start()
    await until(hass, lambda: state(hass, STATUS) == "connected")


async def test_what_was_missed(
    hass: HomeAssistant,
    bridge: TestBridge,
    bridge_script: BridgeScript,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that breaks goes on where it was: each reading counts, once."""
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    supervisor = entry.runtime_data.only.supervisor
    known = supervisor.fresh_readings
    monkeypatch.setattr(BridgeCoordinator, "bridge_lost", lambda self: None)
    for subscriber in tuple(bridge.hub.push.subscribers):
        subscriber.drop()
    bridge_script.error = BridgeErrorCode.NO_RESPONSE
    await bridge.poll()
    bridge_script.error = None
    await bridge.poll()
    await until(hass, lambda: supervisor.fresh_readings == known + 1)
    assert [poll.error is None for poll in supervisor.link.polls][-2:] == [False, True]
    await bridge.poll()
    await until(hass, lambda: supervisor.fresh_readings == known + 2)


async def test_polled_when_nothing_is_pushed(
    hass: HomeAssistant,
    bridge: TestBridge,
    bridge_script: BridgeScript,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After twice the interval the bridge is asked; what it has is taken once, and its reason too."""
    caplog.set_level("INFO")
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    coordinator = entry.runtime_data.only
    assert coordinator.supervisor.pause == 2 * 3600
    assert coordinator.options.update_interval == 2 * 3600
    # nothing comes over the WebSocket any more, as over a link that is half open
    coordinator._bridge.devices.clear()
    bridge_script.device.overrides = {4005: 127}
    await bridge.poll()
    await coordinator.supervisor.poll()
    assert float(state(hass, VOLTAGE)) == 12.7
    assert coordinator._reader.polled
    await coordinator.supervisor.poll()  # the same one is good for as long as it is new enough
    assert state(hass, PROBLEM) == "none"
    snapshot = bridge.hub.devices["c4d36a000035"].supervisor.link
    snapshot.snapshot = replace(
        snapshot.snapshot, taken_at_monotonic=snapshot.snapshot.taken_at_monotonic - 8000
    )
    await coordinator.supervisor.poll()
    assert state(hass, PROBLEM) == "reader_timeout"
    bridge_script.error = BridgeErrorCode.NOT_ADVERTISING
    await bridge.poll()
    await coordinator.supervisor.poll()
    assert state(hass, PROBLEM) == "not_advertising"
    bridge_script.error = None
    coordinator._bridge.devices["c4d36a000035"] = coordinator
    await bridge.poll()
    await until(hass, lambda: state(hass, PROBLEM) == "none")
    assert sum(line.endswith("readings are pushed again") for line in caplog.messages) == 1


async def test_answers_in_pieces(hass: HomeAssistant, bridge: TestBridge) -> None:
    """As any network but this machine's own brings them."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(300):
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", bridge.port)
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    result = await hass.config_entries.flow.async_configure(
        await begin(hass), form(bridge, port=port)
    )
    assert result["type"] == "create_entry"
    entry = result["result"]
    await until(hass, lambda: state(hass, STATUS) == "connected")
    await hass.config_entries.async_unload(entry.entry_id)
    await bridge.stop()
    proxy.close()


async def test_half_open_connection(
    hass: HomeAssistant, bridge: TestBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that swallows everything is noticed by pings, and the connection made anew."""
    monkeypatch.setattr(client_module, "HEARTBEAT", 2.0)
    swallow = False
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not swallow:
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", bridge.port)
        writers.extend((writer, back))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, back))
                group.create_task(pump(there, writer))
        except* ConnectionError:
            pass

    proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    result = await hass.config_entries.flow.async_configure(
        await begin(hass), form(bridge, port=port)
    )
    entry = result["result"]
    found = entry.runtime_data.bridge
    await until(hass, lambda: found.connected)
    swallow = True
    await until(hass, lambda: not found.connected)
    swallow = False
    await until(hass, lambda: found.connected)
    assert found.connections == 2
    await bridge.poll()
    await until(hass, lambda: state(hass, STATUS) == "connected")
    await hass.config_entries.async_unload(entry.entry_id)
    proxy.close()
    for writer in writers:
        writer.close()
    await bridge.stop()


async def test_new_token(hass: HomeAssistant, bridge: TestBridge) -> None:
    """The user is asked for it, once; with it all goes on."""
    entry = await add(hass, bridge)
    bridge.secret = bridge.token.make()
    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == "reauth"
    configure = hass.config_entries.flow.async_configure
    result = await configure(flow["flow_id"], {"token": "wrong"})
    assert (result["step_id"], result["errors"]) == ("reauth_confirm", {"base": "invalid_token"})
    result = await configure(flow["flow_id"], {"token": bridge.secret})
    assert (result["type"], result["reason"]) == ("abort", "reauth_successful")
    await until(hass, lambda: entry.runtime_data.bridge.connected)
    await until(hass, lambda: state(hass, STATUS) == "connected")


async def reconfigure(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Begin to reconfigure an entry."""
    context = {"source": "reconfigure", "entry_id": entry.entry_id}
    result: dict[str, Any] = await hass.config_entries.flow.async_init(DOMAIN, context=context)
    return result


async def test_another_bridge_at_its_address(
    hass: HomeAssistant,
    bridge: TestBridge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bridge_script: BridgeScript,
) -> None:
    """Its numbers are never shown as those of the other one."""
    entry = await add(hass, bridge)
    async with scripted_bridge(tmp_path / "other", monkeypatch, bridge_script) as other:
        flow = await reconfigure(hass, entry)
        assert flow["step_id"] == "bridge_address"
        configure = hass.config_entries.flow.async_configure
        result = await configure(flow["flow_id"], form(bridge, token="wrong"))
        assert result["errors"] == {"base": "invalid_token"}
        result = await configure(flow["flow_id"], form(other))
        assert result["reason"] == "another_bridge"
        entry.async_start_reauth(hass)
        await hass.async_block_till_done()
        (progress,) = hass.config_entries.flow.async_progress()
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, "port": other.port, "token": other.secret}
        )
        result = await configure(progress["flow_id"], {"token": other.secret})
        assert result["reason"] == "another_bridge"
        await hass.config_entries.async_reload(entry.entry_id)
        await until(
            hass, lambda: entry.runtime_data.bridge.problem == "another bridge answers there"
        )
        # before that bridge stops: asyncio fails on a connection that comes just then
        await hass.config_entries.async_unload(entry.entry_id)


async def test_home_assistant_stops_meanwhile(bridge: TestBridge) -> None:
    """An entry that was being set up just then has nothing to ask by: that is no fault."""
    session = aiohttp.ClientSession()
    client = client_module.BridgeClient(
        session,
        client_module.BridgeAddress(
            host="127.0.0.1", port=bridge.port, tls=False, verify=True, token=bridge.secret
        ),
    )
    await session.close()
    for request in (client.info(), client.devices(), client.open_socket(None)):
        with pytest.raises(client_module.CannotConnect, match="Home Assistant is stopping"):
            await request


async def test_reconfigure(hass: HomeAssistant, bridge: TestBridge) -> None:
    """Its address may change; devices and entities stay."""
    entry = await add(hass, bridge)
    flow = await reconfigure(hass, entry)
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], form(bridge, verify_ssl=False)
    )
    assert result["reason"] == "reconfigure_successful"
    await until(hass, lambda: entry.runtime_data.bridge.connected)
    assert (entry.data["verify_ssl"], len(entry.data["devices"])) == (False, 1)


async def test_devices_that_come_and_go(hass: HomeAssistant, bridge: TestBridge) -> None:
    """They follow the configuration of the bridge; who was there already is not disturbed."""
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    other = inverter(name="Second", address="C4:D3:6A:00:00:36")
    bridge.devices = (*bridge.devices, other)
    await bridge.hub.reload(bridge.config)
    await until(hass, lambda: hass.states.get("sensor.second_battery_voltage") is not None)
    await until(hass, lambda: state(hass, "sensor.second_connection_status") == "connected")
    assert len(entry.runtime_data.coordinators) == 2
    assert state(hass, STATUS) == "connected"
    bridge.devices = (other,)
    await bridge.hub.reload(bridge.config)
    await until(hass, lambda: hass.states.get(VOLTAGE) is None)
    names = {
        device.name
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    }
    assert names == {"Van", "Second"}


async def test_units_behind_a_module(
    hass: HomeAssistant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bridge_script: BridgeScript,
) -> None:
    """Each is a device of its own, connected via the module, with the ids that it has by radio."""
    bridge_script.device = virtual_bus([("battery", 48), ("battery", 49)], lambda: NOW)
    hub = inverter(profile="battery", model="SMART", unit_id=48, name="Bank") | {
        "units": ({"unit_id": 49, "profile": "battery", "model": "SMART"},)
    }
    async with scripted_bridge(tmp_path, monkeypatch, bridge_script, hub) as bridge:
        entry = await add(hass, bridge)
        await until(hass, lambda: state(hass, "sensor.bank_connection_status") == "connected")
        unique_ids = {
            item.unique_id
            for item in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        }
        assert f"{INVERTER_ADDRESS}_battery_voltage" in unique_ids
        assert f"{INVERTER_ADDRESS}_49_battery_voltage" in unique_ids
        assert f"{INVERTER_ADDRESS}_bank_power" in unique_ids


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_controls(
    hass: HomeAssistant, bridge: TestBridge, bridge_script: BridgeScript
) -> None:
    """Allowed by the bridge and by the user: a change goes the same way as by radio."""
    bridge.devices = (inverter(allow_changes=True),)
    await bridge.hub.reload(bridge.config)
    await bridge.wait_read()
    entry = await add(hass, bridge, allow_changes=True)
    select = "select.btric134000035_output_priority"
    await until(hass, lambda: hass.states.get(select) is not None)
    found = hass.states.get(select)
    assert found is not None
    (other,) = [item for item in found.attributes["options"] if item != found.state][:1]
    call = hass.services.async_call
    await call("select", "select_option", {"entity_id": select, "option": other}, blocking=True)
    assert (state(hass, select), bridge_script.writes) == (other, 1)
    bridge_script.error = BridgeErrorCode.CONNECT_TIMEOUT
    with pytest.raises(HomeAssistantError) as caught:
        await call(
            "select", "select_option", {"entity_id": select, "option": found.state}, blocking=True
        )
    assert caught.value.translation_key == "connect_timeout"
    bridge_script.error, bridge_script.lose_reports = None, True
    with pytest.raises(HomeAssistantError) as caught:
        await call(
            "select", "select_option", {"entity_id": select, "option": found.state}, blocking=True
        )
    assert caught.value.translation_key == "change_interrupted"
    assert entry.runtime_data.only.supervisor.own.setting("output_priority") is None


async def test_controls_that_the_bridge_forbids(hass: HomeAssistant, bridge: TestBridge) -> None:
    """There are none, whatever the option says here."""
    entry = await add(hass, bridge, allow_changes=True)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    assert not entry.runtime_data.only.options.allow_changes
    assert not hass.states.async_entity_ids("select")


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_change_with_a_bridge_that_is_gone(hass: HomeAssistant, bridge: TestBridge) -> None:
    """Nothing was sent, and that is told; one that dies meanwhile leaves it unknown."""
    bridge.devices = (inverter(allow_changes=True),)
    await bridge.hub.reload(bridge.config)
    await bridge.wait_read()
    entry = await add(hass, bridge, allow_changes=True)
    select = "select.btric134000035_output_priority"
    await until(hass, lambda: hass.states.get(select) is not None)
    found = hass.states.get(select)
    assert found is not None
    data = {"entity_id": select, "option": found.attributes["options"][-1]}
    unit = entry.runtime_data.only.supervisor.own
    await bridge.stop()
    unit.verified = True
    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call("select", "select_option", data, blocking=True)
    assert caught.value.translation_key == "bridge_unreachable"

    async def die(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(die, "127.0.0.1", bridge.port)
    unit.verified = True
    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call("select", "select_option", data, blocking=True)
    assert caught.value.translation_key == "change_interrupted"
    server.close()
    await hass.config_entries.async_unload(entry.entry_id)


async def test_actions(
    hass: HomeAssistant, bridge: TestBridge, bridge_script: BridgeScript
) -> None:
    """Reconnect, registers, history, health, and the search for units go through the bridge."""
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    registered = er.async_get(hass).async_get(VOLTAGE)
    assert registered is not None

    async def act(action: str, **data: Any) -> dict[str, Any]:
        answer = await hass.services.async_call(
            DOMAIN, action, data, blocking=True, return_response=True
        )
        assert isinstance(answer, dict)
        return answer

    reads = bridge_script.reads
    answer = await act("force_reconnect", config_entry_id=entry.entry_id)
    assert (answer["step"], bridge_script.reads) == (1, reads + 1)
    answer = await act(
        "force_reconnect", config_entry_id=entry.entry_id, device_id=registered.device_id
    )
    assert answer["step"] == 1
    answer = await act("read_registers", device_id=registered.device_id, start=4000, count=3)
    assert len(answer["words"]) == 3
    answer = await act("health_check", config_entry_id=entry.entry_id)
    assert (answer["status"], answer["scanners"]) == ("connected", [])
    answer = await act("get_history", device_id=registered.device_id)
    assert answer["days"]
    found = await entry.runtime_data.only.supervisor.find_units()
    assert [item.unit_id for item in found] == [32]
    bridge_script.error = BridgeErrorCode.CONNECT_TIMEOUT
    for action in ("force_reconnect",):
        with pytest.raises(HomeAssistantError) as caught:
            await act(action, config_entry_id=entry.entry_id)
        assert caught.value.translation_key == "connect_timeout"
    bridge_script.error = None
    await bridge.stop()
    with pytest.raises(HomeAssistantError) as caught:
        await act("force_reconnect", config_entry_id=entry.entry_id)
    assert caught.value.translation_key == "bridge_unreachable"
    for what in (
        act("read_registers", device_id=registered.device_id, start=4000, count=3),
        entry.runtime_data.only.supervisor.find_units(),
    ):
        with pytest.raises(Exception, match="bridge") as failed:
            await what
        assert "bridge_unreachable" in (
            str(failed.value),
            getattr(failed.value, "translation_key", ""),
            str(getattr(failed.value, "code", "")),
        )


async def test_which_device(hass: HomeAssistant, bridge: TestBridge) -> None:
    """A bridge with several devices does not guess."""
    bridge.devices = (*bridge.devices, inverter(name="Second", address="C4:D3:6A:00:00:36"))
    await bridge.hub.reload(bridge.config)
    entry = await add(hass, bridge)
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call(
            DOMAIN,
            "health_check",
            {"config_entry_id": entry.entry_id},
            blocking=True,
            return_response=True,
        )
    assert caught.value.translation_key == "which_device"


async def test_device_that_is_read_twice(
    hass: HomeAssistant, bridge: TestBridge, script: Script, entry: MockConfigEntry
) -> None:
    """The user moves it to the bridge: its entities keep their ids, names and history."""
    await set_up(hass, entry)
    entities = er.async_get(hass)
    entities.async_update_entity(VOLTAGE, new_entity_id="sensor.house_battery", name="House")
    of_bridge = await add(hass, bridge)
    assert of_bridge.runtime_data.coordinators == ()
    issues = [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN]
    (issue,) = [issue for issue in issues if issue.translation_key == "read_twice"]
    flow = await async_create_fix_flow(hass, issue.issue_id, issue.data)
    flow.hass = hass
    result = await flow.async_step_init()
    assert result["description_placeholders"] == {"name": INVERTER_NAME, "bridge": "Van"}
    result = await flow.async_step_confirm({})
    assert result["type"] == "create_entry"
    await until(hass, lambda: hass.states.get("sensor.house_battery") is not None)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    moved = entities.async_get("sensor.house_battery")
    assert moved is not None
    assert (moved.config_entry_id, moved.name) == (of_bridge.entry_id, "House")
    assert hass.config_entries.async_get_entry(entry.entry_id) is None
    assert (DOMAIN, issue.issue_id) not in ir.async_get(hass).issues


async def test_device_that_is_read_twice_no_more(
    hass: HomeAssistant, bridge: TestBridge, entry: MockConfigEntry
) -> None:
    """Removed from the bridge: the repair goes by itself."""
    await set_up(hass, entry)
    await add(hass, bridge)
    kinds = {issue.translation_key for issue in ir.async_get(hass).issues.values()}
    assert "read_twice" in kinds
    bridge.devices = (inverter(name="Second", address="C4:D3:6A:00:00:36"),)
    await bridge.hub.reload(bridge.config)
    await until(hass, lambda: hass.states.get("sensor.second_battery_voltage") is not None)
    kinds = {issue.translation_key for issue in ir.async_get(hass).issues.values()}
    assert "read_twice" not in kinds


async def test_options(hass: HomeAssistant, bridge: TestBridge) -> None:
    """Those that are not the bridge's own; they take effect at once."""
    entry = await add(hass, bridge)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    sections = {
        str(name): [str(key) for key in item.schema.schema]
        for name, item in result["data_schema"].schema.items()
    }
    assert sections == {
        "updates": ["cache_time", "grace_time"],
        "recovery": ["notify_on_recovery"],
        "controls": ["allow_changes", "source_dwell"],
        "log": ["log_file"],
    }
    wanted = {
        "updates": {"cache_time": 100, "grace_time": 200},
        "recovery": {"notify_on_recovery": True},
        "controls": {"allow_changes": True, "source_dwell": 600},
        "log": {"log_file": False},
    }
    short = wanted | {"updates": {"cache_time": 100, "grace_time": 50}}
    result = await hass.config_entries.options.async_configure(result["flow_id"], short)
    assert result["errors"] == {"base": "grace_shorter_than_cache"}
    result = await hass.config_entries.options.async_configure(result["flow_id"], wanted)
    assert result["type"] == "create_entry"
    await hass.async_block_till_done()
    assert entry.runtime_data.only.options.cache_time == 100


async def test_diagnostics_without_secrets(hass: HomeAssistant, bridge: TestBridge) -> None:
    """Neither the token nor an address."""
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    text = str(await async_get_config_entry_diagnostics(hass, entry))
    for secret in (bridge.secret, INVERTER_ADDRESS, INVERTER_NAME, "127.0.0.1"):
        assert secret not in text


async def test_no_token_in_the_log(
    hass: HomeAssistant, bridge: TestBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens."""
    caplog.set_level("DEBUG")
    await add(hass, bridge)
    await bridge.stop()
    await bridge.start()
    bridge.token.make()
    await until(hass, hass.config_entries.flow.async_progress)
    assert bridge.secret not in caplog.text


async def test_clock_that_is_an_hour_off(
    hass: HomeAssistant, bridge: TestBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings have ages, not dates: what is shown is right by the clock of Home Assistant."""
    from datetime import timedelta

    from homeassistant.util import dt as dt_util

    clock = bridge.hub._clock
    right = type(clock).now
    monkeypatch.setattr(type(clock), "now", lambda self: right(self) + timedelta(hours=1))
    await bridge.poll()
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    taken_at = entry.runtime_data.only.supervisor.link.snapshot.taken_at
    assert timedelta() <= dt_util.utcnow() - taken_at < timedelta(minutes=1)


async def test_discovered_device_that_the_bridge_reads(
    hass: HomeAssistant, bridge: TestBridge
) -> None:
    """It is not offered a second time."""
    from homeassistant.config_entries import SOURCE_BLUETOOTH

    from .helpers.bluetooth import service_info

    await add(hass, bridge)
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_BLUETOOTH}, data=service_info()
    )
    assert (result["type"], result["reason"]) == ("abort", "read_by_bridge")


async def test_removed(
    hass: HomeAssistant, bridge: TestBridge, hass_storage: dict[str, Any]
) -> None:
    """Nothing of it is left."""
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    await hass.config_entries.async_unload(entry.entry_id)
    key = f"blupow.{entry.entry_id}_c4d36a000035"
    assert key in hass_storage
    await hass.config_entries.async_remove(entry.entry_id)
    assert key not in hass_storage
    await until(hass, lambda: not bridge.hub.push.subscribers)


async def test_device_that_is_not_understood(
    hass: HomeAssistant,
    bridge: TestBridge,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of a bridge that knows another family: its entities stay, and the other devices go on."""
    bridge.devices = (*bridge.devices, inverter(name="Second", address="C4:D3:6A:00:00:36"))
    await bridge.hub.reload(bridge.config)
    await bridge.wait_read()
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, "sensor.second_connection_status") == "connected")
    stored = [dict(device) for device in entry.data["devices"]]
    stored[1]["units"] = [{"profile": "wind_turbine"}]
    await hass.config_entries.async_unload(entry.entry_id)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "devices": stored})
    device = bridge.hub.devices["c4d36a000036"]
    report = type(device).report.fget

    def other_family(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = report(self)
        return found | ({"units": [{"profile": "wind_turbine"}]} if self is device else {})

    monkeypatch.setattr(type(device), "report", property(other_family))
    await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.bridge.connected)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    assert "a device is not understood" in caplog.text
    assert len(entry.runtime_data.coordinators) == 1
    assert entry.data["devices"] == stored
    assert er.async_get(hass).async_get("sensor.second_connection_status") is not None


async def test_message_that_is_not_understood(
    hass: HomeAssistant, bridge: TestBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left aside, and told once; the next one counts."""
    entry = await add(hass, bridge)
    await until(hass, lambda: state(hass, STATUS) == "connected")
    for _ in range(3):
        bridge.hub.push.publish(MessageType.FAILURE, {"device": "c4d36a000035", "failure": {}})
    known = entry.runtime_data.only.supervisor.fresh_readings
    await bridge.poll()
    await until(hass, lambda: entry.runtime_data.only.supervisor.fresh_readings == known + 1)
    assert entry.runtime_data.bridge.connections == 1
    assert sum("a message is not understood" in line for line in caplog.messages) == 1


async def test_stored_device_that_is_not_understood(
    hass: HomeAssistant, bridge: TestBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a release that knew another family: it is left out until the bridge tells of it again."""
    entry = await add(hass, bridge)
    devices = [{**entry.data["devices"][0], "units": [{"profile": "gone"}]}]
    await hass.config_entries.async_unload(entry.entry_id)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "devices": devices})
    await hass.config_entries.async_setup(entry.entry_id)
    assert "a device is not understood" in caplog.text
    await until(hass, lambda: len(entry.runtime_data.coordinators) == 1)
    await until(hass, lambda: state(hass, STATUS) == "connected")
