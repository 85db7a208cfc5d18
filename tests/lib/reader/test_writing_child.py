"""Changed settings through the real child, real bleak and D-Bus, on a simulated BlueZ."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import json
from typing import Any

import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.setting import SettingValue
from custom_components.blupow.lib.blupow_ble.profiles.setting_rules import Reason
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.reader import process as process_module
from custom_components.blupow.lib.blupow_ble.reader.messages import Device, Operation, Request
from custom_components.blupow.lib.blupow_ble.reader.plan import Change, UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.process import ReaderProcess
from custom_components.blupow.lib.blupow_ble.reader.result import Outcome, WriteReport
from custom_components.blupow.lib.blupow_ble.virtual.writes import Habit
from simulator.control import ControlClient

from ...helpers.simulated import disturb, run_simulator

KINDS = ("riv4835", "controller", "srne")
ADDRESSES = {
    "controller": "C4:D3:6A:66:00:01",
    "srne": "C4:D3:6A:66:00:04",
    "riv4835": "C4:D3:6A:66:00:07",
}
LINKS_OF_A_READING = 2
"""One to find out what it is, one to read it."""
UNITS = {
    "riv4835": ("inverter", "RIV4835CSH1S", 32),
    "controller": ("controller", "Rover", 1),
    "srne": ("inverter", "SRNE", 1),
}


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """Run a simulated BlueZ with devices that can be changed."""
    also = [option for kind in KINDS for option in ("--also", kind)]
    yield from run_simulator("--fast", "--inverters", "0", *also)


@pytest.fixture
async def simulated(
    bus: str, real_sockets: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ControlClient]:
    """Have the children use it; whatever they do, no link is left."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
    async with disturb(bus) as client:
        yield client
        await client.do("writes", habit=Habit.KEEPS)
        assert await client.links() == []


def plan_of(kind: str) -> UnitPlan:
    """Return the plan of a kind's unit."""
    family, model, unit_id = UNITS[kind]
    profile = PROFILES[family]
    return UnitPlan(profile=profile, model=profile.model(model), unit_id=unit_id)


