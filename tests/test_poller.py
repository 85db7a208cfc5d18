"""Which adapter readings take when the best one fails."""

from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.lib.blupow_ble.errors import ErrorCode, ReaderError
from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant

from .bluetooth import ADAPTER_SOURCE, service_info
from .scripted import Script
from .simulated import INVERTER_PATH
from .timeline import pass_time, set_up

OTHER = "00:00:00:00:00:02"
PROXY = "AA:BB:CC:DD:EE:FF"
WATCHFUL = {"stale_checks": 1, "stale_age": 60, "heartbeat_interval": 60}

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


def heard_by(source: str, path: str | None, rssi: int) -> SimpleNamespace:
    """Return what Home Assistant knows of a device that an adapter or a proxy hears."""
    scanner = SimpleNamespace(
        source=source, name=source, adapter="hci1", get_allocations=lambda: None
    )
    return SimpleNamespace(
        ble_device=service_info(source=source, path=path).device,
        scanner=scanner,
        advertisement=SimpleNamespace(rssi=rssi),
    )


@pytest.fixture
def two_adapters() -> Iterator[None]:
    """Have the inverter heard by a second adapter too, and best of all by a proxy."""
    others = [
        heard_by(ADAPTER_SOURCE, INVERTER_PATH, -60),
        heard_by(OTHER, INVERTER_PATH.replace("hci0", "hci1"), -80),
        heard_by(PROXY, None, -40),
    ]
    with patch.object(bluetooth, "async_scanner_devices_by_address", return_value=others):
        yield


def sources(script: Script) -> list[str]:
    """Return the adapters of the readings since the last call."""
    taken = [path.source for path in script.paths]
    script.paths.clear()
    return taken


@pytest.mark.usefixtures("two_adapters")
@pytest.mark.parametrize("path", ["automatic", "isolated"])
async def test_adapter_that_fails_is_avoided_while_another_one_works(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    path: str,
) -> None:
    """Half an hour, then twice as long if it still fails; one failed poll is all that costs."""
    await set_up(hass, entry, **WATCHFUL, path=path)
    script.deaf = {ADAPTER_SOURCE}
    await pass_time(hass, freezer, 125)
    assert sources(script)[-1] == OTHER
    path_taken = entry.runtime_data.coordinator.link.snapshot.path
    if path == "automatic":
        assert "failed, heard by" in path_taken.reason
    await pass_time(hass, freezer, 1750, step=5)
    assert set(sources(script)) == {OTHER}
    await pass_time(hass, freezer, 120, step=5)
    assert sources(script).count(ADAPTER_SOURCE) == 1
    await pass_time(hass, freezer, 3480, step=5)
    assert set(sources(script)) == {OTHER}
    await pass_time(hass, freezer, 120, step=5)
    assert sources(script).count(ADAPTER_SOURCE) == 1
    script.deaf = set()
    await pass_time(hass, freezer, 7200, step=5)
    sources(script)
    await pass_time(hass, freezer, 300, step=5)
    assert set(sources(script)) == {ADAPTER_SOURCE}


@pytest.mark.usefixtures("two_adapters")
async def test_adapter_that_was_not_tried_is_not_blamed(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The second step avoids what failed just before it, and that alone."""
    await set_up(hass, entry, **WATCHFUL)
    sources(script)
    refused = ReaderError(ErrorCode.NO_SLOT, "no free connection")
    with patch("custom_components.blupow.readers.path._check_slot", side_effect=refused):
        await pass_time(hass, freezer, 125)
    assert sources(script) == []
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
    assert entry.runtime_data.coordinator.status == "connected"
