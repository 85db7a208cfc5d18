"""Over a proxy, end to end: Home Assistant's esphome and bluetooth, and what takes over when a scanner dies."""

from pathlib import Path
from typing import Any

import pytest

from simulator.__main__ import ADAPTER_ADDRESS, PROXY_ADDRESS
from simulator.control import control
from simulator.home_assistant import free_port, home_assistant
from simulator.process import simulator

from ..helpers.processes import readers_on
from ..helpers.simulated import INVERTER_ADDRESS
from .scene import OPTIONS, STATUS, VOLTAGE, Scene, check_log, discovered_and_added

LASTING = OPTIONS | {"cache_time": 240, "grace_time": 240}
NEAR, FAR = -45, -85
LONG = 120
"""Seconds within which a dead scanner is noticed: two readings, and those that Home Assistant itself tries."""


class Routes(Scene):
    """An adapter and a proxy that hear the same inverter."""

    async def near(self, best: str) -> None:
        """Put the inverter near the adapter or near the proxy."""
        for name in ("hci0", "proxy0"):
            await self.radio.do("signal", adapter=name, rssi=NEAR if name == best else FAR)

    async def begin_anew(self, best: str) -> None:
        """Heal everything; what was learned of the scanners goes with the reload."""
        await self.radio.clear()
        await self.near(best)
        await self.hass.reload(await self.entry_id())
        await self.wait_state(STATUS, "connected")

    async def settle_on(self, via: str) -> None:
        """Have readings taken until Home Assistant has settled on what is nearer."""
        seen: list[str] = []

        async def settled() -> bool:
            await self.hass.act("force_reconnect", config_entry_id=await self.entry_id())
            seen.append((await self.health())["route"]["scanner"])
            return seen[-3:] == [via] * 3

        await self.hass.wait_for(f"readings over {via}", settled, LONG, pause=5)

    async def health(self) -> dict[str, Any]:
        """Return what the device says of itself."""
        return await self.hass.act("health_check", config_entry_id=await self.entry_id())

    async def wait_route(self, kind: str, via: str, limit: float = LONG) -> dict[str, Any]:
        """Wait until the device is read by that route; the values must never go."""

        async def look() -> dict[str, Any] | None:
            assert await self.state(VOLTAGE) not in ("unavailable", "unknown")
            found = await self.health()
            route = found["route"]
            taken = (route["kind"], route["scanner"]) == (kind, via)
            return found if taken and found["status"] == "connected" else None

        found: dict[str, Any] = await self.hass.wait_for(
            f"a reading {kind} over {via}", look, limit
        )
        return found

    async def over_adapter(self) -> dict[str, Any]:
        """Wait until a process of its own reads the device over the adapter."""
        return await self.wait_route("isolated", ADAPTER_ADDRESS.format(0x13))

    async def over_proxy(self) -> dict[str, Any]:
        """Wait until Home Assistant reads the device over the proxy."""
        return await self.wait_route("in_process", PROXY_ADDRESS.format(0))


@pytest.mark.usefixtures("real_sockets")
async def test_adapter_and_proxy(tmp_path: Path) -> None:
    """The best scanner is taken, another one when it dies, and the better one again when it is back."""
    port = free_port()
    async with (
        simulator(tmp_path / "bus", "--proxy", str(port)) as devices,
        control(devices.bus_address) as radio,
        home_assistant(
            tmp_path / "config",
            devices.bus_address,
            free_port(),
            adapters=[ADAPTER_ADDRESS.format(0x13)],
        ) as hass,
    ):
        scene = Routes(hass, radio, devices.bus_address)
        await scene.near("proxy0")
        await hass.add("esphome", host="127.0.0.1", port=port)
        await discovered_and_added(scene)
        await hass.set_options(await scene.entry_id(), LASTING)
        await scene.wait_fresh()
        await proxy_dies(scene)
        await services_are_found_incompletely(scene)
        await proxy_is_deaf(scene)
        await adapter_is_deaf(scene)
        await proxy_is_left_by_step_2(scene)
        # Home Assistant alone, also where readings fail
        assert (await radio.state())["scanned_by"] == 1
        await adapter_dies(scene)
        await unit_is_found_by_step_3(scene)
        assert await hass.stop() == 0
        assert readers_on(devices.bus_address) == []
        assert await radio.links() == []
        check_log(hass.log.read_text(), most_lines=60)


