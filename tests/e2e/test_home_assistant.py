"""The main job, end to end: real Home Assistant, real reader processes, real bleak, simulated BlueZ."""

from datetime import datetime
import os
from pathlib import Path
import signal
from typing import Any

import pytest

from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from simulator.__main__ import ADAPTER_ADDRESS
from simulator.control import ControlClient, control
from simulator.home_assistant import HomeAssistant, free_port, home_assistant
from simulator.process import simulator

from ..simulated import INVERTER_ADDRESS, INVERTER_NAME
from .processes import readers_on

INTERVAL = 10
CACHE = 25
GRACE = 45
OPTIONS = {
    "update_interval": INTERVAL,
    "connect_timeout": 5,
    "cache_time": CACHE,
    "grace_time": GRACE,
    "path": "automatic",
}
FORBIDDEN_IN_LOG = (
    "was never awaited",
    "Task exception was never retrieved",
    "blocking call",
    "Detected that custom integration",
    "Unexpected error fetching",
)
PREFIX = f"sensor.{INVERTER_NAME.lower()}"
STATUS = f"{PREFIX}_connection_status"
PROBLEM = f"{PREFIX}_problem"
MODEL = f"{PREFIX}_model"
VOLTAGE = f"{PREFIX}_battery_voltage"
LAST = f"{PREFIX}_last_reading"


class Scene:
    """Home Assistant, the simulated radio, and what is looked for."""

    def __init__(self, hass: HomeAssistant, radio: ControlClient, bus_address: str) -> None:
        """Begin."""
        self.hass = hass
        self.radio = radio
        self.bus_address = bus_address

    async def state(self, entity_id: str) -> str:
        """Return a state."""
        state: str = (await self.hass.states())[entity_id]["state"]
        return state

    async def values(self) -> dict[str, str]:
        """Return the states of the measurements."""
        return {
            entity_id: state["state"]
            for entity_id, state in (await self.hass.states()).items()
            if entity_id.startswith(PREFIX)
            and state["attributes"].get("state_class") == "measurement"
        }

    async def connects(self) -> int:
        """Return how often the inverter was connected."""
        state = await self.radio.state()
        number: int = state["devices"][INVERTER_ADDRESS]["counts"]["links"]
        return number

    async def wait_state(self, entity_id: str, wanted: str, limit: float = 60) -> dict[str, Any]:
        """Wait for a state, and return it whole."""

        async def look() -> dict[str, Any] | None:
            state = (await self.hass.states()).get(entity_id)
            return state if state is not None and state["state"] == wanted else None

        seen: dict[str, Any] = await self.hass.wait_for(f"{entity_id} {wanted}", look, limit)
        return seen

    async def wait_fresh(self, limit: float = 60) -> None:
        """Wait for a reading that is newer than the last one."""
        before = await self.state(LAST)

        async def look() -> bool:
            return await self.state(LAST) != before and await self.state(STATUS) == "connected"

        await self.hass.wait_for("a fresh reading", look, limit)

    async def wait_nothing_left(self) -> None:
        """Wait until neither a reader process nor a link is there."""

        async def look() -> bool:
            return not readers_on(self.bus_address) and not await self.radio.links()

        await self.hass.wait_for("no process and no link", look, 30)


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
            await out_of_range_and_back(scene)
            await reader_killed(scene)
            await refused_by_a_busy_device(scene)
            await through_home_assistant(scene)
            # stopped in the middle of a reading
            await radio.fault("slow", seconds=20)
            await hass.wait_for("a reader process", lambda: one_reader(scene), 30)
            assert await hass.stop() == 0
            assert readers_on(devices.bus_address) == []
            assert await radio.links() == []
        log = hass.log.read_text()
    for text in FORBIDDEN_IN_LOG:
        assert text not in log
    ours = [line for line in log.splitlines() if "custom_components.blupow" in line]
    assert not [
        line
        for line in ours
        if " ERROR " in line or (" WARNING " in line and "not been tested" not in line)
    ]
    # one line a transition, each of a kind
    lines = [line.split("] ", 1)[1] for line in ours if " INFO " in line]
    assert lines
    assert all(line.startswith("[") for line in lines)
    assert len(lines) < 20


async def one_reader(scene: Scene) -> int | None:
    """Return the reader process in whose reading the device is connected."""
    running = readers_on(scene.bus_address)
    links = (await scene.radio.state())["links"]
    return running[0] if running and links else None


async def discovered_and_added(scene: Scene) -> None:
    """Home Assistant finds the inverter; the user adds it; its sensors have its values."""
    hass = scene.hass
    flow = await hass.discovered()
    assert flow["context"]["unique_id"] == INVERTER_ADDRESS
    assert flow["context"]["title_placeholders"] == {"name": INVERTER_NAME}
    result = await hass.answer_flow(flow["flow_id"], {})
    assert result["type"] == "create_entry"
    assert result["title"] == INVERTER_NAME
    await scene.wait_state(STATUS, "connected")
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
    last = datetime.fromisoformat(await scene.state(LAST))
    assert len(values) >= 18
    await scene.radio.fault("out_of_range")

    await scene.wait_state(STATUS, "offline")
    assert await scene.state(PROBLEM) == "connect_timeout"
    assert await scene.values() == values
    changed = await scene.wait_state(STATUS, "disconnected")
    age = (datetime.fromisoformat(changed["last_changed"]) - last).total_seconds()
    assert CACHE <= age < CACHE + INTERVAL
    assert await scene.values() == values
    assert datetime.fromisoformat(await scene.state(LAST)) == last
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
    """A device that refuses is told as such, and read again as soon as it does not."""
    await scene.radio.fault("refuses")
    await scene.wait_state(PROBLEM, "held_by_other", INTERVAL + 20)
    await scene.radio.clear()
    await scene.wait_state(STATUS, "connected", INTERVAL + 10)


async def through_home_assistant(scene: Scene) -> None:
    """The option for the path: Home Assistant's own Bluetooth reads, and no process of ours."""
    (entry,) = await scene.hass.call("config_entries/get", domain="blupow")
    await scene.wait_nothing_left()
    connects = await scene.connects()
    await scene.hass.set_options(entry["entry_id"], OPTIONS | {"path": "in_process"})
    await scene.wait_fresh()
    assert await scene.connects() > connects
    before = await scene.state(LAST)
    processes: set[int] = set()

    async def look() -> bool:
        processes.update(readers_on(scene.bus_address))
        return await scene.state(LAST) != before

    await scene.hass.wait_for("a fresh reading", look, INTERVAL + 20)
    assert processes == set()
    await scene.hass.set_options(entry["entry_id"], OPTIONS)
    await scene.wait_fresh()
    await scene.wait_nothing_left()
