"""The isolated reader: a real child per reading, connection locks, nothing left behind."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.blupow.bluetooth.connection_locks import connection_lock
from custom_components.blupow.bluetooth.isolated import IsolatedReader
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.reader import process as process_module
from custom_components.blupow.lib.blupow_ble.reader.plan import FindPlan, ReadPlan, UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.route import virtual_route
from homeassistant.core import HomeAssistant

from ..helpers.processes import children

PLAN = ReadPlan(
    units=(UnitPlan(profile=INVERTER, model=INVERTER.models[0], unit_id=32, blocks=("battery",)),),
    connect_timeout=5.0,
)


KNOWN: set[int] = set()


@pytest.fixture(autouse=True)
def _known_children() -> None:
    """Leave out what other tests have started."""
    KNOWN.clear()
    KNOWN.update(children())


def started() -> set[int]:
    """Return the processes that the test has started, and that are not collected."""
    return children() - KNOWN


async def test_reading(hass: HomeAssistant) -> None:
    """Returned before the child has ended; the connection locks are held until it has."""
    reader = IsolatedReader(hass)
    route = virtual_route()
    _, reading = await reader.read(route, PLAN)
    assert reading.main.model == "RIV1230RCH"
    assert set(reading.main.registers) == {4000, 4327}
    assert connection_lock(hass, route.source).locked()
    assert len(started()) == 1
    await reader.stop()
    assert not connection_lock(hass, route.source).locked()
    assert started() == set()
    await reader.stop()


async def test_registers_by_number(hass: HomeAssistant) -> None:
    """They come as they are, undecoded."""
    reader = IsolatedReader(hass)
    _, reading = await reader.read(
        virtual_route(), replace(PLAN, spans=(Span(start=4109, words=1),))
    )
    assert reading.main.registers == {4109: (32,)}
    assert reading.main.values == {}
    await reader.stop()


async def test_readings_take_turns(hass: HomeAssistant) -> None:
    """Two devices on one adapter never connect at the same time; on two adapters they may."""
    route = virtual_route()
    one, two, other = IsolatedReader(hass), IsolatedReader(hass), IsolatedReader(hass)
    lock = connection_lock(hass, route.source)
    await lock.acquire()
    waiting = [asyncio.create_task(reader.read(route, PLAN)) for reader in (one, two)]
    elsewhere = replace(route, source="hci1", device=replace(route.device, name="other"))
    _, reading = await other.read(elsewhere, PLAN)
    assert reading.main.unit_id == 32
    await other.stop()
    assert started() == set()
    lock.release()
    readings = await asyncio.gather(*waiting)
    assert [reading.main.unit_id for _, reading in readings] == [32, 32]
    for reader in (one, two, other):
        await reader.stop()


async def test_one_reader_for_a_device(hass: HomeAssistant) -> None:
    """Also where two scanners hear it: two clients would hear each other's replies."""
    route = virtual_route()
    lock = connection_lock(hass, route.device.address)
    await lock.acquire()
    readers = [IsolatedReader(hass), IsolatedReader(hass)]
    waiting = [
        asyncio.create_task(reader.read(replace(route, source=source), PLAN))
        for reader, source in zip(readers, ("hci0", "hci1"), strict=True)
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    assert started() == set()
    lock.release()
    await asyncio.gather(*waiting)
    for reader in readers:
        await reader.stop()
    assert not lock.locked()


async def test_next_reading_waits_for_the_last_child(hass: HomeAssistant) -> None:
    """One child at a time for a device."""
    reader = IsolatedReader(hass)
    await reader.read(virtual_route(), PLAN)
    first = started()
    await reader.read(virtual_route(), PLAN)
    assert len(first) == 1
    assert first.isdisjoint(started())
    await reader.stop()


async def test_failed_reading_leaves_nothing(hass: HomeAssistant) -> None:
    """The child is gone and the locks are free once it has ended."""
    reader = IsolatedReader(hass)
    with pytest.raises(ReaderError) as caught:
        await reader.read(
            virtual_route(), replace(PLAN, units=(replace(PLAN.units[0], unit_id=9),))
        )
    assert caught.value.code is ErrorCode.NO_RESPONSE
    await reader.stop()
    assert not connection_lock(hass, virtual_route().source).locked()
    assert started() == set()


@pytest.mark.parametrize("when", ["waiting", "reading"])
async def test_cancelled_reading_leaves_nothing(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """As when an entry is unloaded, or Home Assistant stops, in the middle of it."""
    command = (process_module.child_command()[0], "-c", "import time; time.sleep(60)")
    monkeypatch.setattr(process_module, "child_command", lambda: command)
    reader = IsolatedReader(hass)
    lock = connection_lock(hass, virtual_route().source)
    if when == "waiting":
        await lock.acquire()
    task = asyncio.create_task(reader.read(virtual_route(), PLAN))
    await asyncio.sleep(0)
    if when == "reading":
        while not started():
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await reader.stop()
    if when == "waiting":
        lock.release()
    assert started() == set()
    assert not lock.locked()


@pytest.mark.parametrize("everything", [False, True])
async def test_nothing_is_searched_behind_a_virtual_device(
    hass: HomeAssistant, everything: bool
) -> None:
    """The child refuses, and ends."""
    reader = IsolatedReader(hass)
    plan = FindPlan(connect_timeout=5.0, everything=everything)
    with pytest.raises(ReaderError, match="not looked for") as caught:
        await reader.find(virtual_route(), plan)
    await reader.stop()
    assert caught.value.code is ErrorCode.BAD_REQUEST
