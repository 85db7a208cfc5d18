"""The bridge as people run it: a process on the simulated Bluetooth, killed, disturbed, configured anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import json
import os
from pathlib import Path
import signal
import stat
import tomllib
from typing import Any

import pytest

from simulator.bridge import Bridge, BridgeFailed, bridge
from simulator.control import ControlClient, control
from simulator.home_assistant import free_port
from simulator.mosquitto import Mosquitto
from simulator.process import Running, simulator

from ..helpers.processes import readers_on
from ..helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME

DEVICE = {
    "name": INVERTER_NAME,
    "address": INVERTER_ADDRESS,
    "profile": "inverter",
    "model": "RIV1230RCH",
    "unit_id": 32,
    "update_interval": 10,
    "connect_timeout": 5,
    "cache_time": 25,
    "grace_time": 45,
}
ID = "c4d36a000035"


async def seen(what: str, look: Callable[[], Awaitable[Any]], limit: float = 60) -> Any:
    """Look until something true is seen, and return it."""
    try:
        async with asyncio.timeout(limit):
            while not (found := await look()):
                await asyncio.sleep(0.1)
            return found
    except TimeoutError:
        raise AssertionError(f"not seen within {limit:g} s: {what}") from None


class Scene:
    """A bridge, the simulated radio, and what is looked for."""

    def __init__(self, running: Bridge, radio: ControlClient, devices: Running) -> None:
        """Begin."""
        self.bridge = running
        self.radio = radio
        self.devices = devices

    async def device(self) -> dict[str, Any]:
        """Return the inverter as the bridge tells of it."""
        found: dict[str, Any] = await self.bridge.get(f"/api/v1/devices/{ID}")
        return found

    async def fresh(self, limit: float = 60) -> dict[str, Any]:
        """Wait for a reading that was not there before."""
        before = (await self.device())["reading"]

        async def look() -> dict[str, Any] | None:
            device = await self.device()
            reading = device["reading"]
            new = reading and reading["reading_id"] != (before or {}).get("reading_id")
            return device if new else None

        device: dict[str, Any] = await seen("a fresh reading", look, limit)
        return device

    async def problem(self, code: str, limit: float = 60) -> dict[str, Any]:
        """Wait for a failed poll with a cause."""

        async def look() -> dict[str, Any] | None:
            failure: dict[str, Any] | None = (await self.device())["failure"]
            return failure if failure is not None and failure["code"] == code else None

        failure: dict[str, Any] = await seen(code, look, limit)
        return failure

    async def nothing_left(self) -> None:
        """Wait until neither a reader process nor a link is there."""

        async def look() -> bool:
            return not readers_on(self.devices.bus_address) and not await self.radio.links()

        await seen("no process and no link", look, 30)


@asynccontextmanager
async def scene(folder: Path, *devices: dict[str, Any], **sections: Any) -> AsyncIterator[Scene]:
    """Run a bridge on a simulated Bluetooth."""
    async with (
        simulator(folder / "bus") as running,
        control(running.bus_address) as radio,
        bridge(
            folder / "bridge", devices or (DEVICE,), bus_address=running.bus_address, **sections
        ) as found,
    ):
        yield Scene(found, radio, running)


async def test_reads_and_leaves_nothing(tmp_path: Path) -> None:
    """The first reading waits for the first advertisement; at the end nothing is left."""
    async with scene(tmp_path) as found:
        device = await found.fresh()
        assert device["state"]["status"] == "connected"
        assert device["state"]["success_rate"] == 100
        assert -100 < device["state"]["rssi"] < 0
        assert device["reading"]["source"] == "hci0"
        assert 12 < device["reading"]["units"][""]["values"]["battery_voltage"] < 15
        assert await found.bridge.get("/ready") == {"ready": True, "waiting": 0}
        assert await found.bridge.stop() == 0
        await found.nothing_left()
        log = found.bridge.log.read_text()
        assert "Traceback" not in log
        assert len(log.splitlines()) <= 4


async def test_device_that_vanishes(tmp_path: Path) -> None:
    """Its absence costs no connection, and its return brings a poll at once."""
    async with scene(tmp_path, DEVICE | {"update_interval": 3600}) as found:
        await found.fresh()
        await found.radio.fault("out_of_range")
        reconnecting = found.bridge.request("POST", f"/api/v1/devices/{ID}/reconnect")
        with pytest.raises(BridgeFailed, match=r"not_advertising|connect_timeout"):
            await reconnecting
        await found.radio.clear()
        device = await found.fresh(30)
        assert (device["failure"], device["state"]["failures"]) == (None, 0)


async def test_device_that_a_phone_holds(tmp_path: Path) -> None:
    """The reason is told; when the phone lets go, it is read again."""
    async with scene(tmp_path) as found:
        await found.fresh()
        await found.radio.fault("refuses")
        failure = await found.problem("held_by_other")
        assert "another program or phone" in failure["message"]
        assert (await found.device())["state"]["status"] == "offline"
        await found.radio.clear()
        await found.fresh()


async def test_bridge_that_is_killed(tmp_path: Path) -> None:
    """In mid-reading: the link that it left behind is taken over by the next one."""
    async with scene(tmp_path) as found:
        await found.fresh()
        await found.radio.fault("slow")

        async def reading() -> bool:
            return bool(readers_on(found.devices.bus_address)) and bool(await found.radio.links())

        await seen("a reading", reading)
        (reader, *_) = readers_on(found.devices.bus_address)
        os.kill(reader, signal.SIGSTOP)  # so that it cannot disconnect
        assert await found.bridge.stop(signal.SIGKILL) == -signal.SIGKILL
        os.kill(reader, signal.SIGKILL)
        assert await found.radio.links()
        await found.radio.clear()
        await found.bridge.start()
        await found.fresh(60)
        rows = await found.bridge.get(f"/api/v1/devices/{ID}/history")
        times = [row["at"] for row in rows["rows"]]
        assert len(times) >= 2
        assert len(set(times)) == len(times)


async def test_reader_that_hangs(tmp_path: Path) -> None:
    """It is ended, and the device is read by the next one; the bridge answers all the while."""
    async with scene(tmp_path) as found:
        await found.fresh()
        await found.radio.fault("silent")
        await found.problem("no_response")
        assert (await found.bridge.get("/health"))["status"] == "degraded"
        await found.radio.clear()
        await found.fresh()
        await found.bridge.stop()
        await found.nothing_left()


async def test_adapter_that_is_unplugged(tmp_path: Path) -> None:
    """It is told, and all goes on when it is back."""
    async with scene(tmp_path) as found:
        await found.fresh()
        await found.radio.do("unplug", adapter="hci0")
        failure = await found.problem("adapter_unavailable", 120)
        assert "adapter" in failure["message"]
        await found.radio.do("plug_in", adapter="hci0")
        await found.fresh(120)
        assert (await found.bridge.get("/api/v1/stats"))["bluetooth"] is None


async def test_configuration_that_changes(tmp_path: Path) -> None:
    """By the file alone, or by SIGHUP; one that is wrong changes nothing, and says why."""
    virtual = {"name": "Battery", "virtual": True, "profile": "battery"}
    async with scene(tmp_path) as found:
        first = await found.fresh()

        async def ids() -> list[str]:
            devices = (await found.bridge.get("/api/v1/devices"))["devices"]
            return [device["id"] for device in devices]

        found.bridge.configure((DEVICE, virtual))

        async def both() -> bool:
            return await ids() == [ID, "virtual_battery"]

        await seen("the other device", both)
        device = await found.device()
        assert device["state"]["polls"] >= first["state"]["polls"]  # it was not begun anew
        found.bridge.config.write_text('name = "Van"\n[[devices]]\nname = "x"\n')
        assert found.bridge.process is not None
        found.bridge.process.send_signal(signal.SIGHUP)

        async def told() -> bool:
            return "the configuration stays as it was" in found.bridge.log.read_text()

        await seen("what is wrong", told)
        assert "devices.0.profile is missing" in found.bridge.log.read_text()
        assert await ids() == [ID, "virtual_battery"]
        found.bridge.configure((virtual,), http={"port": 1})
        found.bridge.process.send_signal(signal.SIGHUP)

        async def one() -> bool:
            return await ids() == ["virtual_battery"]

        await seen("the device alone", one)
        assert "restart the bridge to change http" in found.bridge.log.read_text()


async def test_commands(tmp_path: Path) -> None:
    """What people type, and what they get."""
    async with scene(tmp_path) as found:
        await found.fresh()
        running = found.bridge
        assert "1 device, no fault found" in await running.command("check")
        assert INVERTER_NAME in await running.command("devices")
        assert await running.stop() == 0
        listed = await running.command("devices", "--json")
        assert '"battery_voltage"' in listed
        assert "never read" not in await running.command("devices")
        lines = await running.command("discover", "--time", "3")
        (block,) = tomllib.loads(lines)["devices"]
        assert (block["address"], block["profile"]) == (INVERTER_ADDRESS, "inverter")
        path = tmp_path / "out.csv"
        said = await running.command("export", INVERTER_NAME, str(path))
        count = int(said.split()[0])
        assert len(path.read_text().splitlines()) == count + 1
        table = tmp_path / "out.parquet"
        assert "rows in" in await running.command("export", ID, str(table))
        with pytest.raises(BridgeFailed, match="nothing is stored of 'other'"):
            await running.command("export", "other", str(path))
        with pytest.raises(BridgeFailed, match="is no moment"):
            await running.command("export", ID, str(path), "--from", "then")
        with pytest.raises(BridgeFailed, match="could not be written"):
            await running.command("export", ID, str(tmp_path / "no" / "where.csv"))
        token = (await running.command("token")).strip()
        assert len(token) > 40
        assert token != running.token


async def test_broker(tmp_path: Path) -> None:
    """The command line asks the bridge that runs, without a token; nobody else can."""
    broker = Mosquitto(tmp_path / "mosquitto", users={"van": "xyzzy"})
    broker.start()
    secret = tmp_path / "password"
    secret.write_text("old")
    device = {"name": "Battery", "virtual": True, "profile": "battery"}
    mqtt = {"port": broker.port, "host": "127.0.0.1", "username": "van"}
    async with bridge(
        tmp_path / "bridge", (device,), mqtt=mqtt | {"password_file": str(secret)}
    ) as running:

        async def refused() -> bool:
            said = await running.command("mqtt")
            return "the broker refuses the username or the password (Not authorized)" in said

        await seen("the refusal", refused)
        assert (await running.get("/health"))["mqtt"] == "not_connected"
        secret.write_text("xyzzy")
        said = await running.command("mqtt", "--reset-reconnect")
        assert said.strip() == f"the bridge tries to connect to 127.0.0.1:{broker.port} now"

        async def connected() -> bool:
            return "connected, by MQTT 5" in await running.command("mqtt")

        await seen("the connection", connected)
        said = await running.command("mqtt", "--reset-reconnect")
        assert said.strip() == f"127.0.0.1:{broker.port} is connected already"
        report = json.loads(await running.command("mqtt", "--json"))
        assert report["events"][0]["event"] == "connected"
        assert report["failed_attempts"]["credentials_refused"] >= 1
        assert (await running.get("/api/v1/mqtt"))["connections"] == 1
        answer = await running.request("POST", "/api/v1/mqtt/reset_reconnect")
        assert answer == {"broker": f"127.0.0.1:{broker.port}", "connected": True}
        path = running.folder / "data" / "control.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

        # the configuration may name another broker, or none
        running.configure((device,), mqtt=mqtt | {"password": "wrong"})
        await seen("the refusal", refused)
        running.configure((device,), mqtt=mqtt | {"password": "xyzzy"})
        await seen("the connection", connected)
        assert await running.stop() == 0
        assert "Traceback" not in running.log.read_text()
        assert "xyzzy" not in running.log.read_text()
        with pytest.raises(BridgeFailed, match="no bridge runs with the data in"):
            await running.command("mqtt")
    async with bridge(tmp_path / "other", (device,)) as running:
        with pytest.raises(BridgeFailed, match="the configuration names no broker"):
            await running.command("mqtt")
        with pytest.raises(BridgeFailed, match="404"):
            await running.get("/api/v1/mqtt")
    broker.stop()


async def test_bridge_that_cannot_start(tmp_path: Path) -> None:
    """A sentence and an exit code, no traceback."""
    folder = tmp_path / "bridge"
    async with bridge(folder, ({"name": "x", "virtual": True, "profile": "battery"},)) as first:
        port = first.port
        async with bridge(tmp_path / "other", (), port=port, start=False) as second:
            with pytest.raises(BridgeFailed, match=f"cannot listen at 127.0.0.1:{port}") as caught:
                await second.command("run")
            assert "Traceback" not in str(caught.value)
    async with bridge(folder, (), start=False, http={"port": "x"}) as wrong:
        with pytest.raises(BridgeFailed, match=r"http\.port: Input should be a valid integer"):
            await wrong.command("run")
    async with bridge(folder, (), start=False, data="/proc/nowhere") as wrong:
        with pytest.raises(BridgeFailed, match="/proc/nowhere"):
            await wrong.command("run")
        with pytest.raises(BridgeFailed, match="cannot be"):
            await wrong.command("check")
        with pytest.raises(BridgeFailed, match="the token cannot be kept"):
            await wrong.command("token")
    url = f"postgresql://blupow@127.0.0.1:{free_port()}/none"
    async with bridge(folder, (), start=False, store={"url": url}) as away:
        with pytest.raises(BridgeFailed, match="the database cannot be opened"):
            await away.command("check")


async def test_nothing_is_configured(tmp_path: Path) -> None:
    """The bridge runs, and says what to do."""
    async with bridge(tmp_path / "bridge", ()) as running:
        assert (await running.get("/api/v1/devices"))["devices"] == []
        assert "blupow-bridge discover" in await running.command("devices")
        assert "blupow-bridge discover" in await running.command("check")
        with pytest.raises(BridgeFailed, match=r"adapter|no Renogy device"):
            await running.command("discover", "--time", "1")
        log = running.log.read_text()
        assert "run `blupow-bridge token`" not in log  # one was made before
    assert "Traceback" not in running.log.read_text()
