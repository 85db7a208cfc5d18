"""The in-process reader: Home Assistant's way, under the same timeouts and turns."""

import asyncio
from dataclasses import replace

from bleak.exc import BleakDBusError
import pytest

from custom_components.blupow.lib.blupow_ble import link as link_module, probing
from custom_components.blupow.lib.blupow_ble.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.plan import UnitPlan
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.virtual import VirtualDevice, VirtualLink
from custom_components.blupow.readers import FindPlan, Path, PathKind, ReadPlan, in_process
from custom_components.blupow.readers.in_process import InProcessReader
from custom_components.blupow.readers.path import virtual_path
from custom_components.blupow.readers.turns import turn
from homeassistant.core import HomeAssistant

from ..bluetooth import service_info

PLAN = ReadPlan(
    units=(UnitPlan(profile=INVERTER, model=INVERTER.models[0], unit=32, blocks=("battery",)),),
    connect_timeout=5.0,
)
PATH: Path = replace(
    virtual_path(), kind=PathKind.IN_PROCESS, source="proxy", ble_device=service_info().device
)


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[VirtualLink]:
    """Have the radio lead to a virtual device."""
    made: list[VirtualLink] = []

    def link(*_: object, **__: object) -> VirtualLink:
        made.append(VirtualLink(VirtualDevice()))
        return made[-1]

    monkeypatch.setattr(in_process, "BleLink", link)
    return made


async def test_reading(hass: HomeAssistant, links: list[VirtualLink]) -> None:
    """The values need not wait for the disconnect, the proxy's turn does."""
    reader = InProcessReader(hass)
    reading = await reader.read(PATH, PLAN)
    assert set(reading.main.registers) == {4000, 4327}
    assert turn(hass, "proxy").locked()
    await reader.read(PATH, PLAN)
    assert links[0].disconnected.is_set()
    await reader.stop()
    assert links[1].disconnected.is_set()
    assert not turn(hass, "proxy").locked()


async def test_registers_by_number(hass: HomeAssistant, links: list[VirtualLink]) -> None:
    """They come this way too."""
    reader = InProcessReader(hass)
    reading = await reader.read(PATH, replace(PLAN, spans=(Span(start=4109, words=1),)))
    assert reading.main.registers == {4109: (32,)}
    await reader.stop()


@pytest.mark.parametrize("fresh", [True, False])
async def test_services_are_asked_for_anew(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    """When a recovery wants it; otherwise what is remembered of them saves time."""
    asked: list[bool] = []

    async def establish_connection(*_: object, use_services_cache: bool, **__: object) -> None:
        asked.append(use_services_cache)
        raise BleakDBusError("org.bluez.Error.NotReady", ["off"])

    monkeypatch.setattr(link_module, "establish_connection", establish_connection)
    reader = InProcessReader(hass)
    with pytest.raises(ReaderError):
        await reader.read(PATH, replace(PLAN, fresh_services=fresh))
    await reader.stop()
    assert asked == [not fresh]


async def test_failed_reading(hass: HomeAssistant, links: list[VirtualLink]) -> None:
    """The link is closed all the same."""
    reader = InProcessReader(hass)
    await reader.stop()
    with pytest.raises(ReaderError) as caught:
        await reader.read(PATH, replace(PLAN, units=(replace(PLAN.units[0], unit=9, blocks=()),)))
    assert caught.value.code is ErrorCode.NO_RESPONSE
    await reader.stop()
    assert links[0].disconnected.is_set()
    assert not turn(hass, "proxy").locked()


async def test_reading_that_takes_too_long(
    hass: HomeAssistant, links: list[VirtualLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child's deadline holds here too."""

    async def connect(self: VirtualLink) -> VirtualLink:
        await asyncio.sleep(60)
        return self

    monkeypatch.setattr(VirtualLink, "connect", connect)
    monkeypatch.setattr(in_process, "child_deadline", lambda *_: 0.05)
    reader = InProcessReader(hass)
    with pytest.raises(ReaderError) as caught:
        await reader.read(PATH, PLAN)
    assert caught.value.code is ErrorCode.READER_TIMEOUT
    await reader.stop()
    assert not turn(hass, "proxy").locked()


@pytest.mark.parametrize("everything", [False, True])
async def test_find(
    hass: HomeAssistant, links: list[VirtualLink], monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    """Units are found over the same link, which is closed afterwards."""
    monkeypatch.setattr(probing, "PROBE_TIMEOUT", 0.03)
    reader = InProcessReader(hass)
    (found,) = await reader.find(PATH, FindPlan(connect_timeout=5.0, everything=everything))
    await reader.stop()
    assert (found.unit, found.profile, found.model) == (32, "inverter", "RIV1230RCH")
    assert links[0].disconnected.is_set()
