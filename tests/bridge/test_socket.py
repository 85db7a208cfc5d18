"""The WebSocket: all devices first, then each message once, whoever else listens."""

import asyncio
from pathlib import Path
import socket
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from blupow_ble.bridge_messages import MessageType, parse_info, parse_push
from blupow_ble.protocol.errors import ErrorCode, ReaderError
from blupow_bridge import push as push_module
from blupow_bridge.http import socket as socket_module
import pytest

from .conftest import Served, serve


async def next_of(client: ClientWebSocketResponse, *kinds: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    async with asyncio.timeout(30):
        while True:
            message: dict[str, Any] = await client.receive_json()
            if message["type"] in kinds:
                return message


async def test_what_comes_first(served: Served) -> None:
    """Which bridge it is, then all devices with their last readings, then each poll."""
    async with served.socket() as client:
        info = parse_info(await client.receive_json())
        assert (info.id, info.name, info.resumed) == (served.hub.id, "Van", False)
        snapshot = parse_push(await client.receive_json())
        assert snapshot.type is MessageType.SNAPSHOT
        assert [report.device.id for report in snapshot.reports] == [
            "virtual_inverter",
            "virtual_battery",
        ]
        reading = snapshot.reports[0].reading
        assert reading is not None
        device = served.hub.devices["virtual_inverter"]
        voltage = device.supervisor.own.value("battery_voltage")
        assert reading.reading.main.values["battery_voltage"] == voltage
        await device.supervisor.poll()
        push = parse_push(await next_of(client, "reading"))
        assert (push.device_id, push.sequence > snapshot.sequence) == ("virtual_inverter", True)
        assert push.reading is not None
        assert push.reading.reading.age < 5
        assert push.state is not None
        assert push.state.status == "test_mode"


async def test_failures_and_events(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed poll is pushed with its cause, a recovery with its facts."""
    device = served.hub.devices["virtual_inverter"]

    async def fails(*_: object, **__: object) -> None:
        raise ReaderError(ErrorCode.NO_RESPONSE, "nothing came")

    async with served.socket() as client:
        await next_of(client, "snapshot")
        with monkeypatch.context() as patched:
            patched.setattr(device._reader.reader, "read", fails)
            await device.supervisor.poll()
        push = parse_push(await next_of(client, "failure"))
        assert push.failure is not None
        assert push.failure.error.code is ErrorCode.NO_RESPONSE
        assert push.failure.error.message == "nothing came"
        await device.supervisor.watchdog.force()
        event = parse_push(await next_of(client, "event"))
        assert (event.event, event.facts["trigger"]) == ("recovery", "user")
    _, report = await served.ask("GET", "/api/v1/devices/virtual_inverter")
    assert report["failure"] is None


async def test_resume(served: Served) -> None:
    """Who was away gets what was missed, each once, and no snapshot."""
    device = served.hub.devices["virtual_inverter"]
    async with served.socket() as client:
        hello = await client.receive_json()
        await device.supervisor.poll()
        seen = (await next_of(client, "reading"))["sequence"]
    await device.supervisor.poll()
    await device.supervisor.poll()
    async with served.socket(f"?instance={hello['instance']}&after={seen}") as client:
        again = await client.receive_json()
        assert (again["type"], again["resumed"]) == ("hello", True)
        missed = [await client.receive_json() for _ in range(2)]
        assert [message["type"] for message in missed] == ["reading", "reading"]
        assert [message["sequence"] for message in missed] == [seen + 1, seen + 2]
        await device.supervisor.poll()
        assert (await next_of(client, "reading"))["sequence"] == seen + 3


@pytest.mark.parametrize(
    "query", ["?instance=x&after=1", "?after=99999", "?instance=&after=-1", "?after=" + "9" * 30]
)
async def test_resume_that_is_not_possible(served: Served, query: str) -> None:
    """The client gets everything anew."""
    async with served.socket(query) as client:
        assert (await client.receive_json())["resumed"] is False
        assert (await client.receive_json())["type"] == "snapshot"


async def test_no_token(served: Served) -> None:
    """It is refused before it is opened."""
    with pytest.raises(WSServerHandshakeError) as caught:
        await served.session.ws_connect(f"{served.url}/api/v1/ws")
    assert caught.value.status == 401


# aiohttp begins its heartbeat anew when the client answers to the close
@pytest.mark.parametrize("expected_lingering_timers", [True])
async def test_new_token(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who came with the one before is told, and let go."""
    monkeypatch.setattr(socket_module, "TOKEN_CHECK", 0.05)
    async with served.socket() as client:
        await next_of(client, "snapshot")
        served.token.make()
        async with asyncio.timeout(30):
            while (await client.receive()).type is not WSMsgType.CLOSE:
                pass
        assert client.close_code == socket_module.TOKEN_CHANGED


async def test_ping(served: Served) -> None:
    """A browser cannot send pings of its own: it asks by a text."""
    async with served.socket() as client:
        await next_of(client, "snapshot")
        await client.send_str("anything")
        await client.send_str("ping")
        assert (await client.receive_str()) == "pong"


async def test_client_that_sends_much(served: Served) -> None:
    """It has nothing to say: the connection is closed, the bridge goes on."""
    async with served.socket() as client:
        await next_of(client, "snapshot")
        await client.send_str("x" * (socket_module.LARGEST_MESSAGE + 1))
        async with asyncio.timeout(30):
            while (await client.receive()).type is not WSMsgType.CLOSE:
                pass
    assert (await served.ask("GET", "/health"))[0] == 200


def small_socket(address: Any) -> socket.socket:
    """Return a socket that holds little of what nobody takes."""
    found = socket.socket(address[0], address[1], address[2])
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return found


async def test_slow_clients_harm_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 clients, five of which take nothing: those are dropped, the others get everything."""
    monkeypatch.setattr(push_module, "MOST_WAITING", 5)
    connector = aiohttp.TCPConnector(socket_factory=small_socket)
    async with (
        serve(tmp_path) as served,
        aiohttp.ClientSession(connector=connector) as slow,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as others,
    ):
        await served.wait_read()
        headers = {"Authorization": f"Bearer {served.secret}"}
        url = f"{served.url}/api/v1/ws"
        stuck = [await slow.ws_connect(url, headers=headers) for _ in range(5)]
        quick = [await others.ws_connect(url, headers=headers) for _ in range(195)]
        for client in (*stuck, *quick):
            await next_of(client, "snapshot")
        for client in stuck:
            client._response.connection.transport.pause_reading()
        taken = 0
        async with asyncio.timeout(120):
            while served.hub.push.dropped < len(stuck):
                served.hub.push.publish(MessageType.STATE, {"device": "x", "text": "x" * 100_000})
                received = await asyncio.gather(*(client.receive_str() for client in quick))
                beginning = f'{{"type":"state","sequence":{served.hub.push.sequence},'
                assert all(text.startswith(beginning) for text in received)
                taken += 1
        assert taken > 5
        assert len(served.hub.push.subscribers) == len(quick)
        for client in stuck:
            client._response.connection.transport.resume_reading()
        await asyncio.gather(*(client.close() for client in (*stuck, *quick)))


async def test_devices_that_come_and_go(served: Served) -> None:
    """A new configuration is told as it is; devices that did not change are not disturbed."""
    hub = served.hub
    battery = hub.devices["virtual_battery"]
    async with served.socket() as client:
        await next_of(client, "snapshot")
        kept, other = (
            hub.config.devices[1],
            hub.config.devices[0].model_copy(update={"profile": "shunt", "name": "Shunt"}),
        )
        await hub.reload(hub.config.model_copy(update={"devices": (kept, other)}))
        message = parse_push(await next_of(client, "devices"))
        assert [report.device.id for report in message.reports] == [
            "virtual_battery",
            "virtual_shunt",
        ]
    assert hub.devices["virtual_battery"] is battery
    assert (await served.ask("GET", "/api/v1/devices/virtual_inverter"))[0] == 404


async def test_devices_while_one_is_replaced(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks meanwhile gets all of them; the one with other options keeps its last reading."""
    hub = served.hub
    inverter = hub.devices["virtual_inverter"]
    before = inverter.report["reading"]
    stopping, go_on, stop = asyncio.Event(), asyncio.Event(), inverter.stop

    async def slow_stop() -> None:
        stopping.set()
        await go_on.wait()
        await stop()

    monkeypatch.setattr(inverter, "stop", slow_stop)
    changed = hub.config.devices[0].model_copy(update={"cache_time": 200})
    devices = (changed, hub.config.devices[1])
    reloading = asyncio.create_task(hub.reload(hub.config.model_copy(update={"devices": devices})))
    await stopping.wait()
    async with served.socket() as client:
        snapshot = await next_of(client, "snapshot")
        assert [device["id"] for device in snapshot["devices"]] == list(hub.devices)
        go_on.set()
        await reloading
        message = await next_of(client, "devices")
    after = message["devices"][0]["reading"]
    assert after["reading_id"] == before["reading_id"]
    assert after["age"] >= before["age"]
    assert hub.devices["virtual_inverter"] is not inverter
    assert hub.devices["virtual_inverter"].config.cache_time == 200
