"""Recoveries, end to end: each step heals the fault that is made for it, and what none heals is reported."""

import os
from pathlib import Path
import signal
from typing import Any

import pytest

from simulator.__main__ import ADAPTER_ADDRESS
from simulator.control import control
from simulator.home_assistant import HomeAssistantError, free_port, home_assistant
from simulator.process import simulator

from ..helpers.processes import readers_on
from ..helpers.simulated import INVERTER_NAME, INVERTER_PATH, leave_a_link
from .scene import (
    GRACE,
    INTERVAL,
    OPTIONS,
    PROBLEM,
    STATUS,
    VOLTAGE,
    Scene,
    check_log,
    discovered_and_added,
    one_reader,
)

WATCHFUL = OPTIONS | {
    "heartbeat_interval": 10,
    "stale_age": 20,
    "stale_checks": 1,
    "recovery_limit": 1,
}
OTHER_PATH = INVERTER_PATH.replace("hci0", "hci1")
SOON = 90
"""Seconds within which a recovery has ended: stale age, heartbeat, three steps."""


class Patient(Scene):
    """A device that falls ill and recovers."""

    async def recovery(self) -> dict[str, Any]:
        """Return what the next recovery of the watchdog tells of itself."""

        async def look() -> dict[str, Any] | None:
            await self.hass.states()  # events come along with answers
            for event in self.hass.events:
                if event["event_type"] == "blupow_recovery":
                    self.hass.events.remove(event)
                    if event["data"]["trigger"] == "watchdog":
                        data: dict[str, Any] = event["data"]
                        return data
            return None

        reported: dict[str, Any] = await self.hass.wait_for("the end of a recovery", look, SOON)
        return reported

    async def healthy(self, options: dict[str, Any]) -> None:
        """Begin a scene with a device that is read."""
        await self.radio.clear()
        before = await self.last_reading()
        await self.hass.set_options(await self.entry_id(), options)
        await self.wait_fresh(since=before)
        await self.settle()
        await self.wait_nothing_left()
        assert await self.state(STATUS) == "connected"
        self.hass.events.clear()

    async def repairs(self) -> set[str]:
        """Return the repairs that are shown."""
        issues = (await self.hass.call("repairs/list_issues"))["issues"]
        return {issue["translation_key"] for issue in issues if issue["domain"] == "blupow"}


@pytest.mark.usefixtures("real_sockets")
async def test_recoveries(tmp_path: Path) -> None:
    """A stuck child, a stale link, a deaf adapter, a stale object; then a phone that holds the device."""
    async with (
        simulator(tmp_path / "bus", "--adapters", "2") as devices,
        control(devices.bus_address) as radio,
        home_assistant(
            tmp_path / "config",
            devices.bus_address,
            free_port(),
            adapters=[ADAPTER_ADDRESS.format(0x13), ADAPTER_ADDRESS.format(0x14)],
        ) as hass,
    ):
        scene = Patient(hass, radio, devices.bus_address)
        await discovered_and_added(scene)
        for event in ("connection_lost", "connection_restored", "recovery"):
            await hass.call("subscribe_events", event_type=f"blupow_{event}")
        await stuck_child(scene)
        await stale_link(scene)
        await deaf_adapter(scene)
        await stale_object(scene)
        await held_by_a_phone(scene)
        assert await hass.stop() == 0
        assert readers_on(devices.bus_address) == []
        assert await radio.links() == []
        lines = check_log(hass.log.read_text(), most_lines=60)
        assert sum("step 1 brought a fresh reading" in line for line in lines) >= 2
        assert sum("step 2 brought a fresh reading" in line for line in lines) == 1
        assert sum("step 3 brought a fresh reading" in line for line in lines) == 1


async def stuck_child(scene: Patient) -> None:
    """A reader that hangs for good is ended long before its own deadline of 83 s; step 1."""
    await scene.healthy(WATCHFUL | {"connect_timeout": 60})
    await scene.radio.fault("slow", seconds=3, times=1)
    pid = await scene.hass.wait_for("a reader process", lambda: one_reader(scene), 30)
    os.kill(pid, signal.SIGSTOP)
    reported = await scene.recovery()
    assert (reported["worked"], reported["step"], reported["problem"]) == (True, 1, None)
    assert pid not in readers_on(scene.bus_address)
    await scene.wait_state(STATUS, "connected", INTERVAL)


