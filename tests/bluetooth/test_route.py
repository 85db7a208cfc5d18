"""The route to a device, by what Home Assistant hears over its own scanners."""

from collections.abc import AsyncIterator
from unittest.mock import patch

from bleak.backends.device import BLEDevice
import pytest

from custom_components.blupow.bluetooth.route import choose, find_route
from custom_components.blupow.bluetooth.scanners import Scanner, scanners_hearing
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader import bluez
from custom_components.blupow.lib.blupow_ble.reader.route import Route, RouteKind
from custom_components.blupow.options import RouteChoice
from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant

from ..helpers.bluetooth import ADAPTER_SOURCE, add_adapter, hear, service_info
from ..helpers.proxies import PROXY, Proxy
from ..helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME, INVERTER_PATH

OTHER_ADAPTER = "00:00:00:00:00:02"
OTHER_PATH = INVERTER_PATH.replace("hci0", "hci1")


async def find(hass: HomeAssistant, wanted: RouteChoice = RouteChoice.AUTOMATIC) -> Route:
    """Find the route to the inverter."""
    return await find_route(hass, INVERTER_ADDRESS, INVERTER_NAME, wanted)


async def refused(hass: HomeAssistant, wanted: RouteChoice = RouteChoice.AUTOMATIC) -> ReaderError:
    """Return why there is no route."""
    with pytest.raises(ReaderError) as caught:
        await find(hass, wanted)
    return caught.value


@pytest.fixture
def local(hass: HomeAssistant, enable_bluetooth: None) -> None:
    """Have a local adapter hear the inverter."""
    hear(hass, service_info())


@pytest.fixture
async def proxy(hass: HomeAssistant, enable_bluetooth: None) -> AsyncIterator[Proxy]:
    """Have a proxy hear the inverter."""
    proxy = Proxy()
    leave = proxy.register(hass)
    proxy.hear(rssi=-50)
    yield proxy
    leave()


@pytest.mark.usefixtures("local")
async def test_local_adapter(hass: HomeAssistant) -> None:
    """Isolated, with everything that the child needs to connect without a scan."""
    route = await find(hass)
    assert route.kind is RouteKind.ISOLATED
    assert route.reason == "heard best by hci0 (00:00:00:00:00:01)"
    assert route.source == ADAPTER_SOURCE
    assert route.device.object_path == INVERTER_PATH
    assert route.device.adapter == "hci0"
    assert route.device.address == INVERTER_ADDRESS


