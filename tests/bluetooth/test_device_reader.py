"""One device by the best route: what becomes of a reading whose route turns out to be none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import logging
from pathlib import Path
import sys

from habluetooth import wrappers
import pytest

from custom_components.blupow.bluetooth.connection_locks import connection_lock
from custom_components.blupow.bluetooth.device_reader import DeviceReader
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader import process as process_module
from custom_components.blupow.lib.blupow_ble.reader.messages import VIRTUAL
from custom_components.blupow.lib.blupow_ble.reader.plan import ReadPlan, UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.route import RouteKind
from custom_components.blupow.options import RouteChoice
from homeassistant.core import HomeAssistant

from ..helpers.bluetooth import ADAPTER_SOURCE, hear, service_info
from ..helpers.proxies import OTHER_PROXY, PROXY, Proxy
from ..helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME

PLAN = ReadPlan(
    units=(UnitPlan(profile=INVERTER, model=INVERTER.models[0], unit_id=32, blocks=("battery",)),),
    connect_timeout=5.0,
)


@pytest.fixture
async def proxy(hass: HomeAssistant, enable_bluetooth: None) -> AsyncIterator[Proxy]:
    """Have an adapter hear the inverter, and then a proxy a little better."""
    hear(hass, service_info(rssi=-60))
    proxy = Proxy()
    leave = proxy.register(hass)
    proxy.hear(rssi=-55)
    yield proxy
    leave()


@pytest.fixture
async def two_proxies(
    hass: HomeAssistant, enable_bluetooth: None
) -> AsyncIterator[tuple[Proxy, Proxy]]:
    """Have two proxies hear the inverter, the first one better."""
    first, second = Proxy(PROXY), Proxy(OTHER_PROXY)
    leave = [proxy.register(hass) for proxy in (first, second)]
    first.hear(rssi=-50)
    second.hear(rssi=-55)
    yield first, second
    for item in leave:
        item()


@pytest.fixture(params=["no interpreter", "not allowed", "no library"])
def no_process(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Have no reader process start."""
    forbidden = tmp_path / "python"
    forbidden.write_text("")
    command: dict[str, tuple[str, ...]] = {
        "no interpreter": (str(tmp_path / "nowhere"),),
        "not allowed": (str(forbidden),),
        "no library": (sys.executable, "-P", "-c", "import no_such_library"),
    }
    monkeypatch.setattr(process_module, "child_command", lambda: command[request.param])


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """Have what connects over adapters of this machine in-process lead to a virtual device."""
    adapter = Proxy(ADAPTER_SOURCE)
    monkeypatch.setattr(
        wrappers, "get_platform_client_backend_type", lambda: (adapter.client, "virtual")
    )
    return adapter


