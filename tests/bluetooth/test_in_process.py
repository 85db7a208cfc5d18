"""The in-process reader: Home Assistant's own client and scanners, under the child's timeouts and locks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import bleak_retry_connector
import pytest

from custom_components.blupow.bluetooth import connection_locks, in_process
from custom_components.blupow.bluetooth.connection_locks import connection_lock
from custom_components.blupow.bluetooth.in_process import InProcessReader
from custom_components.blupow.bluetooth.route import find_route
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader import link as link_module, probing
from custom_components.blupow.lib.blupow_ble.reader.plan import FindPlan, ReadPlan, UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.route import Route, RouteKind, virtual_route
from custom_components.blupow.options import RouteChoice
from homeassistant.core import HomeAssistant

from ..helpers.devices import Misbehaving
from ..helpers.proxies import OTHER_PROXY, PROXY, Proxy
from ..helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME

PLAN = ReadPlan(
    units=(UnitPlan(profile=INVERTER, model=INVERTER.models[0], unit_id=32, blocks=("battery",)),),
    connect_timeout=5.0,
)


@pytest.fixture
async def proxy(hass: HomeAssistant, enable_bluetooth: None) -> AsyncIterator[Proxy]:
    """Have a proxy hear the inverter."""
    proxy = Proxy()
    leave = proxy.register(hass)
    proxy.hear()
    yield proxy
    leave()


async def scanner(hass: HomeAssistant) -> Route:
    """Return the route over Home Assistant's Bluetooth."""
    route = await find_route(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    assert route.kind is RouteKind.IN_PROCESS
    return route


async def failure(hass: HomeAssistant, plan: ReadPlan) -> ReaderError:
    """Return why a reading fails, once its link is closed and its locks are released."""
    reader = InProcessReader(hass)
    with pytest.raises(ReaderError) as caught:
        await reader.read(await scanner(hass), plan)
    await reader.stop()
    assert not connection_lock(hass, PROXY).locked()
    return caught.value


async def test_reading(hass: HomeAssistant, proxy: Proxy) -> None:
    """The values need not wait for the disconnect, the connection lock does."""
    route = await scanner(hass)
    reader = InProcessReader(hass)
    taken, reading = await reader.read(route, PLAN)
    assert taken == route
    assert set(reading.main.registers) == {4000, 4327}
    assert connection_lock(hass, PROXY).locked()
    assert proxy.taken == [INVERTER_ADDRESS]
    await reader.read(route, PLAN)
    assert proxy.connects == 2
    await reader.stop()
    assert proxy.taken == []
    assert not connection_lock(hass, PROXY).locked()


async def test_registers_by_number(hass: HomeAssistant, proxy: Proxy) -> None:
    """They come by this route too."""
    reader = InProcessReader(hass)
    plan = replace(PLAN, spans=(Span(start=4109, words=1),))
    _, reading = await reader.read(await scanner(hass), plan)
    assert reading.main.registers == {4109: (32,)}
    await reader.stop()


async def test_chosen_proxy(hass: HomeAssistant, proxy: Proxy) -> None:
    """It is taken although another one hears better: the choice knows more than the signal."""
    route = await scanner(hass)
    other = Proxy(OTHER_PROXY)
    leave = other.register(hass)
    other.hear(rssi=-40)
    reader = InProcessReader(hass)
    taken, _ = await reader.read(route, PLAN)
    await reader.stop()
    assert taken == route
    assert (proxy.connects, other.connects) == (1, 0)
    leave()


async def test_home_assistant_has_the_last_word(
    hass: HomeAssistant, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it connects over another proxy, that one is named as the scanner."""
    route = await scanner(hass)
    other = Proxy(OTHER_PROXY)
    leave = other.register(hass)
    other.hear(rssi=-40)
    theirs = bleak_retry_connector.BleakClientWithServiceCache
    monkeypatch.setattr(in_process, "client_over", lambda *_: theirs)
    reader = InProcessReader(hass)
    taken, _ = await reader.read(route, PLAN)
    await reader.stop()
    assert taken.source == OTHER_PROXY
    assert taken.reason == "Home Assistant connected over proxy 02 (AA:BB:CC:DD:EE:02)"
    assert (proxy.connects, other.connects) == (0, 1)
    leave()


async def test_books_of_home_assistant(hass: HomeAssistant, proxy: Proxy) -> None:
    """Others see that the proxy is busy, and how its connects went."""
    seen: list[int] = []
    route = await scanner(hass)
    proxy.gate = asyncio.Event()
    reader = InProcessReader(hass)
    reading = hass.async_create_task(reader.read(route, PLAN))
    while not proxy.connects:
        await asyncio.sleep(0)
    seen.append(proxy.connections_in_progress())
    proxy.gate.set()
    await reading
    await reader.stop()
    assert [*seen, proxy.connections_in_progress()] == [1, 0]


@pytest.mark.usefixtures("enable_bluetooth")
async def test_proxy_that_leaves_while_a_reading_waits(hass: HomeAssistant) -> None:
    """Nothing is tried, and nobody waits for a timeout."""
    other = Proxy(OTHER_PROXY)
    leave = other.register(hass)
    other.hear()
    route = await find_route(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    lock = connection_lock(hass, OTHER_PROXY)
    await lock.acquire()
    reader = InProcessReader(hass)
    reading = hass.async_create_task(reader.read(route, PLAN))
    await asyncio.sleep(0)
    leave()
    lock.release()
    with pytest.raises(ReaderError) as caught:
        await reading
    await reader.stop()
    assert (caught.value.code, caught.value.stage) == (ErrorCode.NOT_ADVERTISING, Stage.START)
    assert other.connects == 0


@pytest.mark.usefixtures("enable_bluetooth")
async def test_proxy_that_leaves_in_mid_reading(hass: HomeAssistant) -> None:
    """The reading fails as a link that dropped does; nothing is left."""
    other = Proxy(OTHER_PROXY)
    leave = other.register(hass)
    other.hear()
    route = await find_route(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    other.device = Misbehaving(twist=lambda *_: leave())
    reader = InProcessReader(hass)
    with pytest.raises(ReaderError) as caught:
        await reader.read(route, PLAN)
    await reader.stop()
    assert caught.value.code is ErrorCode.CONNECT_FAILED
    assert other.taken == []
    assert not connection_lock(hass, OTHER_PROXY).locked()


async def test_connection_that_is_taken_in_the_last_moment(
    hass: HomeAssistant, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the lock and the connect: reported as what it is."""
    route = await scanner(hass)
    monkeypatch.setattr(connection_locks, "_check_connections", lambda *_: None)
    proxy.taken = ["1", "2", "3"]
    reader = InProcessReader(hass)
    with pytest.raises(ReaderError) as caught:
        await reader.read(route, PLAN)
    await reader.stop()
    assert (caught.value.code, caught.value.stage) == (ErrorCode.NO_SLOT, Stage.START)
    assert caught.value.message == "proxy 01 (AA:BB:CC:DD:EE:01) has no free connection"


@pytest.mark.parametrize("fresh", [True, False])
async def test_services_are_asked_for_anew(
    hass: HomeAssistant, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    """When a recovery wants it; otherwise what is remembered of them saves time."""
    asked: list[bool] = []
    real = link_module.establish_connection

    async def establish_connection(*args: object, use_services_cache: bool, **options: object):
        asked.append(use_services_cache)
        return await real(*args, use_services_cache=use_services_cache, **options)

    monkeypatch.setattr(link_module, "establish_connection", establish_connection)
    reader = InProcessReader(hass)
    await reader.read(await scanner(hass), replace(PLAN, bypass_service_cache=fresh))
    await reader.stop()
    assert asked == [not fresh]


async def test_failed_reading(hass: HomeAssistant, proxy: Proxy) -> None:
    """The link is closed all the same."""
    await InProcessReader(hass).stop()
    plan = replace(PLAN, units=(replace(PLAN.units[0], unit_id=9, blocks=()),))
    assert (await failure(hass, plan)).code is ErrorCode.NO_RESPONSE
    assert proxy.taken == []


async def test_connect_that_fails(
    hass: HomeAssistant, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause is reported; Home Assistant counts it among the proxy's failures."""
    monkeypatch.setattr(link_module, "retry_delay", lambda _: 0.0)
    proxy.error = "the stack is out of order"
    error = await failure(hass, PLAN)
    assert error.code is ErrorCode.CONNECT_FAILED
    assert "the stack is out of order" in error.message
    assert proxy.connects == 2
    assert proxy.connection_failures(INVERTER_ADDRESS) == 2


async def test_connect_that_hangs(hass: HomeAssistant, proxy: Proxy) -> None:
    """The connect timeout holds, not the 20 s that the connector gives each attempt."""
    proxy.gate = asyncio.Event()
    error = await failure(hass, replace(PLAN, connect_timeout=0.05))
    assert error.code is ErrorCode.CONNECT_TIMEOUT
    assert (proxy.connects, proxy.connecting_at_once) == (1, 0)


async def test_reading_that_takes_too_long(
    hass: HomeAssistant, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child's deadline holds here too."""
    proxy.gate = asyncio.Event()
    monkeypatch.setattr(in_process, "child_deadline", lambda *_: 0.05)
    assert (await failure(hass, PLAN)).code is ErrorCode.READER_TIMEOUT
    assert proxy.connecting_at_once == 0


async def test_readings_take_turns(hass: HomeAssistant, proxy: Proxy) -> None:
    """Two devices over one proxy: never two connections at a time."""
    other = "C4:D3:6A:00:00:36"
    proxy.hear(name="BTRIC134000036", address=other)
    routes = [
        await scanner(hass),
        await find_route(hass, other, "BTRIC134000036", RouteChoice.AUTOMATIC),
    ]
    readers = [InProcessReader(hass) for _ in routes]
    proxy.gate = asyncio.Event()
    readings = [
        hass.async_create_task(reader.read(route, PLAN))
        for reader, route in zip(readers, routes, strict=True)
    ]
    while not proxy.connects:
        await asyncio.sleep(0)
    proxy.gate.set()
    await asyncio.gather(*readings)
    for reader in readers:
        await reader.stop()
    assert (proxy.connects, proxy.most_at_once) == (2, 1)


async def test_connection_that_is_taken_meanwhile(hass: HomeAssistant, proxy: Proxy) -> None:
    """The last one goes to somebody else while a reading waits for its lock: it is left to him."""
    route = await scanner(hass)
    lock = connection_lock(hass, PROXY)
    await lock.acquire()
    reading = hass.async_create_task(InProcessReader(hass).read(route, PLAN))
    await asyncio.sleep(0)
    proxy.taken = ["1", "2", "3"]
    lock.release()
    with pytest.raises(ReaderError) as caught:
        await reading
    assert caught.value.code is ErrorCode.NO_SLOT
    assert proxy.connects == 0
    assert not lock.locked()
    assert not connection_lock(hass, INVERTER_ADDRESS).locked()


@pytest.mark.parametrize("everything", [False, True])
async def test_find(
    hass: HomeAssistant, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    """Units are found over the same link, which is closed afterwards."""
    monkeypatch.setattr(probing, "PROBE_TIMEOUT", 0.03)
    reader = InProcessReader(hass)
    plan = FindPlan(connect_timeout=5.0, everything=everything)
    (found,) = await reader.find(await scanner(hass), plan)
    await reader.stop()
    assert (found.unit_id, found.profile, found.model) == (32, "inverter", "RIV1230RCH")
    assert proxy.taken == []


async def test_virtual_device(hass: HomeAssistant) -> None:
    """Test mode works where no process can be started."""
    reader = InProcessReader(hass)
    taken, reading = await reader.read(virtual_route(), PLAN)
    await reader.stop()
    assert taken.kind is RouteKind.VIRTUAL
    assert set(reading.main.registers) == {4000, 4327}