async def known(kind: str) -> Device:
    """Return a device that BlueZ knows for good: it was connected once."""
    reading = await asyncio.create_subprocess_exec(
        *(*process_module.child_command(), "read", "--address", ADDRESSES[kind], "--json"),
        env=process_module.child_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    await reading.communicate()
    assert reading.returncode == 0
    path = f"/org/bluez/hci0/dev_{ADDRESSES[kind].replace(':', '_')}"
    return Device(address=ADDRESSES[kind], name=kind, object_path=path)


def request(device: Device, kind: str, values: dict[str, SettingValue]) -> Request:
    """Return a request to change settings."""
    return Request(
        id=1,
        op=Operation.WRITE,
        device=device,
        units=(plan_of(kind),),
        changes=tuple(Change(key, value) for key, value in values.items()),
        connect_timeout=5.0,
        budget=25.0,
        deadline=40.0,
    )


async def change(kind: str, **values: SettingValue) -> WriteReport:
    """Have a child change settings."""
    process = ReaderProcess(request(await known(kind), kind, values))
    try:
        report, virtual = await process.written()
    finally:
        await process.close()
    assert virtual == {}
    return report


async def writes_of(simulated: ControlClient, kind: str) -> list[Any]:
    """Return the writes that a device has seen since the simulator began."""
    found: list[Any] = (await simulated.state())["devices"][ADDRESSES[kind]]["writes"]
    return found


@pytest.mark.parametrize(
    ("habit", "code", "outcome", "reason"),
    [
        (Habit.KEEPS, 0, Outcome.WRITTEN, None),
        (Habit.FORGETS, 0, Outcome.UNCONFIRMED, Reason.NOT_KEPT),
        (Habit.SILENT, 0, Outcome.WRITTEN, None),
        (Habit.DEAF, 0, Outcome.UNCONFIRMED, Reason.NOT_KEPT),
        (Habit.OTHER_ECHO, 0, Outcome.WRITTEN, None),
        (Habit.CLIPS, 0, Outcome.UNCONFIRMED, Reason.NOT_KEPT),
        (Habit.SLOW, 0, Outcome.WRITTEN, None),
        (Habit.KEEPS_AND_REFUSES, 4, Outcome.WRITTEN, None),
        *((Habit.REFUSES, code, Outcome.REFUSED, Reason.EXCEPTION) for code in (2, 3, 4, 6, 8, 11)),
    ],
)
async def test_each_habit(
    simulated: ControlClient, habit: Habit, code: int, outcome: Outcome, reason: Reason | None
) -> None:
    """One write, and what is read back decides."""
    await simulated.do("register", address=ADDRESSES["riv4835"], values={0xE205: 100})
    await simulated.do("writes", habit=habit, code=code)
    before = len(await writes_of(simulated, "riv4835"))
    report = await change("riv4835", ac_charge_current=35)
    (setting,) = report.settings
    assert (setting.outcome, setting.reason, setting.before) == (outcome, reason, 10)
    assert setting.now == (35 if outcome is Outcome.WRITTEN else 10)
    assert (await writes_of(simulated, "riv4835"))[before:] == [[0xE205, [350]]]
    assert report.attempts == 1


async def test_a_type_that_loads_another_table(simulated: ControlClient) -> None:
    """All in one connection: the type, its table, a voltage of it."""
    await known("controller")
    links = (await simulated.state())["devices"][ADDRESSES["controller"]]["counts"]["links"]
    report = await change("controller", boost_voltage=14.2, battery_type="user")
    assert [item.outcome for item in report.settings] == [Outcome.WRITTEN] * 2
    assert await writes_of(simulated, "controller") == [[0xE004, [0]], [0xE008, [142]]]
    after = (await simulated.state())["devices"][ADDRESSES["controller"]]["counts"]["links"]
    assert after - links == LINKS_OF_A_READING + 1


async def test_registers_that_are_written_together(simulated: ControlClient) -> None:
    """By function 16."""
    report = await change("srne", charge_start_time="01:00", charge_end_time="05:30")
    assert [item.now for item in report.settings] == ["01:00", "05:30"]
    assert await writes_of(simulated, "srne") == [[0xE026, [0x0100, 0x051E, 0, 0, 0, 0, 0]]]


async def test_a_link_that_drops(simulated: ControlClient) -> None:
    """It is made anew for looking; what cannot be looked at is not claimed."""
    await simulated.do("register", address=ADDRESSES["riv4835"], values={0xE205: 100})
    device = await known("riv4835")
    before = len(await writes_of(simulated, "riv4835"))
    process = ReaderProcess(request(device, "riv4835", {"ac_charge_current": 20}))
    await simulated.fault("drops", address=ADDRESSES["riv4835"], seconds=0.9, times=1)
    try:
        report, _ = await process.written()
    finally:
        await process.close()
    assert report.settings[0].outcome in (Outcome.WRITTEN, Outcome.UNCONFIRMED)
    assert len(await writes_of(simulated, "riv4835")) - before <= 1


async def test_a_device_that_is_away(simulated: ControlClient) -> None:
    """It is an error as of a reading; nothing was sent."""
    device = await known("riv4835")
    before = await writes_of(simulated, "riv4835")
    await simulated.fault("out_of_range", address=ADDRESSES["riv4835"])
    process = ReaderProcess(request(device, "riv4835", {"ac_charge_current": 20}))
    with pytest.raises(ReaderError) as caught:
        await process.written()
    await process.close()
    assert caught.value.code in (ErrorCode.CONNECT_TIMEOUT, ErrorCode.CONNECT_FAILED)
    assert await writes_of(simulated, "riv4835") == before


async def test_a_child_that_is_stopped(simulated: ControlClient) -> None:
    """In the middle of a change: its link is ended, and the device can be read again."""
    device = await known("riv4835")
    await simulated.fault("silent", address=ADDRESSES["riv4835"])
    process = ReaderProcess(request(device, "riv4835", {"ac_charge_current": 20}))
    written = asyncio.create_task(process.written())
    while not await simulated.links():
        await asyncio.sleep(0)
    written.cancel()
    with pytest.raises(asyncio.CancelledError):
        await written
    await process.close()
    assert await simulated.links() == []


async def test_what_a_virtual_device_keeps() -> None:
    """Each child has a new one: what was written to it goes along."""
    virtual = Device(address="virtual", name="Virtual")
    profile = PROFILES["inverter"]
    plan = UnitPlan(profile=profile, model=profile.model("RIV1230RCH"), unit_id=32)
    asked = Request(
        id=1,
        op=Operation.WRITE,
        device=virtual,
        units=(plan,),
        changes=(Change("ac_input_limit", 16),),
        connect_timeout=5.0,
        deadline=25.0,
    )
    process = ReaderProcess(asked)
    report, kept = await process.written()
    await process.close()
    assert report.settings[0].outcome is Outcome.WRITTEN
    assert kept == {4456: 160}
    line = json.loads(asked.encode())
    assert line["changes"] == [{"key": "ac_input_limit", "value": 16}]
