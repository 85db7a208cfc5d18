"""500 readings through all faults in a random order: nothing leaks, every failure has its code."""

import asyncio
import os
import random

import pytest

from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.reader import process as process_module
from custom_components.blupow.lib.blupow_ble.reader.messages import Device, Request
from custom_components.blupow.lib.blupow_ble.reader.plan import UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.process import ReaderProcess
from simulator.control import ControlClient, control
from simulator.faults import FaultName

from ..helpers.processes import descriptors, memory, readers_on
from ..helpers.simulated import run_simulator

SEED = 20261121
POLLS = 500
INVERTERS = 10
# a fault of the adapter strikes all at once, so the pace-maker switches it, not the pollers; and what
# only a recovery heals says nothing about a reader
ELSEWHERE = (FaultName.ADAPTER_GONE, FaultName.STALE_OBJECT)
FAULTS = [None, *(fault for fault in FaultName if fault not in ELSEWHERE)]
ADAPTER_GONE_EVERY = 125
SCAN = ("scan", "--time", "1.5")


async def scan() -> None:
    """Have BlueZ know all inverters."""
    child = await asyncio.create_subprocess_exec(
        *(*process_module.child_command(), *SCAN),
        env=process_module.child_environment(),
        stdout=asyncio.subprocess.DEVNULL,
    )
    await child.wait()


class Marathon:
    """Pollers that share a number of polls."""

    def __init__(self, radio: ControlClient) -> None:
        """Begin."""
        self.radio = radio
        self.random = random.Random(SEED)
        self.left = POLLS
        self.good = 0
        self.codes: dict[FaultName | None, set[ErrorCode]] = {}
        self.pids: list[int] = []
        self.memory: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def poll(self, address: str) -> None:
        """Read one inverter with one fault after the other."""
        while self.left > 0:
            await self.gate.wait()
            self.left -= 1
            if self.left % 25 == 0:
                self.memory.append(memory())
            fault = self.random.choice(FAULTS)
            await self.radio.clear(address=address)
            if fault is not None:
                await self.radio.fault(fault, address=address, times=self.random.choice([None, 1]))
            await self.read(address, fault)

    async def read(self, address: str, fault: FaultName | None) -> None:
        """Take one reading; note its outcome."""
        process = ReaderProcess(
            Request(
                id=self.left,
                device=Device(address=address, name=address),
                units=(UnitPlan(profile=INVERTER, unit_id=32, blocks=("battery",)),),
                connect_timeout=4.0,
                deadline=24.0,
            )
        )
        try:
            reading = await process.reading()
        except ReaderError as err:
            self.codes.setdefault(fault, set()).add(err.code)
        else:
            assert reading.main.values["battery_voltage"] > 12
            self.good += 1
        await process.close()
        assert process.pid is not None
        self.pids.append(process.pid)

    async def disturb_adapter(self) -> None:
        """Unplug the adapter now and then; afterwards a scan makes the inverters known again."""
        due = POLLS - ADAPTER_GONE_EVERY
        while self.left > 0:
            if self.left <= due:
                due -= ADAPTER_GONE_EVERY
                await self.radio.do("unplug")
                reached = self.left - INVERTERS
                while self.left > max(reached, 0):
                    await asyncio.sleep(0.05)
                self.gate.clear()
                await self.radio.do("plug_in")
                # one that is out of range now would stay unknown until the next scan
                await self.radio.clear()
                await scan()
                self.gate.set()
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("real_sockets")
async def test_500_polls_through_all_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten inverters at once, faults of the radio, the device and the adapter."""
    # 500 processes would otherwise each write their coverage
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)
    for bus_address in run_simulator("--fast", "--inverters", str(INVERTERS)):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address)
        async with control(bus_address) as radio:
            await scan()
            before = descriptors()
            marathon = Marathon(radio)
            addresses = list((await radio.state())["devices"])
            async with asyncio.TaskGroup() as tasks:
                for address in addresses:
                    tasks.create_task(marathon.poll(address))
                tasks.create_task(marathon.disturb_adapter())
            await radio.clear()

            assert len(marathon.pids) == POLLS
            assert readers_on(bus_address) == []
            assert await radio.links() == []
            assert descriptors() == before
            # flat: what the first hundred polls needed is what the last hundred need
            assert max(marathon.memory[-4:]) - max(marathon.memory[:5]) < 4096
            assert marathon.good > POLLS // 4
            reported = set().union(*marathon.codes.values())
            assert not reported & {
                ErrorCode.BAD_REPLY,
                ErrorCode.BAD_REQUEST,
                ErrorCode.READER_CRASHED,
            }
            assert reported >= {
                ErrorCode.CONNECT_TIMEOUT,
                ErrorCode.NO_RESPONSE,
                ErrorCode.BAD_FRAME,
                ErrorCode.WRONG_UNIT,
                ErrorCode.MODBUS_EXCEPTION,
                ErrorCode.HELD_BY_OTHER,
                ErrorCode.ADAPTER_UNAVAILABLE,
            }
