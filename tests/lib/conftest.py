"""Fixtures of the library's tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from simulator.control import ControlClient

from ..helpers.simulated import disturb, run_simulator


@pytest.fixture(scope="module")
def simulated_bus() -> Iterator[str]:
    """Run a simulated BlueZ without the delays of a real radio."""
    yield from run_simulator("--fast")


@pytest.fixture
async def simulated(
    simulated_bus: str, real_sockets: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ControlClient]:
    """Have this process and its children use the simulated BlueZ."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", simulated_bus)
    async with disturb(simulated_bus) as client:
        yield client
