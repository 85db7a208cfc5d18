"""What the steps of a recovery do, on the simulated BlueZ."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
import time
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from custom_components.blupow.bluetooth import recovery
from custom_components.blupow.bluetooth.recovery import (
    close_links,
    is_connectable,
    look_again,
    rediscover,
)
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.reader import bluez, link_claim
from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant
from simulator.control import ControlClient

from ..helpers.bluetooth import hear, service_info
from ..helpers.simulated import (
    INVERTER_ADDRESS,
    INVERTER_PATH,
    disturb,
    leave_a_link,
    run_simulator,
    scanning,
)


@pytest.fixture(scope="module")
def simulated_bus() -> Iterator[str]:
    """Run a simulated BlueZ without the delays of a real radio."""
    yield from run_simulator("--fast")


@pytest.fixture
async def simulated(
    hass: HomeAssistant,
    enable_bluetooth: None,
    simulated_bus: str,
    real_sockets: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[ControlClient]:
    """Have BlueZ know the inverter, by a link that a dead program has left."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", simulated_bus)
    async with disturb(simulated_bus) as client:
        await leave_a_link(simulated_bus)
        assert await client.links() == [INVERTER_PATH]
        yield client


async def held_by_home_assistant(hass: HomeAssistant) -> list[str]:
    """Close links while Home Assistant counts one to the device as its own."""
    scanner = SimpleNamespace(
        name="Proxy", get_allocations=lambda: SimpleNamespace(allocated=[INVERTER_ADDRESS])
    )
    with patch.object(bluetooth, "async_current_scanners", return_value=[scanner]):
        return await close_links(hass, INVERTER_ADDRESS)


