"""A real bridge and a real Home Assistant, each a process of its own, end to end."""

import asyncio
from pathlib import Path
import signal
from typing import Any

import pytest

from simulator.bridge import bridge
from simulator.control import control
from simulator.home_assistant import HomeAssistant, HomeAssistantError, free_port, home_assistant
from simulator.process import simulator

from ..helpers.processes import readers_on
from ..helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME
from .scene import PROBLEM, STATUS, VOLTAGE, Scene, check_log

INTERVAL = 10
DEVICE = {
    "name": INVERTER_NAME,
    "address": INVERTER_ADDRESS,
    "profile": "inverter",
    "model": "RIV1230RCH",
    "unit_id": 32,
    "update_interval": INTERVAL,
    "connect_timeout": 5,
    "allow_changes": True,
}


async def report(hass: HomeAssistant, entry_id: str) -> dict[str, Any]:
    """Return what the diagnostics tell of the bridge."""
    found: dict[str, Any] = (await hass.diagnostics(entry_id))["bridge"]
    return found


@pytest.mark.usefixtures("real_sockets")
async def test_bridge(tmp_path: Path) -> None:
    """Added by hand, pushed without a request, kept over outages of both, changed, and never silent."""
    async with (
        simulator(tmp_path / "bus") as devices,
        control(devices.bus_address) as radio,
        bridge(tmp_path / "bridge", (DEVICE,), bus_address=devices.bus_address) as running,
        # no adapter of its own: it is another machine
        home_assistant(tmp_path / "config", devices.bus_address, free_port(), adapters=[]) as hass,
    ):
        scene = Scene(hass, radio, devices.bus_address)
        flow = await hass.post("/api/config/config_entries/flow", {"handler": "blupow"})
        await hass.answer_flow(flow["flow_id"], {"next_step_id": "bridge"})
        where = {"host": "127.0.0.1", "port": running.port, "ssl": False, "verify_ssl": True}
        result = await hass.answer_flow(flow["flow_id"], where | {"token": "wrong"})
        assert result["errors"] == {"base": "invalid_token"}
        result = await hass.answer_flow(flow["flow_id"], where | {"token": running.token})
        assert result["type"] == "create_entry"
        entry_id = result["result"]["entry_id"]
        await scene.wait_state(STATUS, "connected")

        # each reading is pushed, and nothing is asked
        before = await report(hass, entry_id)

        async def three_more() -> bool:
            return (await report(hass, entry_id))["pushes"] >= before["pushes"] + 3

        await hass.wait_for("three readings", three_more, 6 * INTERVAL)
        after = await report(hass, entry_id)
        # the days that the device keeps are read once a day, from noon on
        assert after["requests"] <= 1

        # the radio fails: the reason is that of the bridge
        await radio.fault("silent")
        await scene.wait_state(PROBLEM, "no_response")
        assert await scene.state(STATUS) == "offline"
        assert float(await scene.state(VOLTAGE)) > 10
        await radio.clear()
        await scene.wait_state(STATUS, "connected")

        # the bridge is killed, and started again
        assert await running.stop(signal.SIGKILL) == -signal.SIGKILL
        await scene.wait_state(PROBLEM, "bridge_unreachable")
        assert float(await scene.state(VOLTAGE)) > 10
        await running.start()
        await scene.wait_state(STATUS, "connected")
        assert (await report(hass, entry_id))["connections"] >= 2

        # the button, and an action, are carried out by the bridge
        polls = (await running.get("/api/v1/devices"))["devices"][0]["state"]["polls"]
        answer = await hass.act("force_reconnect", config_entry_id=entry_id)
        assert answer["step"] == 1
        state = (await running.get("/api/v1/devices"))["devices"][0]["state"]
        assert state["polls"] > polls

        # a new token: Home Assistant asks for it
        running.token = (await running.command("token")).strip()

        async def asked() -> dict[str, Any] | None:
            for progress in await hass.call("config_entries/flow/progress"):
                if progress["context"]["source"] == "reauth":
                    found: dict[str, Any] = progress
                    return found
            return None

        reauth = await hass.wait_for("the question for the token", asked)
        result = await hass.answer_flow(reauth["flow_id"], {"token": running.token})
        assert result["reason"] == "reauth_successful"
        await scene.wait_loaded()
        await scene.wait_state(STATUS, "connected")

        # a device more, and none any more
        running.configure((DEVICE, {"name": "Shunt", "virtual": True, "profile": "shunt"}))
        await scene.wait_state("sensor.shunt_connection_status", "test_mode")
        running.configure(())

        async def gone() -> bool:
            return VOLTAGE not in await hass.states()

        await hass.wait_for("no entity of a device that is gone", gone)

        # what was read while Home Assistant was there and away is in the history of the bridge
        running.configure((DEVICE,))
        await scene.wait_state(STATUS, "connected")
        path = f"/api/v1/devices/{DEVICE['address'].replace(':', '').lower()}/history"
        rows = (await running.get(path))["rows"]
        assert len(rows) >= 5
        assert len({row["at"] for row in rows}) == len(rows)

        assert await hass.stop() == 0
        assert await running.stop() == 0
        assert readers_on(devices.bus_address) == []
        assert await radio.links() == []
        check_log(hass.log.read_text(), most_lines=40, least=0)
        assert "Traceback" not in running.log.read_text()


@pytest.mark.usefixtures("real_sockets")
async def test_bridge_is_not_there_yet(tmp_path: Path) -> None:
    """A flow tells it, and Home Assistant starts all the same."""
    async with (
        simulator(tmp_path / "bus") as devices,
        home_assistant(tmp_path / "config", devices.bus_address, free_port(), adapters=[]) as hass,
    ):
        flow = await hass.post("/api/config/config_entries/flow", {"handler": "blupow"})
        await hass.answer_flow(flow["flow_id"], {"next_step_id": "bridge"})
        where = {"host": "127.0.0.1", "port": free_port(), "ssl": False, "verify_ssl": True}
        result = await hass.answer_flow(flow["flow_id"], where | {"token": "any"})
        assert result["errors"] == {"base": "bridge_unreachable"}
        assert "cannot be reached" in result["description_placeholders"]["detail"]
        with pytest.raises(HomeAssistantError):
            await asyncio.wait_for(hass.act("force_reconnect", config_entry_id="none"), 30)
