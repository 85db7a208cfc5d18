"""Scenes of several units behind one module; each runs in a process of its own."""

import asyncio
import sys

from blupow_ble.profiles import PROFILES
from blupow_ble.protocol.errors import ErrorCode
from blupow_ble.supervisor.supervisor import Supervisor
from blupow_ble.supervisor.unit_state import UnitState
from blupow_ble.virtual import battery, controller
from blupow_ble.virtual.device import VirtualDevice
from host import Host, Refusing

SERIAL_NUMBER = 5110


def a_battery() -> Refusing:
    """Return a battery."""
    return Refusing(unit_id=48, model=battery.MODEL, kind="battery")


def with_a_battery(host: Host) -> tuple[Supervisor, UnitState]:
    """Return a started supervisor of an inverter and of a battery, and the latter."""
    unit = UnitState(key="48", profile=PROFILES["battery"], model=None, unit_id=48)
    supervisor = host.supervisor(others=[unit])
    supervisor.start()
    return supervisor, unit


def lines(supervisor: Supervisor) -> list[str]:
    """Return what the connection log holds."""
    return [line.text for line in supervisor.link.log.lines]


async def unit_that_does_not_answer() -> None:
    """It is known as such, and told once, while the other is read; and once that it is back."""
    device = a_battery()
    host = Host(others=[device])
    supervisor, unit = with_a_battery(host)
    await host.clock.settle()
    assert [(unit.key, reading.unit_id) for unit, reading in host.units_read] == [
        ("", 32),
        ("48", 48),
    ]
    assert unit.snapshot is not None
    device.refused = {block.start for block in unit.register_map.blocks if block.required}
    await host.clock.pass_time(91)
    assert (unit.unresponsive, unit.verified) == (ErrorCode.MODBUS_EXCEPTION, False)
    assert (supervisor.own.unresponsive, supervisor.own.verified) == (None, True)
    assert unit.snapshot.taken_at_monotonic == 1000
    assert lines(supervisor) == ["unit 48 does not answer while others do: modbus_exception"]
    device.refused = set()
    await host.clock.pass_time(61)
    assert (unit.unresponsive, unit.verified) == (None, True)
    assert unit.snapshot.taken_at_monotonic == 1150
    assert lines(supervisor)[1:] == ["unit 48 answers again"]
    await supervisor.stop()


async def unit_in_the_place_of_another() -> None:
    """Its serial number tells: nothing of it is kept; it is told once."""
    device = a_battery()
    host = Host(others=[device])
    supervisor, unit = with_a_battery(host)
    await host.clock.settle()
    number = unit.serial_number
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(31)
    assert (unit.verified, supervisor.own.verified) == (False, False)
    before = len(lines(supervisor))
    host.error = None
    device.overrides[SERIAL_NUMBER] = 0x3939
    await host.clock.pass_time(61)
    assert (unit.unresponsive, unit.verified) == (ErrorCode.WRONG_UNIT, False)
    assert unit.serial_number == number
    assert unit.snapshot is not None
    assert unit.snapshot.taken_at_monotonic == 1000
    assert lines(supervisor)[before:] == [
        "unit 48 has another serial number now: search for units again",
        "fresh readings again (was offline)",
    ]
    device.overrides.clear()
    await host.clock.pass_time(31)
    assert (unit.unresponsive, unit.verified) == (None, True)
    assert lines(supervisor)[-1] == "unit 48 answers again"
    await supervisor.stop()


async def device_with_another_serial_number() -> None:
    """A device that is alone is what it is: a part of it was replaced."""
    host = Host()
    supervisor = host.supervisor()
    supervisor.start()
    await host.clock.settle()
    number = supervisor.own.serial_number
    host.error = ErrorCode.NO_RESPONSE
    await host.clock.pass_time(31)
    host.error = None
    host.device.overrides[4112] = 0x3939
    await host.clock.pass_time(31)
    assert supervisor.own.unresponsive is None
    assert supervisor.own.verified
    assert supervisor.own.serial_number not in (None, number)
    await supervisor.stop()


async def unit_id_that_is_learned() -> None:
    """Of the own unit alone; others are where the user has found them."""
    host = Host(others=[a_battery()])
    supervisor, unit = with_a_battery(host)
    supervisor.own.unit_id = None
    await host.clock.settle()
    assert (supervisor.own.unit_id, unit.unit_id) == (32, 48)
    # in a recovery it stays: another one could be taken for it
    host.error = ErrorCode.NO_RESPONSE
    await asyncio.gather(supervisor.watchdog.force(), return_exceptions=True)
    assert [plan.units[0].unit_id for plan in host.plans[1:]] == [32, 32, 32]
    await supervisor.stop()


async def unit_that_is_found_by_the_way() -> None:
    """The tenth good poll asks the likeliest unit ID that is not known; who answers there is told."""
    charger = VirtualDevice(unit_id=controller.UNIT, model=controller.MODEL, kind="controller")
    host = Host(others=[charger])
    supervisor = host.supervisor()
    supervisor.start()
    await host.clock.pass_time(8 * 30 + 1)
    assert host.found == []
    await host.clock.pass_time(30)
    assert host.plans[9].look_at == 1
    assert [(found.unit_id, found.profile) for found in host.found] == [(1, "controller")]
    await supervisor.stop()


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](), debug=True)
    assert not [name for name in sys.modules if name.partition(".")[0] == "homeassistant"]
