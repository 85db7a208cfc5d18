"""What is asked of BlueZ directly, on the simulated one."""

import asyncio

import pytest

from custom_components.blupow.lib.blupow_ble.reader import bluez
from simulator.control import ControlClient

from ...helpers.simulated import INVERTER_ADDRESS, INVERTER_PATH, leave_a_link


async def test_leftover_link_is_found_and_ended(
    simulated: ControlClient, simulated_bus: str
) -> None:
    """A dead client's link stays; it is seen, and released by its path."""
    assert await bluez.connected_object_paths(INVERTER_ADDRESS) == []
    assert await bluez.release(INVERTER_ADDRESS) == []
    await leave_a_link(simulated_bus)
    assert await simulated.links() == [INVERTER_PATH]
    assert await bluez.connected_object_paths(INVERTER_ADDRESS.lower()) == [INVERTER_PATH]
    assert await bluez.release(INVERTER_ADDRESS) == [INVERTER_PATH]
    assert await simulated.links() == []


async def test_adapter_of_a_path(simulated: ControlClient) -> None:
    """It is there until it is unplugged."""
    assert await bluez.has_adapter(INVERTER_PATH)
    await simulated.fault("adapter_gone")
    assert not await bluez.has_adapter(INVERTER_PATH)


async def test_bluez_that_does_not_run(simulated: ControlClient) -> None:
    """A bus without bluetoothd answers with an error: nothing is connected."""
    restarting = asyncio.create_task(simulated.do("restart", down=1.0))
    await asyncio.sleep(0)
    while await bluez.has_adapter(INVERTER_PATH):
        await asyncio.sleep(0.01)
    assert await bluez.connected_object_paths(INVERTER_ADDRESS) == []
    assert await bluez.remove(INVERTER_ADDRESS) == []
    await restarting
    assert await bluez.has_adapter(INVERTER_PATH)


async def test_device_is_forgotten_and_found_again(
    simulated: ControlClient, simulated_bus: str
) -> None:
    """With its link; the next advertisement that is heard makes a new object."""
    await leave_a_link(simulated_bus)
    assert INVERTER_PATH in (await simulated.state())["known"]
    assert await bluez.remove(INVERTER_ADDRESS) == [INVERTER_PATH]
    assert await simulated.links() == []
    assert INVERTER_PATH not in (await simulated.state())["known"]
    assert await bluez.remove(INVERTER_ADDRESS) == []
    await leave_a_link(simulated_bus)
    assert await simulated.links() == [INVERTER_PATH]


async def test_machine_without_bluez(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known, which is something else than that nothing is there."""
    monkeypatch.setattr(bluez, "available", lambda: False)
    assert await bluez.known_object_paths(INVERTER_ADDRESS) is None
    assert await bluez.connected_object_paths(INVERTER_ADDRESS) == []
