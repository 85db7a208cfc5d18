"""The main job, end to end: real Home Assistant, real reader processes, real bleak, simulated BlueZ."""

from datetime import datetime
import os
from pathlib import Path
import signal

import pytest

from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from simulator.__main__ import ADAPTER_ADDRESS
from simulator.control import control
from simulator.home_assistant import free_port, home_assistant
from simulator.process import simulator

from ..helpers.processes import readers_on
from .scene import (
    CACHE,
    GRACE,
    INTERVAL,
    MODEL,
    OPTIONS,
    PREFIX,
    PROBLEM,
    STATUS,
    VOLTAGE,
    Scene,
    check_log,
    discovered_and_added,
    one_reader,
)


@pytest.mark.usefixtures("real_sockets")
async def test_the_main_job(tmp_path: Path) -> None:
    """Discovered, added, out of range, back, its reader killed, stopped."""
    async with (
        simulator(tmp_path / "bus") as devices,
        control(devices.bus_address) as radio,
    ):
        async with home_assistant(
            tmp_path / "config",
            devices.bus_address,
            free_port(),
            adapters=[ADAPTER_ADDRESS.format(0x13)],
        ) as hass:
            scene = Scene(hass, radio, devices.bus_address)
            await discovered_and_added(scene)
            await has_its_values(scene)
            await out_of_range_and_back(scene)
            await scene.settle()
            await reader_killed(scene)
            await scene.settle()
            await refused_by_a_busy_device(scene)
            await through_home_assistant(scene)
            # stopped in the middle of a reading
            await radio.fault("slow", seconds=20)
            await hass.wait_for("a reader process", lambda: one_reader(scene), 30)
            assert await hass.stop() == 0
            assert readers_on(devices.bus_address) == []
            assert await radio.links() == []
        check_log(hass.log.read_text(), most_lines=30)


async def has_its_values(scene: Scene) -> None:
    """The sensors have what the inverter sends."""
    hass = scene.hass
    states = await hass.states()
    assert states[MODEL]["state"] == "RIV1230RCH-SPS"
    assert 12.5 < float(states[VOLTAGE]["state"]) < 14
    assert states[f"{PREFIX}_machine_state"]["state"] == "inverter_operation"
    assert float(states[f"{PREFIX}_load_energy_total"]["state"]) > 4000
    shown = [
        state
        for entity_id, state in states.items()
        if entity_id.startswith(PREFIX) and state["state"] not in ("unknown", "unavailable")
    ]
    optional = {"serial_number", "version"}
    assert len(shown) >= 22
    assert len(shown) >= len([item for item in INVERTER.fields if item.key not in optional]) - 5

    (entry,) = await hass.call("config_entries/get", domain="blupow")
    assert entry["state"] == "loaded"
    await hass.set_options(entry["entry_id"], OPTIONS)
    await scene.wait_state(STATUS, "connected")
    await scene.wait_fresh()
    await scene.wait_nothing_left()


async def out_of_range_and_back(scene: Scene) -> None:
    """Offline with the same values, disconnected, unavailable at the grace's end, fresh at once when back."""
    await scene.wait_fresh()
    await scene.wait_nothing_left()
    values = await scene.values()
    last = datetime.fromisoformat(await scene.last_reading() or "")
    assert len(values) >= 18
    await scene.radio.fault("out_of_range")

    await scene.wait_state(STATUS, "offline")
    assert await scene.state(PROBLEM) == "connect_timeout"
    assert await scene.values() == values
    changed = await scene.wait_state(STATUS, "disconnected")
    age = (datetime.fromisoformat(changed["last_changed"]) - last).total_seconds()
    assert CACHE <= age < CACHE + INTERVAL
    assert await scene.values() == values
    assert datetime.fromisoformat(await scene.last_reading() or "") == last
    changed = await scene.wait_state(VOLTAGE, "unavailable")
    age = (datetime.fromisoformat(changed["last_changed"]) - last).total_seconds()
    assert GRACE <= age < GRACE + INTERVAL
    assert set((await scene.values()).values()) == {"unavailable"}
    assert await scene.state(STATUS) == "lost"

    await scene.radio.clear()
    await scene.wait_state(STATUS, "connected", INTERVAL + 10)
    assert await scene.state(PROBLEM) == "none"
    assert "unavailable" not in (await scene.values()).values()


async def reader_killed(scene: Scene) -> None:
    """A reader that dies in mid-read costs one reading, and leaves neither process nor link."""
    await scene.wait_nothing_left()
    await scene.radio.fault("slow", seconds=20)
    pid = await scene.hass.wait_for("a reader process", lambda: one_reader(scene), 30)
    os.kill(pid, signal.SIGKILL)
    await scene.wait_state(PROBLEM, "reader_crashed", 10)
    await scene.radio.clear()
    await scene.wait_nothing_left()
    await scene.wait_state(STATUS, "connected", INTERVAL + 10)
    await scene.wait_nothing_left()


async def refused_by_a_busy_device(scene: Scene) -> None:
    """A device that refuses is reported as such, and read again as soon as it does not."""
    await scene.radio.fault("refuses")
    await scene.wait_state(PROBLEM, "held_by_other", INTERVAL + 20)
    await scene.radio.clear()
    await scene.wait_state(STATUS, "connected", INTERVAL + 10)


async def through_home_assistant(scene: Scene) -> None:
    """The option for the path: Home Assistant's own Bluetooth reads, and no process of ours."""
    (entry,) = await scene.hass.call("config_entries/get", domain="blupow")
    await scene.wait_nothing_left()
    connects = await scene.connects()
    await scene.hass.set_options(entry["entry_id"], OPTIONS | {"route": "in_process"})
    await scene.wait_fresh()
    assert await scene.connects() > connects
    before = await scene.last_reading()
    processes: set[int] = set()

    async def look() -> bool:
        processes.update(readers_on(scene.bus_address))
        return await scene.last_reading() != before

    await scene.hass.wait_for("a fresh reading", look, INTERVAL + 20)
    assert processes == set()
    await scene.hass.set_options(entry["entry_id"], OPTIONS)
    await scene.wait_fresh()
    await scene.wait_nothing_left()
