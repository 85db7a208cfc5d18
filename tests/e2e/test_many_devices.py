"""Ten inverters on one adapter, end to end: each is read, one connection at a time."""

from pathlib import Path

import pytest

from simulator.__main__ import ADAPTER_ADDRESS
from simulator.control import control
from simulator.home_assistant import free_port, home_assistant
from simulator.process import simulator

from ..helpers.processes import readers_on
from .scene import OPTIONS, Scene, check_log

DEVICES = 10
POLLS = 3


@pytest.mark.usefixtures("real_sockets")
async def test_ten_inverters(tmp_path: Path) -> None:
    """Started together, they read one after the other; nobody scans beside Home Assistant."""
    async with (
        simulator(tmp_path / "bus", "--inverters", str(DEVICES)) as devices,
        control(devices.bus_address) as radio,
        home_assistant(
            tmp_path / "config",
            devices.bus_address,
            free_port(),
            adapters=[ADAPTER_ADDRESS.format(0x13)],
        ) as hass,
    ):
        scene = Scene(hass, radio, devices.bus_address)
        entries = []
        for _ in range(DEVICES):
            result = await hass.answer_flow((await hass.discovered())["flow_id"], {})
            assert result["type"] == "create_entry"
            entries.append(result["result"]["entry_id"])
        for entry_id in entries:
            await hass.set_options(entry_id, OPTIONS)

        async def all_polled() -> bool:
            polls = [len((await hass.diagnostics(entry_id))["polls"]) for entry_id in entries]
            return min(polls) >= POLLS

        await hass.wait_for("polls of all", all_polled, limit=120)
        for entry_id in entries:
            health = await hass.act("health_check", config_entry_id=entry_id)
            assert (health["status"], health["success_rate"]) == ("connected", 100)
        state = await radio.state()
        assert state["most_at_once"] == {"hci0": 1}
        assert state["scanned_by"] == 1
        assert await hass.stop() == 0
        assert readers_on(devices.bus_address) == []
        assert await scene.radio.links() == []
        check_log(hass.log.read_text(), most_lines=DEVICES, least=0)
