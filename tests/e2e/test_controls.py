"""Controls, end to end: real Home Assistant, real reader processes, a simulated RIV4835CSH1S."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.__main__ import ADAPTER_ADDRESS
from simulator.control import ControlClient, control
from simulator.home_assistant import HomeAssistant, HomeAssistantError, free_port, home_assistant
from simulator.process import simulator

from .scene import OPTIONS, check_log

ADDRESS = "C4:D3:6A:66:00:07"
CURRENT = "number.{}_ac_charge_current"
PRIORITY = "select.{}_output_priority"


class Device:
    """The inverter, as Home Assistant shows it and as it is."""

    def __init__(self, hass: HomeAssistant, radio: ControlClient, name: str) -> None:
        """Begin."""
        self.hass, self.radio, self.name = hass, radio, name

    async def state(self, entity: str) -> str | None:
        """Return a state; None where there is no such entity."""
        found = (await self.hass.states()).get(entity.format(self.name))
        return None if found is None else found["state"]

    async def wait(self, entity: str, wanted: str, limit: float = 60) -> None:
        """Wait for a state."""

        async def look() -> bool:
            return await self.state(entity) == wanted

        await self.hass.wait_for(f"{entity} {wanted}", look, limit)

    async def do(self, entity: str, action: str, **data: Any) -> None:
        """Do something with an entity, as the frontend does."""
        domain, _, _ = entity.partition(".")
        await self.hass.call(
            "call_service",
            domain=domain,
            service=action,
            target={"entity_id": entity.format(self.name)},
            service_data=data,
        )

    async def radio_state(self) -> dict[str, Any]:
        """Return what the simulated radio knows of it."""
        found: dict[str, Any] = (await self.radio.state())["devices"][ADDRESS]
        return found


@pytest.mark.usefixtures("real_sockets")
async def test_controls(tmp_path: Path) -> None:
    """Allowed, changed and confirmed, refused with the reason; a window over a restart."""
    async with (
        simulator(tmp_path / "bus", "--inverters", "0", "--also", "riv4835") as devices,
        control(devices.bus_address) as radio,
    ):

        def start() -> Any:
            return home_assistant(
                tmp_path / "config",
                devices.bus_address,
                free_port(),
                adapters=[ADAPTER_ADDRESS.format(0x13)],
            )

        async with start() as hass:
            flow = await hass.discovered(name="RNGRIU")
            result = await hass.answer_flow(flow["flow_id"], {})
            assert result["type"] == "create_entry"
            device = Device(hass, radio, result["title"].lower())
            await nothing_before_it_is_allowed(device)
            (entry,) = await hass.call("config_entries/get", domain="blupow")
            await hass.set_options(
                entry["entry_id"], OPTIONS | {"allow_changes": True, "source_dwell": 60}
            )
            await changed_and_confirmed(device)
            await not_kept_and_refused(device)
            await a_window_begins(device)
            assert await hass.stop() == 0
            log = hass.log.read_text()
        async with start() as hass:
            await a_window_ends(Device(hass, radio, device.name))
            assert await hass.stop() == 0
        assert await radio.links() == []
        lines = check_log(log.replace(" WARNING ", " INFO "), most_lines=40)
        assert "[write] " in "\n".join(lines)
        assert len([line for line in lines if line.startswith("[write]")]) == 6


async def nothing_before_it_is_allowed(device: Device) -> None:
    """There is no control, and the actions say what to do."""
    await device.wait("sensor.{}_connection_status", "connected")
    assert await device.state(CURRENT) is None
    registry = await device.hass.call("config/device_registry/list")
    (found,) = [item for item in registry if item["name"].lower() == device.name]
    with pytest.raises(HomeAssistantError, match="Turn on Allow changes"):
        await device.hass.call(
            "call_service",
            domain="blupow",
            service="set_output_priority",
            service_data={"device_id": found["id"], "priority": "grid_first"},
        )


async def changed_and_confirmed(device: Device) -> None:
    """Over one connection, by one write."""
    await device.wait(CURRENT, "10.0")
    before = (await device.radio_state())["counts"]["links"]
    await device.do(CURRENT, "set_value", value=25)
    assert await device.state(CURRENT) == "25.0"
    seen = await device.radio_state()
    assert seen["writes"] == [[0xE205, [250]]]
    assert seen["counts"]["links"] - before <= 2  # a poll may have come between


async def not_kept_and_refused(device: Device) -> None:
    """The reason is said in words, and the entity shows what is."""
    await device.radio.do("writes", habit="forgets")
    with pytest.raises(
        HomeAssistantError, match=r"did not keep 40 for AC charge current\. It is 25"
    ):
        await device.do(CURRENT, "set_value", value=40)
    await device.radio.do("writes", habit="refuses", code=11)
    with pytest.raises(HomeAssistantError, match="no permission"):
        await device.do(CURRENT, "set_value", value=30)
    await device.radio.do("writes", habit="keeps")
    assert await device.state(CURRENT) == "25.0"
    with pytest.raises(HomeAssistantError, match="steps of 5"):
        await device.do(CURRENT, "set_value", value=12)
    assert len((await device.radio_state())["writes"]) == 3


async def a_window_begins(device: Device) -> None:
    """It has begun a minute ago: the source is changed at once."""
    now = datetime.now(UTC)
    begun, ends = now - timedelta(minutes=1), now + timedelta(minutes=2)
    assert await device.state(PRIORITY) == "solar_first"
    await device.do("number.{}_charge_window_current", "set_value", value=40)
    await device.do("time.{}_charge_start_time", "set_value", time=f"{begun:%H:%M}:00")
    await device.do("time.{}_charge_end_time", "set_value", time=f"{ends:%H:%M}:00")
    await device.do("switch.{}_charge_window", "turn_on")
    await device.wait(PRIORITY, "grid_first")
    await device.wait(CURRENT, "40.0")
    await device.wait("sensor.{}_schedule", "charge")
    event = (await device.hass.states())[f"event.{device.name}_schedule"]
    assert event["attributes"]["event_type"] == "charge_started"


async def a_window_ends(device: Device) -> None:
    """After a restart in its middle: what was before is put back."""
    await device.wait(PRIORITY, "solar_first", 240)
    await device.wait(CURRENT, "25.0")
    await device.wait("sensor.{}_schedule", "none")
    assert await device.state("switch.{}_charge_window") == "on"