async def stale_link(scene: Patient) -> None:
    """A killed client of another adapter has left its link, which keeps the device; step 1.

    Read by a process of its own the device would not even be missed: that one takes the link over.
    """
    await scene.healthy(WATCHFUL | {"route": "in_process"})
    await scene.wait_fresh()
    await scene.wait_nothing_left()
    await leave_a_link(scene.bus_address, OTHER_PATH)
    assert await scene.radio.links() == [OTHER_PATH]
    reported = await scene.recovery()
    assert (reported["worked"], reported["step"], reported["problem"]) == (
        True,
        1,
        "connect_timeout",
    )
    await scene.wait_state(STATUS, "connected", INTERVAL)


async def deaf_adapter(scene: Patient) -> None:
    """The adapter that hears best does not connect any more: the other one is taken, and kept; step 2."""
    # what was learned of the scanners goes with the reload
    await scene.hass.reload(await scene.entry_id())
    # polls are rare: of two that fail in a row, the second would find the other adapter by itself
    await scene.healthy(OPTIONS | {"update_interval": 60, "cache_time": 120, "grace_time": 120})
    entry = {"config_entry_id": await scene.entry_id()}

    async def taken() -> bool:
        await scene.hass.act("force_reconnect", **entry)
        route = (await scene.hass.act("health_check", **entry))["route"]
        return bool(route["adapter"] == "hci0")

    # between two readings it is heard: a device that is connected does not advertise
    await scene.hass.wait_for("a reading over the nearer adapter", taken, 90, pause=5)
    await scene.radio.fault("deaf", adapter="hci0")
    assert (await scene.hass.act("force_reconnect", **entry))["step"] == 2
    health = await scene.hass.act("health_check", **entry)
    assert health["route"]["adapter"] == "hci1"
    # which of the two Home Assistant hears best after the scan of step 2 is chance
    scanners = {item["name"].split()[0]: item for item in health["scanners"]}
    assert scanners["hci0"]["cooldown"] > 1700
    await scene.wait_fresh(70)
    route = (await scene.hass.act("health_check", **entry))["route"]
    assert route["adapter"] == "hci1"


async def stale_object(scene: Patient) -> None:
    """What BlueZ knows of the device is stale: it forgets it and hears it anew; step 3.

    As with the real one, Home Assistant hears the device before BlueZ has made its object.
    """
    await scene.healthy(WATCHFUL)
    await scene.radio.do("late_objects", seconds=4)
    await scene.radio.fault("stale_object")
    reported = await scene.recovery()
    assert (reported["worked"], reported["step"], reported["problem"]) == (
        True,
        3,
        "connect_failed",
    )
    await scene.radio.do("late_objects", seconds=0)
    await scene.wait_state(STATUS, "connected", INTERVAL)


async def held_by_a_phone(scene: Patient) -> None:
    """No step helps: slow retries and a repair; when the phone is gone, fresh by the next advertisement."""
    await scene.healthy(WATCHFUL)
    entry = {"config_entry_id": await scene.entry_id()}
    await scene.radio.fault("held")
    reported = await scene.recovery()
    assert (reported["worked"], reported["step"]) == (False, None)
    assert await scene.repairs() >= {"recovery_given_up"}
    health = await scene.hass.act("health_check", **entry)
    assert health["recovery"]["given_up"]
    assert health["recovery"]["failed_in_a_row"] == 1
    assert health["recovery"]["next"]
    assert health["what_to_do"].startswith(f"{INVERTER_NAME}: ")
    with pytest.raises(HomeAssistantError, match=r"no connection was made in time|not heard"):
        await scene.hass.act("force_reconnect", **entry)
    await scene.wait_state(VOLTAGE, "unavailable", GRACE + INTERVAL)
    assert [event["event_type"] for event in scene.hass.events] == [
        "blupow_connection_lost",
        "blupow_recovery",
    ] or [event["event_type"] for event in scene.hass.events] == [
        "blupow_recovery",
        "blupow_connection_lost",
    ]
    scene.hass.events.clear()
    await scene.radio.clear()
    await scene.wait_state(STATUS, "connected", INTERVAL + 10)
    assert await scene.state(PROBLEM) == "none"
    assert await scene.repairs() == set()
    assert [event["event_type"] for event in scene.hass.events] == ["blupow_connection_restored"]
    health = await scene.hass.act("health_check", **entry)
    assert health["recovery"]["next"] is None
    assert not health["recovery"]["given_up"]
    await scene.wait_nothing_left()