async def services_are_found_incompletely(scene: Routes) -> None:
    """A proxy finds the first service alone, and it is remembered: that very reading heals it."""
    await scene.over_proxy()
    await scene.radio.fault("few_services", times=1)

    async def healed() -> bool:
        before = (await scene.radio.state())["devices"][INVERTER_ADDRESS]
        # its first step asks for the services anew
        reported = await scene.hass.act("force_reconnect", config_entry_id=await scene.entry_id())
        assert reported["step"] == 1
        device = (await scene.radio.state())["devices"][INVERTER_ADDRESS]
        if device["faults"]:
            return False  # it was read over the adapter
        assert device["counts"]["links"] == before["counts"]["links"] + 3  # to forget, few, all
        return True

    await scene.hass.wait_for("services that were found incompletely", healed)


async def proxy_dies(scene: Routes) -> None:
    """It loses power: the adapter of this machine takes over; it is back: it is taken again."""
    found = await scene.over_proxy()
    assert found["route"]["reason"].startswith("heard best by proxy0")
    scanners = {item["name"].split()[0]: item for item in found["scanners"]}
    assert scanners["proxy0"]["local"] is False
    assert scanners["proxy0"]["signal_strength"] > scanners["hci0"]["signal_strength"]
    assert scanners["hci0"]["local"] is True
    await scene.radio.do("unplug", adapter="proxy0")
    await scene.over_adapter()
    await scene.radio.do("plug_in", adapter="proxy0")
    await scene.over_proxy()


async def proxy_is_deaf(scene: Routes) -> None:
    """It hears the device best, but never connects: after two readings the adapter is taken."""
    await scene.settle_on(PROXY_ADDRESS.format(0))
    await scene.radio.fault("deaf", adapter="proxy0")
    found = await scene.over_adapter()
    assert found["route"]["reason"].startswith("proxy0 (08:3A:F2:00:00:00) failed, heard by hci0")
    scanners = {item["name"].split()[0]: item for item in found["scanners"]}
    assert scanners["proxy0"]["failed_in_a_row"] >= 2
    assert scanners["proxy0"]["cooldown"] > 1700
    await scene.begin_anew("hci0")


async def adapter_is_deaf(scene: Routes) -> None:
    """The other way round: Home Assistant, which connects over proxies, has to find out by itself."""
    await scene.settle_on(ADAPTER_ADDRESS.format(0x13))
    await scene.radio.fault("deaf", adapter="hci0")
    found = await scene.over_proxy()
    assert "hci0" in found["route"]["reason"]
    await scene.begin_anew("hci0")


async def adapter_dies(scene: Routes) -> None:
    """It is unplugged: the proxy takes over at once, as Home Assistant knows it."""
    await scene.over_adapter()
    await scene.radio.do("unplug", adapter="hci0")
    await scene.over_proxy()
    assert await scene.state(STATUS) == "connected"


async def proxy_is_left_by_step_2(scene: Routes) -> None:
    """Of a recovery: the adapter is taken, and kept, without waiting for two polls that fail."""
    await scene.hass.set_options(
        await scene.entry_id(), LASTING | {"update_interval": 110}
    )  # no poll finds it by itself meanwhile
    await scene.begin_anew("proxy0")
    entry = {"config_entry_id": await scene.entry_id()}

    async def left() -> bool:
        await scene.radio.clear()
        await scene.settle_on(PROXY_ADDRESS.format(0))
        await scene.radio.fault("deaf", adapter="proxy0")
        step = (await scene.hass.act("force_reconnect", **entry))["step"]
        if step == 1:
            return False  # Home Assistant heard the device best by the adapter just then
        assert step == 2
        return True

    await scene.hass.wait_for("step 2 leaving the proxy", left, 3 * LONG)
    health = await scene.health()
    assert health["route"]["scanner"] == ADAPTER_ADDRESS.format(0x13)
    scanners = {item["name"].split()[0]: item for item in health["scanners"]}
    assert scanners["proxy0"]["cooldown"] > 1700
    await scene.hass.set_options(await scene.entry_id(), LASTING)
    await scene.begin_anew("hci0")


async def unit_is_found_by_step_3(scene: Routes) -> None:
    """The device has another Modbus address: the first two steps ask the old one, the third one searches."""
    entry = {"config_entry_id": await scene.entry_id()}
    await scene.radio.do("unit_id", address=INVERTER_ADDRESS, unit_id=1)
    assert (await scene.hass.act("force_reconnect", **entry))["step"] == 3
    route = (await scene.health())["route"]
    assert (route["kind"], route["scanner"]) == ("in_process", PROXY_ADDRESS.format(0))
    await scene.wait_fresh()