@pytest.mark.usefixtures("no_process")
async def test_no_process_can_be_started(
    hass: HomeAssistant, proxy: Proxy, adapter: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """The same reading goes on inside Home Assistant; that is announced once, and no process is tried again."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    reader = DeviceReader(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    for _ in range(2):
        route, reading = await reader.read(PLAN)
        assert route.kind is RouteKind.IN_PROCESS
        assert route.source == ADAPTER_SOURCE
        assert route.reason == (
            "heard best by hci0 (00:00:00:00:00:01); no reader process can be started"
        )
        assert set(reading.main.registers) == {4000, 4327}
    await reader.stop()
    assert (adapter.connects, proxy.connects) == (2, 0)
    (line,) = [
        record
        for record in caplog.records
        if record.name.startswith("custom_components.blupow") and record.levelno >= logging.INFO
    ]
    assert line.getMessage().startswith("[route] no reader process can be started: the reader ")
    assert reader.why_no_process is not None
    # nothing was done over the air: nobody has failed
    assert not any(scanner["failed_in_a_row"] for scanner in reader.report())
    # it holds for all devices
    other = DeviceReader(hass, "C4:D3:6A:00:00:36", "BTRIC134000036", RouteChoice.AUTOMATIC)
    assert other.why_no_process == reader.why_no_process
    reader.try_process()
    assert other.why_no_process is None


@pytest.mark.usefixtures("no_process")
async def test_no_process_but_one_is_wanted(hass: HomeAssistant, proxy: Proxy) -> None:
    """The options decide: the reading fails, and the cause is reported."""
    reader = DeviceReader(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.ISOLATED)
    with pytest.raises(ReaderError) as caught:
        await reader.read(PLAN)
    await reader.stop()
    assert (caught.value.code, caught.value.stage) == (ErrorCode.READER_CRASHED, Stage.START)
    assert reader.why_no_process is None
    assert proxy.connects == 0


async def test_process_that_dies_by_chance(
    hass: HomeAssistant, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed for want of memory, for instance: this reading fails, the next one starts a process again."""
    monkeypatch.setattr(process_module, "child_command", lambda: ("sh", "-c", "kill -9 $$"))
    reader = DeviceReader(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    with pytest.raises(ReaderError) as caught:
        await reader.read(PLAN)
    await reader.stop()
    assert (caught.value.code, caught.value.stage) == (ErrorCode.READER_CRASHED, Stage.START)
    assert reader.why_no_process is None
    assert proxy.connects == 0


async def test_links_that_stand_but_fail(
    hass: HomeAssistant, two_proxies: tuple[Proxy, Proxy]
) -> None:
    """Home Assistant sees good connects only; after two readings the other proxy is taken all the same."""
    first, second = two_proxies
    first.write_error = "the stack is out of order"
    reader = DeviceReader(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    for _ in range(2):
        with pytest.raises(ReaderError):
            await reader.read(PLAN)
    await reader.stop()
    route, _ = await reader.read(PLAN)
    assert route.source == OTHER_PROXY
    assert route.reason.startswith("proxy 01 (AA:BB:CC:DD:EE:01) failed, heard by proxy 02")
    # the signals of single advertisements change nothing
    second.hear(rssi=-65)
    assert (await reader.read(PLAN))[0].source == OTHER_PROXY
    await reader.stop()


async def test_all_scanners_fail(hass: HomeAssistant, two_proxies: tuple[Proxy, Proxy]) -> None:
    """The device is to blame: all are tried in turn, and none is avoided once the device is back."""
    first, second = two_proxies
    first.write_error = second.write_error = "it refuses"
    reader = DeviceReader(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    connects = []
    for _ in range(8):
        before = first.connects, second.connects
        with pytest.raises(ReaderError):
            await reader.read(PLAN)
        connects.append(PROXY if first.connects > before[0] else OTHER_PROXY)
        assert (first.connects, second.connects) != before
    assert connects == 2 * [PROXY, PROXY, OTHER_PROXY, OTHER_PROXY]
    assert [scanner["cooldown"] for scanner in reader.report()] == [0, 0]
    first.write_error = second.write_error = None
    assert (await reader.read(PLAN))[0].source == PROXY
    await reader.stop()


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("wanted", [RouteChoice.AUTOMATIC, RouteChoice.IN_PROCESS])
async def test_test_mode_without_processes(hass: HomeAssistant, wanted: RouteChoice) -> None:
    """It needs none."""
    reader = DeviceReader(hass, VIRTUAL, "Virtual inverter", wanted)
    for _ in range(2):
        route, reading = await reader.read(PLAN)
        assert route.kind is RouteKind.VIRTUAL
        assert set(reading.main.registers) == {4000, 4327}
    await reader.stop()
    assert (reader.why_no_process is not None) is (wanted is RouteChoice.AUTOMATIC)
    assert reader.report() == []


async def test_last_connection_is_taken_while_waiting(
    hass: HomeAssistant, two_proxies: tuple[Proxy, Proxy]
) -> None:
    """The same reading begins again, by another proxy; no connection was tried where there was none."""
    first, second = two_proxies
    lock = connection_lock(hass, PROXY)
    await lock.acquire()
    reader = DeviceReader(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    reading = hass.async_create_task(reader.read(PLAN))
    await asyncio.sleep(0)
    first.taken = ["1", "2", "3"]
    lock.release()
    route, _ = await reading
    assert route.source == OTHER_PROXY
    assert "has no free connection, heard by" in route.reason
    second.taken += ["1", "2", "3"]
    with pytest.raises(ReaderError) as caught:
        await reader.read(PLAN)
    assert caught.value.code is ErrorCode.NO_SLOT
    await reader.stop()
    assert (first.connects, second.connects) == (0, 1)


async def test_report(hass: HomeAssistant, proxy: Proxy) -> None:
    """Each scanner with its signal, its free connections, and how it has gone."""
    for _ in range(20):  # until Home Assistant takes it for the best
        proxy.hear(rssi=-40)
    reader = DeviceReader(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.IN_PROCESS)
    proxy.gate = asyncio.Event()
    proxy.taken = ["1"]
    for _ in range(2):
        with pytest.raises(ReaderError):
            await reader.read(replace(PLAN, connect_timeout=0.05))
    await reader.stop()
    best, other = reader.report()
    assert 1790 < best.pop("cooldown") <= 1800
    assert best == {
        "name": "proxy 01 (AA:BB:CC:DD:EE:01)",
        "local": False,
        "signal_strength": -40,
        "free_connections": 2,
        "failed_in_a_row": 2,
    }
    assert other == {
        "name": f"hci0 ({ADAPTER_SOURCE})",
        "local": True,
        "signal_strength": -60,
        "free_connections": 5,
        "failed_in_a_row": 0,
        "cooldown": 0,
    }
