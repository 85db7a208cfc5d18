"""The way to a device, by what Home Assistant hears."""

from types import SimpleNamespace
from unittest.mock import patch

import pytest

from custom_components.blupow.lib.blupow_ble.errors import ErrorCode, ReaderError
from custom_components.blupow.readers import Path, PathKind
from custom_components.blupow.readers.path import find_path
from custom_components.blupow.settings import WantedPath
from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant

from ..bluetooth import ADAPTER_SOURCE, hear, service_info
from ..simulated import INVERTER_ADDRESS, INVERTER_NAME, INVERTER_PATH

PROXY = "AA:BB:CC:DD:EE:FF"


async def find(hass: HomeAssistant, wanted: WantedPath = WantedPath.AUTOMATIC) -> Path:
    """Find the way to the inverter."""
    return await find_path(hass, INVERTER_ADDRESS, INVERTER_NAME, wanted)


async def refused(hass: HomeAssistant, wanted: WantedPath = WantedPath.AUTOMATIC) -> ReaderError:
    """Return why there is no way."""
    with pytest.raises(ReaderError) as caught:
        await find(hass, wanted)
    return caught.value


@pytest.fixture
def local(hass: HomeAssistant, enable_bluetooth: None) -> None:
    """Have a local adapter hear the inverter."""
    hear(hass, service_info())


@pytest.fixture
def proxy(hass: HomeAssistant, enable_bluetooth: None) -> None:
    """Have a proxy hear the inverter."""
    hear(hass, service_info(source=PROXY, path=None))


@pytest.mark.usefixtures("local")
async def test_local_adapter(hass: HomeAssistant) -> None:
    """Isolated, with everything that the child needs to connect without a scan."""
    path = await find(hass)
    assert path.kind is PathKind.ISOLATED
    assert path.reason == "heard best by hci0 (00:00:00:00:00:01)"
    assert path.source == ADAPTER_SOURCE
    assert path.device.path == INVERTER_PATH
    assert path.device.adapter == "hci0"
    assert path.device.address == INVERTER_ADDRESS


@pytest.mark.usefixtures("proxy")
async def test_proxy(hass: HomeAssistant) -> None:
    """In-process: a child process cannot use a proxy."""
    path = await find(hass)
    assert path.kind is PathKind.IN_PROCESS
    assert path.source == PROXY
    assert path.device.path is None
    assert path.ble_device is not None
    assert "which BlueZ of this machine does not serve" in path.reason


@pytest.mark.usefixtures("local")
async def test_without_bluez(hass: HomeAssistant) -> None:
    """On other systems everything goes through Home Assistant."""
    with patch("custom_components.blupow.readers.path.bluez.available", return_value=False):
        assert (await find(hass)).kind is PathKind.IN_PROCESS


@pytest.mark.usefixtures("local")
async def test_forced_ways(hass: HomeAssistant) -> None:
    """The options have the last word."""
    path = await find(hass, WantedPath.IN_PROCESS)
    assert (path.kind, path.reason) == (PathKind.IN_PROCESS, "set in the options")
    path = await find(hass, WantedPath.ISOLATED)
    assert (path.kind, path.reason) == (PathKind.ISOLATED, "set in the options")


@pytest.mark.usefixtures("proxy")
async def test_isolated_but_only_a_proxy_hears(hass: HomeAssistant) -> None:
    """What the options ask for is not there: that is told."""
    error = await refused(hass, WantedPath.ISOLATED)
    assert error.code is ErrorCode.NOT_ADVERTISING
    assert "no adapter of this machine" in error.message


@pytest.mark.usefixtures("proxy")
async def test_isolated_takes_the_best_adapter(hass: HomeAssistant) -> None:
    """Even where a proxy hears better."""
    weak, strong = (
        SimpleNamespace(
            ble_device=service_info(path=f"/org/bluez/{name}/dev_C4_D3_6A_00_00_35").device,
            scanner=SimpleNamespace(
                source=name, name=name, adapter=name, get_allocations=lambda: None
            ),
            advertisement=SimpleNamespace(rssi=rssi),
        )
        for name, rssi in (("hci0", -80), ("hci1", -60))
    )
    with patch.object(bluetooth, "async_scanner_devices_by_address", return_value=[weak, strong]):
        path = await find(hass, WantedPath.ISOLATED)
    assert path.device.adapter == "hci1"
    assert path.source == "hci1"


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(("slots", "free", "refusal"), [(5, 1, False), (5, 0, True), (0, 0, False)])
async def test_free_slot(hass: HomeAssistant, slots: int, free: int, refusal: bool) -> None:
    """Only when the adapter has a free connection; where the number is unknown there is no limit."""
    scanner = SimpleNamespace(
        name="hci0",
        adapter="hci0",
        get_allocations=lambda: SimpleNamespace(slots=slots, free=free),
    )
    with patch.object(bluetooth, "async_scanner_by_source", return_value=scanner):
        if refusal:
            error = await refused(hass)
            assert error.code is ErrorCode.NO_SLOT
            assert "(5 in use)" in error.message
        else:
            assert (await find(hass)).kind is PathKind.ISOLATED


@pytest.mark.usefixtures("enable_bluetooth")
async def test_not_heard(hass: HomeAssistant) -> None:
    """No connection attempt; Home Assistant's own words say why."""
    with patch("custom_components.blupow.readers.path.bluez.release", return_value=[]) as release:
        error = await refused(hass)
        assert error.code is ErrorCode.NOT_ADVERTISING
        assert error.message
        release.assert_called_once_with(INVERTER_ADDRESS)
        assert (await refused(hass, WantedPath.IN_PROCESS)).code is ErrorCode.NOT_ADVERTISING
        release.assert_called_once()


@pytest.mark.usefixtures("enable_bluetooth")
async def test_leftover_link(hass: HomeAssistant) -> None:
    """Not heard because a dead program's link holds it: the link is closed, and the poll goes on."""
    paths = [INVERTER_PATH]
    with patch("custom_components.blupow.readers.path.bluez.release", return_value=paths):
        path = await find(hass)
    assert path.kind is PathKind.ISOLATED
    assert path.device.path == INVERTER_PATH
    assert path.source == ADAPTER_SOURCE
    other = [INVERTER_PATH.replace("hci0", "hci7")]
    with patch("custom_components.blupow.readers.path.bluez.release", return_value=other):
        path = await find(hass)
    assert path.source == "hci7"


@pytest.mark.usefixtures("enable_bluetooth")
async def test_link_of_another_integration(hass: HomeAssistant) -> None:
    """A connection that Home Assistant itself has is no leftover: it is not cut."""
    scanner = SimpleNamespace(
        get_allocations=lambda: SimpleNamespace(slots=5, free=4, allocated=[INVERTER_ADDRESS])
    )
    with (
        patch.object(bluetooth, "async_current_scanners", return_value=[scanner]),
        patch("custom_components.blupow.readers.path.bluez.release") as release,
    ):
        error = await refused(hass)
    assert error.code is ErrorCode.HELD_BY_OTHER
    release.assert_not_called()


async def test_no_bluetooth_at_all(hass: HomeAssistant) -> None:
    """Home Assistant has no adapter: that is told, and nothing else is tried."""
    with patch.object(bluetooth, "async_scanner_count", return_value=0):
        error = await refused(hass)
    assert error.code is ErrorCode.ADAPTER_UNAVAILABLE
