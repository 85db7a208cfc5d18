"""Other families, end to end: a hub and a shunt in a real Home Assistant, by real reader processes."""

from pathlib import Path
from typing import Any

import pytest

from simulator.__main__ import ADAPTER_ADDRESS
from simulator.control import control
from simulator.home_assistant import HomeAssistant, free_port, home_assistant
from simulator.process import simulator

from ..helpers.processes import readers_on
from .scene import Scene, check_log

HUB = "BT-TH-6A660006"
SHUNT = "RTMShunt300A1B2"
HUB_PREFIX = "sensor.bt_th_6a660006"
SHUNT_PREFIX = "sensor.rtmshunt300a1b2"


@pytest.mark.usefixtures("real_sockets")
async def test_hub_and_shunt(tmp_path: Path) -> None:
    """Both are discovered and distinguished; the units behind the hub are found, added, and one is lost."""
    async with (
        simulator(tmp_path / "bus", "--inverters", "0", "--also", "hub", "--also", "shunt") as bus,
        control(bus.bus_address) as radio,
    ):
        async with home_assistant(
            tmp_path / "config",
            bus.bus_address,
            free_port(),
            adapters=[ADAPTER_ADDRESS.format(0x13)],
        ) as hass:
            scene = Scene(hass, radio, bus.bus_address)
            for name in (HUB, SHUNT):
                result = await hass.answer_flow(await discovered(hass, name), {})
                assert (result["type"], result["title"]) == ("create_entry", name)
            await scene.wait_state(f"{HUB_PREFIX}_connection_status", "connected")
            await scene.wait_state(f"{SHUNT_PREFIX}_connection_status", "connected")
            await shunt_has_its_values(scene)
            entry_id = await entry_of(hass, HUB)
            await units_are_added(hass, entry_id)
            await bank_is_summed(scene)
            await units_are_connected_via_the_module(hass)
            await history_is_kept(hass, entry_id)
            assert await hass.stop() == 0
            assert readers_on(bus.bus_address) == []
            assert await radio.links() == []
        check_log(hass.log.read_text(), most_lines=12, least=0)


async def discovered(hass: HomeAssistant, name: str) -> str:
    """Return the flow of a device that Home Assistant has discovered."""

    async def look() -> str | None:
        for flow in await hass.call("config_entries/flow/progress"):
            if flow["context"].get("title_placeholders") == {"name": name}:
                found: str = flow["flow_id"]
                return found
        return None

    flow_id: str = await hass.wait_for(f"{name} discovered", look, 60)
    return flow_id


async def entry_of(hass: HomeAssistant, title: str) -> str:
    """Return the entry of a title."""
    entries = await hass.call("config_entries/get", domain="blupow")
    (entry_id,) = [entry["entry_id"] for entry in entries if entry["title"] == title]
    return str(entry_id)


async def shunt_has_its_values(scene: Scene) -> None:
    """Three decimals, as it sends them."""
    assert 13.0 <= float(await scene.state(f"{SHUNT_PREFIX}_battery_voltage")) <= 13.4
    assert float(await scene.state(f"{SHUNT_PREFIX}_battery_energy_in_estimated")) >= 0


async def units_are_added(hass: HomeAssistant, entry_id: str) -> None:
    """The user has the hub searched, and takes all that is found."""
    kind = "subentries/flow"
    flow = await hass.post(f"/api/config/config_entries/{kind}", {"handler": [entry_id, "unit"]})
    result = await hass.answer_flow(flow["flow_id"], {}, kind)
    assert result["step_id"] == "add_units"
    result = await hass.answer_flow(flow["flow_id"], {"units": ["49", "96"]}, kind)
    assert result["type"] == "create_entry"


async def units_are_connected_via_the_module(hass: HomeAssistant) -> None:
    """One device each."""
    devices = await hass.call("config/device_registry/list")
    names = {device["id"]: device["name"] for device in devices}
    via = {device["name"]: names.get(device["via_device_id"]) for device in devices}
    for unit in ("Battery 48", "Battery 49", "Charge controller 96"):
        assert via[f"{HUB} {unit}"] == HUB


async def bank_is_summed(scene: Scene) -> None:
    """All of it is there, and the total is that of the parts."""

    async def look() -> dict[str, Any] | None:
        states = await scene.hass.states()
        wanted = [f"{HUB_PREFIX}_{key}" for key in ("bank_power", "battery_49_battery_power")]
        there = all(
            key in states and states[key]["state"] not in ("unknown", "unavailable")
            for key in wanted
        )
        return states if there else None

    states = await scene.hass.wait_for("the bank", look, 60)
    own = f"{HUB_PREFIX}_battery_power"  # keeps the id that it had before there were others
    parts = [
        float(states[own]["state"]),
        float(states[f"{HUB_PREFIX}_battery_49_battery_power"]["state"]),
    ]
    assert float(states[f"{HUB_PREFIX}_bank_power"]["state"]) == pytest.approx(sum(parts), abs=0.2)
    assert states[f"{HUB_PREFIX}_charge_controller_96_charging_status"]["state"] == "mppt"


async def history_is_kept(hass: HomeAssistant, entry_id: str) -> None:
    """The controller behind the hub tells of its week."""
    devices = await hass.call("config/device_registry/list")
    (device_id,) = [
        device["id"] for device in devices if device["name"] == f"{HUB} Charge controller 96"
    ]
    answer = await hass.act("get_history", device_id=device_id)
    assert len(answer["days"]) == 8
    assert answer["units"]["solar_energy"] == "Wh"
