"""A real bridge, a real Mosquitto, and a real Home Assistant with its own MQTT integration."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
import signal
from typing import Any

import pytest

from custom_components.blupow.lib.blupow_ble.supervisor.schedule import SCHEDULE_KEYS
from custom_components.blupow.setting_entities import SCHEDULE
from simulator.bridge import Bridge, bridge
from simulator.home_assistant import HomeAssistant, HomeAssistantError, free_port, home_assistant
from simulator.mosquitto import Mosquitto
from simulator.process import simulator

from ..helpers.mqtt import listening
from .scene import FORBIDDEN_IN_LOG, OPTIONS

FAMILIES = ("inverter", "controller", "dcdc", "battery", "shunt")
DEVICES = tuple(
    {
        "name": f"My {family}",
        "virtual": True,
        "profile": family,
        "allow_changes": True,
        "update_interval": 10,
    }
    for family in FAMILIES
)
NOT_BY_MQTT = {"Data age", "Route"}
"""What no message could keep up with, and what is always the same on a bridge."""
ENABLED_BY_HAND = {("My inverter", "Output priority"), ("My inverter", "Beeper")}
ONLY_BY_MQTT = {"Change of settings", "Connectivity"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Return a broker that runs, and keeps what is retained."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    found = Mosquitto(folder, options=["persistence true", f"persistence_location {folder}/"])
    found.start()
    yield found
    found.stop()


type Key = tuple[str, str, str]
"""The kind of an entity, the name of its device, and its own."""


async def entities(hass: HomeAssistant, platform: str) -> dict[Key, dict[str, Any]]:
    """Return the entities of an integration."""
    devices = {
        device["id"]: device["name"] for device in await hass.call("config/device_registry/list")
    }
    found = {}
    for entry in await hass.call("config/entity_registry/list"):
        if entry["platform"] == platform:
            kind = entry["entity_id"].partition(".")[0]
            found[kind, devices[entry["device_id"]], entry["original_name"]] = entry
    return found


async def state(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return a state; None if there is none."""
    found = (await hass.states()).get(entity_id)
    return None if found is None else found["state"]


async def wait_state(hass: HomeAssistant, entity_id: str, wanted: str | None) -> None:
    """Wait for a state."""

    async def look() -> bool:
        return await state(hass, entity_id) == wanted

    await hass.wait_for(f"{entity_id} {wanted}", look, 90)


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether two states say the same, in units that may differ by a factor of a thousand."""
    if ours["state"] == theirs["state"]:
        return True
    try:
        first, second = float(ours["state"]), float(theirs["state"])
    except ValueError:
        return False
    units = (
        ours["attributes"].get("unit_of_measurement"),
        theirs["attributes"].get("unit_of_measurement"),
    )
    factor = 1000 if units == ("kWh", "Wh") else 1
    return abs(first * factor - second) <= 0.02 * factor * max(1.0, abs(second) / factor)


async def check_parity(hass: HomeAssistant, running: Bridge) -> None:
    """Each entity that BluPow's own integration has of the same devices is there by MQTT too, as it is."""
    where = {"host": "127.0.0.1", "port": running.port, "ssl": False, "verify_ssl": True}
    flow = await hass.post("/api/config/config_entries/flow", {"handler": "blupow"})
    await hass.answer_flow(flow["flow_id"], {"next_step_id": "bridge"})
    result = await hass.answer_flow(flow["flow_id"], where | {"token": running.token})
    assert result["type"] == "create_entry"
    await hass.set_options(result["result"]["entry_id"], OPTIONS | {"allow_changes": True})

    async def settled() -> bool:
        """Whether what appears with the second reading has appeared."""
        states = await hass.states()
        worst = [
            states.get(entry["entity_id"], {}).get("state")
            for (_, _, name), entry in (await entities(hass, "blupow")).items()
            if name == "Worst fault"
        ]
        return worst == ["none"] * (len(FAMILIES) - 1)

    await hass.wait_for("the entities of BluPow", settled, 60)
    ours: dict[Key, dict[str, Any]] = {}
    theirs: dict[Key, dict[str, Any]] = {}

    async def all_described() -> bool:
        """Whether both have seen what the devices send, each with its next reading."""
        nonlocal ours, theirs
        ours = {
            key: entry
            for key, entry in (await entities(hass, "blupow")).items()
            if key[2] not in NOT_BY_MQTT and not is_of_schedule(entry)
        }
        theirs = {
            key: entry
            for key, entry in (await entities(hass, "mqtt")).items()
            if key[2] not in ONLY_BY_MQTT
        }
        return set(ours) == set(theirs)

    with suppress(HomeAssistantError):  # what differs is shown
        await hass.wait_for("the same entities", all_described, 40)
    assert (set(ours) - set(theirs), set(theirs) - set(ours)) == (set(), set())
    assert len(ours) > 250
    states = await hass.states()
    for key, entry in ours.items():
        other = theirs[key]
        assert entry["entity_category"] == other["entity_category"], key
        if key[1:] not in ENABLED_BY_HAND:
            assert entry["disabled_by"] == other["disabled_by"], key
        if entry["disabled_by"] is not None:
            continue
        mine, its = states[entry["entity_id"]], states[other["entity_id"]]
        for attribute in ("device_class", "state_class", "options", "min", "max", "step", "mode"):
            assert mine["attributes"].get(attribute) == its["attributes"].get(attribute), key
        if not key[2].startswith(("Average", "Last", "Connection", "Reconnect")):
            assert same(mine, its), (key, mine["state"], its["state"])