async def test_leftover_link_is_closed(
    hass: HomeAssistant, simulated: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the device is waited for until it is heard; a device without one is not waited for."""
    closing = asyncio.create_task(close_links(hass, INVERTER_ADDRESS))
    while await simulated.links():
        await asyncio.sleep(0.01)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not closing.done()
    hear(hass, service_info())
    assert await closing == [INVERTER_PATH]
    monkeypatch.setattr(recovery, "CONNECTABLE_LIMIT", 3600)
    assert await close_links(hass, INVERTER_ADDRESS) == []


async def test_link_of_another_integration_is_not_closed(
    hass: HomeAssistant, simulated: ControlClient
) -> None:
    """It is no leftover: who holds it is reported by name."""
    with pytest.raises(ReaderError, match="Proxy holds a connection") as caught:
        await held_by_home_assistant(hass)
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
    assert await simulated.links() == [INVERTER_PATH]


async def test_device_is_forgotten_and_heard_anew(
    hass: HomeAssistant, simulated: ControlClient, simulated_bus: str
) -> None:
    """With its object goes its link; an advertisement ends the wait."""
    forgetting = asyncio.create_task(rediscover(hass, INVERTER_ADDRESS))
    while INVERTER_PATH in (await simulated.state())["known"]:
        await asyncio.sleep(0.01)
    assert await simulated.links() == []
    assert not forgetting.done()
    hear(hass, service_info())
    async with scanning(simulated_bus):
        assert await forgetting == [INVERTER_PATH]
        assert await is_connectable(hass, INVERTER_ADDRESS)


async def test_device_that_is_not_heard_is_waited_for_only_so_long(
    hass: HomeAssistant, simulated: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading that follows tells that it is not there."""
    monkeypatch.setattr(recovery, "CONNECTABLE_LIMIT", 0.05)
    before = len(asyncio.all_tasks())
    assert await rediscover(hass, INVERTER_ADDRESS) == [INVERTER_PATH]
    assert len(asyncio.all_tasks()) == before


async def test_wait_that_is_cancelled(hass: HomeAssistant, simulated: ControlClient) -> None:
    """No scan goes on, and nobody listens any more."""
    before = len(asyncio.all_tasks())
    forgetting = asyncio.create_task(rediscover(hass, INVERTER_ADDRESS))
    while INVERTER_PATH in (await simulated.state())["known"]:
        await asyncio.sleep(0.01)
    forgetting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forgetting
    assert len(asyncio.all_tasks()) == before


async def test_link_of_another_program_is_not_closed(
    hass: HomeAssistant, simulated: ControlClient
) -> None:
    """Nor is the device forgotten under it."""
    link_claim.forget(INVERTER_ADDRESS)
    for step in (close_links, rediscover):
        with pytest.raises(ReaderError, match="another program of this machine") as caught:
            await step(hass, INVERTER_ADDRESS)
        assert caught.value.code is ErrorCode.HELD_BY_OTHER
    assert await simulated.links() == [INVERTER_PATH]


@pytest.mark.parametrize("step", [close_links, rediscover])
async def test_bus_that_does_not_answer(
    hass: HomeAssistant,
    simulated: ControlClient,
    simulated_bus: str,
    monkeypatch: pytest.MonkeyPatch,
    step: Callable[[HomeAssistant, str], Awaitable[list[str]]],
) -> None:
    """A link that could not be ended stays ours, so that the next step may end it."""
    monkeypatch.setattr(recovery, "CONNECTABLE_LIMIT", 0.05)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
    assert await step(hass, INVERTER_ADDRESS) == []
    assert link_claim.left_by_us(INVERTER_ADDRESS)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", simulated_bus)
    assert await close_links(hass, INVERTER_ADDRESS) == [INVERTER_PATH]


async def test_object_that_comes_late(
    hass: HomeAssistant, simulated: ControlClient, simulated_bus: str
) -> None:
    """Heard at once, by the kernel; it is waited for until BlueZ has an object to connect to."""
    await simulated.do("late_objects", seconds=1.0)
    forgetting = asyncio.create_task(rediscover(hass, INVERTER_ADDRESS))
    while INVERTER_PATH in (await simulated.state())["known"]:
        await asyncio.sleep(0.01)
    hear(hass, service_info())
    assert not await is_connectable(hass, INVERTER_ADDRESS)
    async with scanning(simulated_bus):
        assert await forgetting == [INVERTER_PATH]
        assert await bluez.known_object_paths(INVERTER_ADDRESS) == [INVERTER_PATH]
    await simulated.do("late_objects", seconds=0)


async def test_active_scan_is_home_assistants(
    hass: HomeAssistant, enable_bluetooth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No scanner of our own beside it; and one scan in some minutes, for all devices together."""
    monkeypatch.setattr(recovery, "CONNECTABLE_LIMIT", 0)
    with patch.object(bluetooth, "async_request_active_scan") as scan:
        await look_again(hass, INVERTER_ADDRESS)
        await look_again(hass, "C4:D3:6A:00:00:36")
    scan.assert_awaited_once_with(hass, 10.0)
    monkeypatch.setitem(hass.data, recovery._LAST_SCAN, time.monotonic() - 301)
    with patch.object(bluetooth, "async_request_active_scan") as scan:
        await look_again(hass, INVERTER_ADDRESS)
    scan.assert_awaited_once_with(hass, 10.0)


@pytest.mark.parametrize("step", [look_again, rediscover])
async def test_scan_outlasts_the_step_that_asked_for_it(
    hass: HomeAssistant,
    simulated: ControlClient,
    step: Callable[[HomeAssistant, str], Awaitable[object]],
) -> None:
    """Home Assistant's scanner would stay stopped if its scan were cut off; who comes meanwhile shares it."""
    begun, ended, cut_off = asyncio.Event(), asyncio.Event(), []

    async def scan(*_: object) -> None:
        begun.set()
        try:
            await ended.wait()
        except asyncio.CancelledError:
            cut_off.append(True)
            raise

    with patch.object(bluetooth, "async_request_active_scan", side_effect=scan) as asked:
        waiting = asyncio.ensure_future(step(hass, INVERTER_ADDRESS))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        another = asyncio.ensure_future(look_again(hass, INVERTER_ADDRESS))
        await asyncio.sleep(0)
        hear(hass, service_info())
        assert not another.done()
        ended.set()
        await asyncio.wait((another,), timeout=0)
        await hass.async_block_till_done(wait_background_tasks=True)
        another.cancel()
    assert cut_off == []
    assert asked.call_count == 1


async def test_no_scan_for_a_device_that_can_be_connected_to(
    hass: HomeAssistant, simulated: ControlClient
) -> None:
    """A scan makes Home Assistant's scanners begin anew, and forget whom they have heard."""
    hear(hass, service_info())
    with patch.object(bluetooth, "async_request_active_scan") as scan:
        assert await close_links(hass, INVERTER_ADDRESS) == [INVERTER_PATH]
    scan.assert_not_called()


async def test_scanner_that_a_scan_has_stopped(
    hass: HomeAssistant, enable_bluetooth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started again, by Home Assistant."""
    monkeypatch.setattr(recovery, "CONNECTABLE_LIMIT", 0)
    scanner = SimpleNamespace(source="00:00:00:00:00:01", name="hci0", scanning=True)

    async def scan(*_: object) -> None:
        scanner.scanning = False

    with (
        patch.object(bluetooth, "async_current_scanners", return_value=[scanner]),
        patch.object(bluetooth, "async_request_active_scan", scan),
        patch.object(hass.config_entries, "async_schedule_reload") as reload,
    ):
        await look_again(hass, INVERTER_ADDRESS)
    entry = hass.config_entries.async_entry_for_domain_unique_id("bluetooth", scanner.source)
    reload.assert_called_once_with(entry.entry_id)
