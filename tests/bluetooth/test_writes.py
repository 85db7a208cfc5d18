"""Changed settings by both readers: a real child, and Home Assistant's own client over a proxy."""

import pytest

from custom_components.blupow.bluetooth.connection_locks import connection_lock
from custom_components.blupow.bluetooth.in_process import InProcessReader
from custom_components.blupow.bluetooth.isolated import IsolatedReader
from custom_components.blupow.bluetooth.route import find_route
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.protocol import session as session_module
from custom_components.blupow.lib.blupow_ble.reader import writing
from custom_components.blupow.lib.blupow_ble.reader.plan import (
    Change,
    ReadPlan,
    UnitPlan,
    WritePlan,
)
from custom_components.blupow.lib.blupow_ble.reader.result import Outcome
from custom_components.blupow.lib.blupow_ble.reader.route import virtual_route
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice, virtual_device
from custom_components.blupow.lib.blupow_ble.virtual.writes import Habit
from custom_components.blupow.options import RouteChoice
from homeassistant.core import HomeAssistant

from ..helpers.proxies import PROXY, Proxy
from ..helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME

REGO = UnitPlan(profile=INVERTER, model=INVERTER.model("RIV1230RCH"), unit_id=32)
RIV4835 = UnitPlan(profile=INVERTER, model=INVERTER.model("RIV4835CSH1S"), unit_id=32)
LIMIT = Span(start=4456, words=1)


@pytest.mark.parametrize("kind", [IsolatedReader, InProcessReader])
async def test_a_virtual_device_keeps_what_was_written(
    hass: HomeAssistant, kind: type[IsolatedReader | InProcessReader]
) -> None:
    """In test mode too a change is there with the next reading; nothing is left afterwards."""
    reader, route = kind(hass), virtual_route()
    plan = WritePlan(unit=REGO, changes=(Change("ac_input_limit", 16),), connect_timeout=5.0)
    taken, report = await reader.write(route, plan)
    assert taken == route
    assert [item.outcome for item in report.settings] == [Outcome.WRITTEN]
    _, reading = await reader.read(
        route, ReadPlan(units=(REGO,), spans=(LIMIT,), connect_timeout=5.0)
    )
    assert reading.main.registers == {4456: (160,)}
    await reader.stop()
    assert not connection_lock(hass, route.source).locked()


@pytest.mark.parametrize(
    ("habit", "outcome"),
    [
        (Habit.KEEPS, Outcome.WRITTEN),
        (Habit.SILENT, Outcome.WRITTEN),
        (Habit.OTHER_ECHO, Outcome.WRITTEN),
        (Habit.SLOW, Outcome.WRITTEN),
        (Habit.KEEPS_AND_REFUSES, Outcome.WRITTEN),
        (Habit.FORGETS, Outcome.UNCONFIRMED),
        (Habit.DEAF, Outcome.UNCONFIRMED),
        (Habit.CLIPS, Outcome.UNCONFIRMED),
        (Habit.REFUSES, Outcome.REFUSED),
    ],
)
async def test_over_a_proxy(
    hass: HomeAssistant,
    enable_bluetooth: None,
    monkeypatch: pytest.MonkeyPatch,
    habit: Habit,
    outcome: Outcome,
) -> None:
    """One connection, one write, whatever the device does with it."""
    monkeypatch.setattr(writing, "READ_BACK_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(session_module, "DRAIN_QUIET", 0.001)
    proxy = Proxy()
    device = proxy.device = virtual_device("riv4835")
    assert isinstance(device, VirtualDevice)
    device.writes.habit = habit
    leave = proxy.register(hass)
    proxy.hear()
    route = await find_route(hass, INVERTER_ADDRESS, INVERTER_NAME, RouteChoice.AUTOMATIC)
    reader = InProcessReader(hass)
    plan = WritePlan(unit=RIV4835, changes=(Change("ac_charge_current", 35),), connect_timeout=5.0)
    _, report = await reader.write(route, plan)
    assert [item.outcome for item in report.settings] == [outcome]
    assert device.writes.seen == [(0xE205, (350,))]
    assert proxy.connects == 1
    await reader.stop()
    assert proxy.taken == []
    assert not connection_lock(hass, PROXY).locked()
    leave()