def is_of_schedule(entry: dict[str, Any]) -> bool:
    """Whether an entity is of a schedule, which Home Assistant carries out."""
    return entry["unique_id"].partition("setting_")[2] in (*SCHEDULE_KEYS, SCHEDULE)


@pytest.mark.usefixtures("real_sockets")
async def test_home_assistants_mqtt_integration(tmp_path: Path, broker: Mosquitto) -> None:
    """All entities of all families; controls; last will; restarts of both; devices that are removed."""
    mqtt = {"host": "127.0.0.1", "port": broker.port, "keepalive": 5}
    port = free_port()
    async with (
        simulator(tmp_path / "bus") as simulated,
        bridge(
            tmp_path / "bridge", DEVICES, bus_address=simulated.bus_address, mqtt=mqtt
        ) as running,
    ):
        bus = simulated.bus_address
        async with home_assistant(tmp_path / "config", bus, port, adapters=[]) as hass:
            entry = await hass.add(
                "mqtt",
                broker="127.0.0.1",
                port=broker.port,
                other_settings={"set_client_cert": False, "set_ca_cert": "off"},
            )
            voltage = "sensor.my_inverter_battery_voltage"

            async def known() -> bool:
                return (await state(hass, voltage)) not in (None, "unknown", "unavailable")

            await hass.wait_for("a value by MQTT", known, 60)
            devices = {
                item["name"]: item for item in await hass.call("config/device_registry/list")
            }
            assert devices["My inverter"]["model"] == "RIV1230RCH-SPS"
            assert devices["My inverter"]["via_device_id"] == devices["Van"]["id"]

            # what nobody has confirmed is disabled until the user asks for it
            select, switch = "select.my_inverter_output_priority", "switch.my_inverter_beeper"

            async def described() -> bool:
                known = await entities(hass, "mqtt")
                return ("select", "My inverter", "Output priority") in known

            await hass.wait_for("the settings", described, 60)
            assert await state(hass, select) is None
            for entity_id in (select, switch):
                await hass.call(
                    "config/entity_registry/update", entity_id=entity_id, disabled_by=None
                )
            await hass.reload(entry["result"]["entry_id"])

            # controls: each is written, read back, and shown
            for domain, service, entity_id, data, wanted in (
                ("select", "select_option", select, {"option": "grid_first"}, "grid_first"),
                ("switch", "turn_off", switch, {}, "off"),
                ("number", "set_value", "number.my_inverter_charge_current", {"value": 50}, "50"),
            ):
                target = {"entity_id": entity_id}

                async def offered(entity_id: str = entity_id) -> bool:
                    return await state(hass, entity_id) not in (None, "unavailable", "unknown")

                await hass.wait_for(f"{entity_id} to be offered", offered, 30)
                await hass.call(
                    "call_service", domain=domain, service=service, service_data=data, target=target
                )

                async def changed(entity_id: str = entity_id, wanted: str = wanted) -> bool:
                    found = await state(hass, entity_id)
                    return found in (wanted, f"{wanted}.0")

                await hass.wait_for(f"{entity_id} {wanted}", changed, 30)
            results = await hass.states()
            (event,) = [
                item
                for key, item in results.items()
                if key.startswith("event.my_inverter_change_of_settings")
            ]
            assert event["attributes"]["event_type"] == "written"

            # the last will, and back
            assert await running.stop(signal.SIGKILL) == -signal.SIGKILL
            await wait_state(hass, voltage, "unavailable")
            await wait_state(hass, "binary_sensor.van_connectivity", "off")
            await running.start()
            await hass.wait_for("the value again", known, 60)
            await wait_state(hass, "binary_sensor.van_connectivity", "on")
            await wait_state(hass, select, "battery_first")  # a virtual device forgets

            await check_parity(hass, running)
            assert await hass.stop() == 0
            check_log(hass)

        # Home Assistant starts again: it is described everything again, and keeps its entities
        async with (
            listening(broker.port, "homeassistant/#") as listener,
            home_assistant(tmp_path / "config", bus, port, adapters=[]) as hass,
        ):
            topic = (
                f"homeassistant/device/blupow_{await bridge_id(running)}_virtual_inverter/config"
            )
            await hass.wait_for("a value by MQTT", known, 60)
            await listener.until(
                lambda: sum(name == topic for name, _ in listener.messages) >= 2, 60
            )
            assert await state(hass, select) == "battery_first"

            # a device that is removed takes its entities with it
            running.configure(DEVICES[1:])
            await wait_state(hass, voltage, None)

            async def gone() -> bool:
                found = await hass.call("config/device_registry/list")
                return "My inverter" not in {item["name"] for item in found}

            await hass.wait_for("no device that was removed", gone, 30)
            assert await state(hass, "sensor.my_battery_battery_voltage") is not None
            assert await hass.stop() == 0
            check_log(hass)
        assert await running.stop() == 0
        assert "Traceback" not in running.log.read_text()


async def bridge_id(running: Bridge) -> str:
    """Return what a bridge is known by."""
    found: str = (await running.get("/api/v1/stats"))["id"]
    return found


def check_log(hass: HomeAssistant) -> None:
    """Nothing that Home Assistant has logged is about what the bridge sends."""
    text = hass.log.read_text()
    for forbidden in (*FORBIDDEN_IN_LOG, "a fault of BluPow itself"):
        assert forbidden not in text
    complaints = [
        line
        for line in text.splitlines()
        if "components.mqtt" in line
        # Home Assistant's own echo of a discovery that it has cleared
        and "No device components to cleanup" not in line
        and (" WARNING " in line or " ERROR " in line)
    ]
    assert complaints == []
