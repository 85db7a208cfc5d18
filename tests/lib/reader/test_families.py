"""Each family through the real child, real bleak and D-Bus, on a simulated BlueZ."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import json

import pytest

from custom_components.blupow.lib.blupow_ble import cli
from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.controller import HISTORY
from custom_components.blupow.lib.blupow_ble.profiles.decoding import decode_history
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.reader import probing, process as process_module
from custom_components.blupow.lib.blupow_ble.reader.messages import Device, Operation, Request
from custom_components.blupow.lib.blupow_ble.reader.plan import UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.process import ReaderProcess
from custom_components.blupow.lib.blupow_ble.reader.result import Finding, Reading
from simulator.control import ControlClient

from ...helpers.simulated import disturb, run_simulator

KINDS = ("controller", "dcdc", "battery", "srne", "shunt", "hub")
ADDRESSES = {kind: f"C4:D3:6A:66:00:{number:02}" for number, kind in enumerate(KINDS, 1)}


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """Run a simulated BlueZ with a device of each kind."""
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
        assert await client.links() == []


async def blupow(*arguments: str) -> str:
    """Run the command line as a process of its own; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(*process_module.child_command(), *arguments),
        env=process_module.child_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def known(kind: str) -> Device:
    """Return a device that BlueZ knows for good: it was connected once."""
    await blupow("read", "--address", ADDRESSES[kind], "--json")
    path = f"/org/bluez/hci0/dev_{ADDRESSES[kind].replace(':', '_')}"
    return Device(address=ADDRESSES[kind], name=kind, object_path=path)


async def find(device: Device, operation: Operation) -> list[Finding]:
    """Have a child look for units."""
    process = ReaderProcess(
        Request(id=1, op=operation, device=device, connect_timeout=5.0, budget=40.0, deadline=50.0)
    )
    try:
        return await process.findings()
    finally:
        await process.close()


async def read(device: Device, *units: UnitPlan, **options: object) -> Reading:
    """Have a child read units."""
    process = ReaderProcess(
        Request(id=1, device=device, units=units, connect_timeout=5.0, deadline=25.0, **options)
    )
    try:
        return await process.reading()
    finally:
        await process.close()


@pytest.mark.parametrize(
    ("kind", "family", "model", "unit_id"),
    [
        ("controller", "controller", "Rover", 1),
        ("dcdc", "dcdc", "RBC", 1),
        ("battery", "battery", "SMART", 48),
        ("srne", "inverter", "SRNE", 1),
    ],
)
async def test_found_out_and_read(
    simulated: ControlClient, kind: str, family: str, model: str, unit_id: int
) -> None:
    """What is behind the module is reported by its answers; then each of its blocks is read."""
    device = await known(kind)
    (finding,) = await find(device, Operation.IDENTIFY)
    assert (finding.profile, finding.model, finding.unit_id) == (family, model, unit_id)
    profile = PROFILES[family]
    plan = UnitPlan(profile=profile, model=profile.model(model), unit_id=unit_id)
    reading = (await read(device, plan)).main
    assert (reading.unit_id, reading.model) == (unit_id, model)
    assert (reading.failed, reading.dropped) == ({}, [])
    register_map = profile.register_map(plan.model)
    assert set(reading.registers) == {block.start for block in register_map.blocks}
    assert reading.values["battery_voltage"] > 12


async def test_shunt(simulated: ControlClient) -> None:
    """It pushes; nothing is asked of it."""
    device = await known("shunt")
    reading = (await read(device, UnitPlan(profile=PROFILES["shunt"]))).main
    assert reading.unit_id is None
    assert reading.dropped == []
    assert 13 <= reading.values["battery_voltage"] <= 13.4
    state = await simulated.state()
    assert "requests" not in state["devices"][ADDRESSES["shunt"]]["counts"]


@pytest.mark.parametrize(
    ("fault", "code"), [("silent", ErrorCode.NO_RESPONSE), ("truncated", ErrorCode.BAD_FRAME)]
)
async def test_shunt_that_fails(simulated: ControlClient, fault: str, code: ErrorCode) -> None:
    """Silence and frames that are never whole."""
    device = await known("shunt")
    await simulated.fault(fault, address=ADDRESSES["shunt"])
    with pytest.raises(ReaderError) as caught:
        await read(device, UnitPlan(profile=PROFILES["shunt"]), budget=1.0)
    assert caught.value.code is code


async def test_hub(simulated: ControlClient) -> None:
    """All units are found by a search, and read over one connection; an unresponsive one takes none down."""
    device = await known("hub")
    found = await find(device, Operation.FIND_ALL)
    assert {(finding.unit_id, finding.profile) for finding in found} == {
        (48, "battery"),
        (49, "battery"),
        (96, "controller"),
    }
    plans = [
        UnitPlan(
            key=str(finding.unit_id), profile=PROFILES[finding.profile], unit_id=finding.unit_id
        )
        for finding in found
    ]
    missing = UnitPlan(key="50", profile=PROFILES["battery"], unit_id=50)
    before = (await simulated.state())["devices"][ADDRESSES["hub"]]["counts"]["links"]
    reading = await read(device, *plans, missing)
    after = (await simulated.state())["devices"][ADDRESSES["hub"]]["counts"]["links"]
    assert after == before + 1
    assert set(reading.units) == {"48", "49", "96"}
    assert reading.unresponsive == {"50": ErrorCode.NO_RESPONSE}
    for key, unit in reading.units.items():
        assert unit.values["device_id"] == int(key)
        assert unit.failed == {}


async def test_history(simulated: ControlClient) -> None:
    """Days of a controller: blocks that overlap by number, each its own."""
    device = await known("controller")
    plan = UnitPlan(profile=PROFILES["controller"], unit_id=1)
    reading = (await read(device, plan, spans=HISTORY.spans)).main
    days = decode_history(HISTORY, reading.registers)
    assert list(days) == list(range(8))
    assert all(4900 < days[day]["solar_energy"] < 5200 for day in range(1, 8))


async def test_command_line_finds_nothing(
    simulated: ControlClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A module with nothing behind it."""
    monkeypatch.setattr(probing, "PROBE_TIMEOUT", 0.01)
    await simulated.fault("silent", address=ADDRESSES["hub"])
    arguments = ["probe", "--address", ADDRESSES["hub"], "--all"]
    assert await asyncio.to_thread(cli.main, arguments) == 1
    assert "no unit answers" in capsys.readouterr().err


async def test_command_line(simulated: ControlClient) -> None:
    """What is behind a module is reported, and read without being named."""
    output = await blupow("probe", "--address", ADDRESSES["battery"])
    assert output.split() == [
        *("unit", "48", "battery", "RBT100LFP12-BT,", "serial", "number", "VIRTUAL-BATT-048")
    ]
    (found,) = json.loads(await blupow("probe", "--address", ADDRESSES["dcdc"], "--json"))
    assert (found["profile"], found["model_text"]) == ("dcdc", "RBC50D1S-G6")
    answer = json.loads(await blupow("read", "--address", ADDRESSES["dcdc"], "--json"))
    assert answer["profile"] == "dcdc"
    assert answer["values"]["alternator_voltage"] > 13
    rows = json.loads(await blupow("scan", "--time", "1", "--json"))
    assert {row["address"] for row in rows} == set(ADDRESSES.values())
