"""Which adapter or proxy readings take when the best one fails."""

from collections.abc import AsyncIterator
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.bluetooth import scanners
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.core import HomeAssistant

from .helpers.bluetooth import ADAPTER_SOURCE, add_adapter, hear, service_info
from .helpers.proxies import PROXY, Proxy
from .helpers.scripted import Script
from .helpers.simulated import INVERTER_PATH
from .helpers.timeline import pass_time, set_up

OTHER = "00:00:00:00:00:02"
OTHER_PATH = INVERTER_PATH.replace("hci0", "hci1")
WATCHFUL = {"stale_checks": 1, "stale_age": 60, "heartbeat_interval": 60}

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


@pytest.fixture
async def two_adapters(hass: HomeAssistant, heard: None) -> None:
    """Have the inverter heard by a second adapter too."""
    add_adapter(hass, "hci1", OTHER)
    hear(hass, service_info(source=OTHER, path=OTHER_PATH, rssi=-80))
    hear(hass, service_info())


@pytest.fixture
async def proxy(hass: HomeAssistant, heard: None) -> AsyncIterator[Proxy]:
    """Have the inverter heard by a proxy too."""
    proxy = Proxy()
    leave = proxy.register(hass)
    proxy.hear(rssi=-80)
    yield proxy
    leave()


def sources(script: Script) -> list[str]:
    """Return the adapters of the readings since the last call."""
    taken = [route.source for route in script.routes]
    script.routes.clear()
    return taken


@pytest.mark.usefixtures("two_adapters")
@pytest.mark.parametrize("route", ["automatic", "isolated"])
async def test_adapter_that_fails_rests_while_another_one_works(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    route: str,
) -> None:
    """After two failed polls; half an hour, then twice as long if it still fails, for one poll each."""
    await set_up(hass, entry, route=route)
    script.deaf = {ADAPTER_SOURCE}
    sources(script)
    await pass_time(hass, freezer, 110)
    assert sources(script) == [ADAPTER_SOURCE, ADAPTER_SOURCE, OTHER]
    coordinator = entry.runtime_data.only
    assert coordinator.supervisor.link.recoveries == 0
    reason = coordinator.supervisor.link.snapshot.route.reason
    if route == "automatic":
        assert reason == "hci0 (00:00:00:00:00:01) failed, heard by hci1 (00:00:00:00:00:02) too"
    else:
        assert reason.startswith("set in the options; hci0 (00:00:00:00:00:01) failed")
    await pass_time(hass, freezer, 1680, step=5)
    assert set(sources(script)) == {OTHER}
    await pass_time(hass, freezer, 180, step=5)
    assert sources(script).count(ADAPTER_SOURCE) == 1
    await pass_time(hass, freezer, 3360, step=5)
    assert set(sources(script)) == {OTHER}
    await pass_time(hass, freezer, 240, step=5)
    assert sources(script).count(ADAPTER_SOURCE) == 1
    script.deaf = set()
    await pass_time(hass, freezer, 7260, step=5)
    sources(script)
    await pass_time(hass, freezer, 300, step=5)
    assert set(sources(script)) == {ADAPTER_SOURCE}


async def test_proxy_takes_over_and_gives_back(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    proxy: Proxy,
) -> None:
    """A proxy that hears the device is as good as another adapter; the story is reported in the log."""
    await set_up(hass, entry)
    script.deaf = {ADAPTER_SOURCE}
    sources(script)
    proxy_route = "hci0 (00:00:00:00:00:01) failed, heard by proxy 01 (AA:BB:CC:DD:EE:01) too"
    await pass_time(hass, freezer, 110)
    assert sources(script) == [ADAPTER_SOURCE, ADAPTER_SOURCE, PROXY]
    link = entry.runtime_data.only.supervisor.link
    assert link.snapshot.route.kind == "in_process"
    assert link.snapshot.route.reason.startswith(proxy_route)
    assert any("now read in_process" in line.text for line in link.log.lines)
    script.deaf = {PROXY}
    sources(script)
    await pass_time(hass, freezer, 400)
    taken = sources(script)
    assert taken[:2] == [PROXY, PROXY]
    assert set(taken[2:]) == {ADAPTER_SOURCE}
    assert link.snapshot.route.kind == "isolated"


@pytest.mark.parametrize("route", ["automatic", "isolated"])
@pytest.mark.usefixtures("proxy")
async def test_polls_are_slow_where_no_way_works(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    route: str,
) -> None:
    """Once the device is lost the radio is spared, whatever route is tried."""
    await set_up(hass, entry, route=route, stale_checks=10, heartbeat_interval=600)
    script.deaf = {ADAPTER_SOURCE, PROXY}
    await pass_time(hass, freezer, 660)
    sources(script)
    await pass_time(hass, freezer, 1205, step=5)
    assert len(sources(script)) in (9, 10, 11)


@pytest.mark.usefixtures("two_adapters")
@pytest.mark.parametrize(
    ("error", "moves"),
    [
        (ErrorCode.NO_RESPONSE, True),
        (ErrorCode.CONNECT_FAILED, True),
        (ErrorCode.MODBUS_EXCEPTION, False),
        (ErrorCode.SERVICE_MISSING, True),
        (ErrorCode.NOT_ADVERTISING, False),
    ],
)
async def test_what_is_no_fault_of_the_adapter(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    error: ErrorCode,
    moves: bool,
) -> None:
    """Another one would meet it too: there is no use in changing."""
    await set_up(hass, entry)
    sources(script)
    script.error = error
    await pass_time(hass, freezer, 110)
    taken = sources(script)
    assert taken[:2] == [ADAPTER_SOURCE, ADAPTER_SOURCE]
    assert (OTHER in taken) is moves


@pytest.mark.usefixtures("two_adapters")
async def test_second_step_looks_elsewhere_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Of a recovery: after one failure, whatever it was; what it finds out is kept."""
    await set_up(hass, entry, **WATCHFUL, update_interval=60)
    sources(script)
    script.deaf = {ADAPTER_SOURCE}
    await entry.runtime_data.only.supervisor.watchdog.force()
    assert sources(script) == [ADAPTER_SOURCE, OTHER]
    await pass_time(hass, freezer, 600)
    assert set(sources(script)) == {OTHER}


@pytest.mark.usefixtures("two_adapters")
async def test_adapter_that_was_not_tried_is_not_blamed(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Others had all of their connections for a while: nobody has failed."""
    await set_up(hass, entry, **WATCHFUL)
    sources(script)
    with patch.object(scanners, "connections", return_value=(5, 0)):
        await pass_time(hass, freezer, 125)
    assert sources(script) == []
    assert entry.runtime_data.only.supervisor.link.last_error.code is ErrorCode.NO_SLOT
    await pass_time(hass, freezer, 125)
    assert set(sources(script)) == {ADAPTER_SOURCE}


async def test_only_adapter_is_never_avoided(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Where no other one hears the device, it is tried again and again."""
    await set_up(hass, entry, **WATCHFUL)
    script.deaf = {ADAPTER_SOURCE}
    await pass_time(hass, freezer, 300)
    script.deaf = set()
    await pass_time(hass, freezer, 300)
    assert set(sources(script)) == {ADAPTER_SOURCE}
    assert entry.runtime_data.only.supervisor.health.status == "connected"