@pytest.mark.usefixtures("proxy")
async def test_proxy(hass: HomeAssistant) -> None:
    """In-process: a child process cannot use a proxy."""
    route = await find(hass)
    assert route.kind is RouteKind.IN_PROCESS
    assert route.source == PROXY
    assert route.device.object_path is None
    assert route.ble_device is not None
    assert "which BlueZ of this machine does not serve" in route.reason


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("platform", ["darwin", "win32"])
async def test_other_systems(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    """On other systems everything goes through Home Assistant."""
    monkeypatch.setattr(bluez.sys, "platform", platform)
    assert (await find(hass)).kind is RouteKind.IN_PROCESS


@pytest.mark.usefixtures("local")
async def test_container_without_the_system_bus(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of its own could not talk to BlueZ: Home Assistant's Bluetooth it is."""
    monkeypatch.setattr(bluez, "BUS_SOCKETS", ())
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    assert (await find(hass)).kind is RouteKind.IN_PROCESS
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/elsewhere")
    assert (await find(hass)).kind is RouteKind.ISOLATED


@pytest.mark.usefixtures("local")
async def test_forced_routes(hass: HomeAssistant) -> None:
    """The options decide."""
    reason = "set in the options; heard best by hci0 (00:00:00:00:00:01)"
    route = await find(hass, RouteChoice.IN_PROCESS)
    assert (route.kind, route.reason) == (RouteKind.IN_PROCESS, reason)
    route = await find(hass, RouteChoice.ISOLATED)
    assert (route.kind, route.reason) == (RouteKind.ISOLATED, reason)


@pytest.mark.usefixtures("proxy")
async def test_isolated_but_only_a_proxy_hears(hass: HomeAssistant) -> None:
    """What the options ask for is not there: that is reported."""
    error = await refused(hass, RouteChoice.ISOLATED)
    assert error.code is ErrorCode.NOT_ADVERTISING
    assert "no adapter of this machine" in error.message


@pytest.mark.usefixtures("proxy")
async def test_isolated_takes_the_best_adapter(hass: HomeAssistant) -> None:
    """Even where a proxy hears better."""
    add_adapter(hass, "hci1", OTHER_ADAPTER)
    hear(hass, service_info(rssi=-80))
    hear(hass, service_info(source=OTHER_ADAPTER, path=OTHER_PATH, rssi=-60))
    route = await find(hass, RouteChoice.ISOLATED)
    assert (route.device.adapter, route.device.object_path) == ("hci1", OTHER_PATH)
    assert route.source == OTHER_ADAPTER


@pytest.mark.usefixtures("local")
async def test_signal_that_is_unknown_for_a_moment(hass: HomeAssistant, proxy: Proxy) -> None:
    """BlueZ forgets it when a scan ends, as in the midst of a recovery: the device is heard all the same."""
    hear(hass, service_info(rssi=-127))
    assert (await find(hass)).source == ADAPTER_SOURCE
    assert (await find(hass, RouteChoice.ISOLATED)).source == ADAPTER_SOURCE
    assert scanners_hearing(hass, INVERTER_ADDRESS)[1].as_dict()["signal_strength"] is None
    proxy.hear(rssi=-80)
    assert (await find(hass)).source == PROXY


async def test_free_slot(hass: HomeAssistant, proxy: Proxy) -> None:
    """Only where a connection is free; where the number is unknown there is no limit."""
    proxy.taken = ["1", "2"]
    assert (await find(hass)).source == PROXY
    proxy.taken = ["1", "2", "3"]
    error = await refused(hass)
    assert error.code is ErrorCode.NO_SLOT
    assert error.message == "no free connection: proxy 01 (AA:BB:CC:DD:EE:01) (3 in use)"
    proxy.slots = 0
    assert (await find(hass)).source == PROXY


async def test_full_proxy_and_another_scanner(hass: HomeAssistant, proxy: Proxy) -> None:
    """Somebody else holds all of its connections: the weaker adapter is taken meanwhile."""
    hear(hass, service_info(rssi=-85))
    assert (await find(hass)).source == PROXY
    proxy.taken = ["1", "2", "3"]
    route = await find(hass)
    assert (route.kind, route.source) == (RouteKind.ISOLATED, ADAPTER_SOURCE)
    assert route.reason == (
        "proxy 01 (AA:BB:CC:DD:EE:01) has no free connection, heard by hci0 (00:00:00:00:00:01) too"
    )


async def test_proxy_that_is_gone(hass: HomeAssistant, enable_bluetooth: None) -> None:
    """Home Assistant remembers what it has heard for a while: it is no route any more."""
    proxy = Proxy()
    leave = proxy.register(hass)
    proxy.hear(rssi=-50)
    leave()
    assert bluetooth.async_last_service_info(hass, INVERTER_ADDRESS, connectable=True) is not None
    with patch.object(bluez, "release", return_value=[]):
        assert (await refused(hass)).code is ErrorCode.NOT_ADVERTISING
    hear(hass, service_info(rssi=-85))
    assert (await find(hass)).source == ADAPTER_SOURCE


@pytest.mark.usefixtures("enable_bluetooth")
async def test_not_heard(hass: HomeAssistant) -> None:
    """No connection attempt; Home Assistant's own words say why."""
    with patch.object(bluez, "release", return_value=[]) as release:
        error = await refused(hass)
        assert error.code is ErrorCode.NOT_ADVERTISING
        assert error.message
        release.assert_called_once_with(INVERTER_ADDRESS)
        assert (await refused(hass, RouteChoice.IN_PROCESS)).code is ErrorCode.NOT_ADVERTISING
        release.assert_called_once()


@pytest.mark.usefixtures("enable_bluetooth")
async def test_leftover_link(hass: HomeAssistant) -> None:
    """Not heard because a dead program's link holds it: the link is closed, and the poll goes on."""
    with patch.object(bluez, "release", return_value=[INVERTER_PATH]):
        route = await find(hass)
        assert route.kind is RouteKind.ISOLATED
        assert route.device.object_path == INVERTER_PATH
        assert route.source == ADAPTER_SOURCE
        with pytest.raises(ReaderError) as caught:
            await find_route(
                hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC, processes=False
            )
    assert caught.value.code is ErrorCode.NOT_ADVERTISING
    other = [INVERTER_PATH.replace("hci0", "hci7")]
    with patch.object(bluez, "release", return_value=other):
        route = await find(hass)
    assert route.source == "hci7"


@pytest.mark.usefixtures("enable_bluetooth")
async def test_link_of_another_integration(hass: HomeAssistant) -> None:
    """A connection that Home Assistant itself has is no leftover: it is not cut."""
    proxy = Proxy()
    leave = proxy.register(hass)
    proxy.taken = [INVERTER_ADDRESS]
    with patch.object(bluez, "release") as release:
        error = await refused(hass)
    leave()
    assert error.code is ErrorCode.HELD_BY_OTHER
    assert f"{proxy.name} holds a connection to the device" in error.message
    assert f"reload {proxy.name} in Home Assistant" in error.message
    release.assert_not_called()


@pytest.mark.usefixtures("enable_bluetooth")
async def test_scanners_that_cannot_connect(hass: HomeAssistant) -> None:
    """The device is heard, but by nobody who could connect: who hears it is named."""
    proxy = Proxy(connectable=False)
    leave = proxy.register(hass)
    proxy.hear()
    error = await refused(hass)
    leave()
    assert (error.code, error.stage) == (ErrorCode.NO_CONNECTABLE_SCANNER, Stage.START)
    assert error.message.startswith(
        f"the device is heard by {proxy.name} alone, which cannot connect"
    )


async def test_no_bluetooth_at_all(hass: HomeAssistant) -> None:
    """Home Assistant has no adapter: that is reported, and nothing else is tried."""
    with patch.object(bluetooth, "async_scanner_count", return_value=0):
        error = await refused(hass)
    assert (error.code, error.stage) == (ErrorCode.ADAPTER_UNAVAILABLE, Stage.START)


def a_scanner(source: str, rssi: int, *, local: bool = False, full: bool = False) -> Scanner:
    """Return a scanner that hears the inverter."""
    return Scanner(
        source=source,
        name=source,
        device=BLEDevice(INVERTER_ADDRESS, INVERTER_NAME, {}),
        rssi=rssi,
        object_path=f"/org/bluez/{source}/dev" if local else None,
        adapter=source if local else None,
        slots=3,
        free=0 if full else 3,
    )


HCI0 = a_scanner("hci0", -60, local=True)
HCI1 = a_scanner("hci1", -70, local=True)
KITCHEN = a_scanner("kitchen", -50)
GARAGE = a_scanner("garage", -80)
ALL = (KITCHEN, HCI0, HCI1, GARAGE)
SERVED = "which BlueZ of this machine does not serve"


@pytest.mark.parametrize(
    ("scanners", "heard_best", "cooldowns", "source", "kind", "reason"),
    [
        # what Home Assistant takes for the best, not what was loudest just now
        (ALL, "hci0", {}, "hci0", RouteKind.ISOLATED, "heard best by hci0"),
        (ALL, "hci1", {}, "hci1", RouteKind.ISOLATED, "heard best by hci1"),
        (ALL, "kitchen", {}, "kitchen", RouteKind.IN_PROCESS, f"heard best by kitchen, {SERVED}"),
        # one that fails is on cooldown, where another one hears the device
        (ALL, "kitchen", {"kitchen": 9}, "hci0", RouteKind.ISOLATED, "kitchen failed, heard by hci0 too"),
        (ALL, "hci0", {"hci0": 9, "hci1": 9}, "kitchen", RouteKind.IN_PROCESS, f"hci0 failed, heard by kitchen too, {SERVED}"),
        ((HCI0,), "hci0", {"hci0": 9}, "hci0", RouteKind.ISOLATED, "heard best by hci0"),
        # all on cooldown: the one that may work again soonest
        ((HCI0, HCI1), "hci0", {"hci0": 9, "hci1": 5}, "hci1", RouteKind.ISOLATED, "hci0 failed, heard by hci1 too"),
        # one that Home Assistant still remembers is gone
        ((HCI1, GARAGE), "hci0", {}, "hci1", RouteKind.ISOLATED, "heard best by hci1"),
    ],
)  # fmt: skip
def test_choice(
    scanners: tuple[Scanner, ...],
    heard_best: str,
    cooldowns: dict[str, float],
    source: str,
    kind: RouteKind,
    reason: str,
) -> None:
    """The automatic choice, and its reason."""
    scanner, how, why = choose(scanners, heard_best, RouteChoice.AUTOMATIC, cooldowns=cooldowns)
    assert (scanner.source, how, why) == (source, kind, reason)


def test_choice_without_processes() -> None:
    """Home Assistant's Bluetooth serves local adapters too."""
    scanner, kind, reason = choose((HCI0, GARAGE), "hci0", RouteChoice.AUTOMATIC, processes=False)
    assert (scanner, kind) == (HCI0, RouteKind.IN_PROCESS)
    assert reason == "heard best by hci0; no reader process can be started"
    scanner, kind, reason = choose((HCI0, GARAGE), "garage", RouteChoice.AUTOMATIC, processes=False)
    assert (scanner, kind, reason) == (
        GARAGE,
        RouteKind.IN_PROCESS,
        f"heard best by garage, {SERVED}",
    )
    _, kind, _ = choose((HCI0,), "hci0", RouteChoice.ISOLATED, processes=False)
    assert kind is RouteKind.ISOLATED


@pytest.mark.parametrize("wanted", list(RouteChoice))
def test_choice_among_full_ones(wanted: RouteChoice) -> None:
    """None of them has a connection left."""
    scanners = (
        a_scanner("hci0", -60, local=True, full=True),
        a_scanner("hci1", -70, local=True, full=True),
    )
    with pytest.raises(ReaderError) as caught:
        choose(scanners, "hci0", wanted)
    assert caught.value.code is ErrorCode.NO_SLOT
    assert caught.value.message == "no free connection: hci0 (3 in use), hci1 (3 in use)"
