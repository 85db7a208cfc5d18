#!/usr/bin/env python3
"""Measure many bridges on one broker, and what a restart of the broker costs. Nothing is asserted.

Each bridge is a process of its own with virtual devices, which are polled, stored, and published as real ones
are, but read without a child process: two cores do not start a hundred a second. The broker is a real
Mosquitto. Reported: messages a second, how long a state takes from the bridge to a
client, memory, and how long after a restart of the broker every state is right again.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
import json
from pathlib import Path
import signal
import sys
import tempfile
import time
from typing import Any

import _environment  # noqa: F401 - must be first: it enters the virtual environment


from blupow_ble import output
from blupow_ble.reader.messages import Message
from blupow_ble.reader.plan import ReadPlan
from blupow_ble.reader.reading import Reader
from blupow_ble.reader.result import Reading
from blupow_ble.reader.route import Route, virtual_route
from blupow_ble.virtual.device import virtual_device
from blupow_ble.virtual.link import VirtualLink

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bridge"))

import aiomqtt
from blupow_bridge import device as device_module
from blupow_bridge.config import Config, DeviceConfig
from blupow_bridge.device import BridgeDevice
from blupow_bridge.hub import Hub
from blupow_bridge.mqtt import publisher
from blupow_bridge.radio import Radio
from blupow_bridge.reader import DeviceReader
from blupow_bridge.service import handle_exception

from simulator.mosquitto import Mosquitto

FAMILIES = ("inverter", "controller", "dcdc", "battery", "shunt")
START_LIMIT = 180.0
AWAY = 5.0
"""Seconds that the broker is away."""


class NumberedDevice(DeviceConfig):
    """A virtual device of many of the same family."""

    number: int

    @property
    def id(self) -> str:
        """What it is called in topics."""
        return f"virtual_{self.profile}_{self.number}"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench_mqtt.py", description=__doc__)
    parser.add_argument("--bridges", type=int, default=10, help="processes (10)")
    parser.add_argument("--devices", type=int, default=100, help="of each bridge (100)")
    parser.add_argument("--interval", type=int, default=10, help="between readings, in s (10)")
    parser.add_argument("--seconds", type=float, default=60.0, help="that are measured (60)")
    parser.add_argument("--worker", nargs=2, metavar=("FOLDER", "PORT"), help=argparse.SUPPRESS)
    return parser


class InProcessReader(DeviceReader):
    """Reads a virtual device without a child process."""

    def __init__(self, radio: Radio, address: str, name: str) -> None:
        """Read the family that the name tells."""
        super().__init__(radio, address, name)
        self._device = virtual_device(name.split(maxsplit=1)[0])

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Take one reading."""
        reader = Reader(VirtualLink(self._device), plan.units, budget=plan.budget)
        try:
            return virtual_route(), await reader.read()
        finally:
            await reader.close()


async def work(folder: Path, port: int, options: argparse.Namespace) -> None:
    """Run one bridge until it is told to stop; its states tell when they were made."""
    made = publisher.state_of

    def stamped(device: BridgeDevice) -> Message:
        return made(device) | {"made": time.monotonic()}

    publisher.state_of = stamped
    device_module.DeviceReader = InProcessReader
    devices = tuple(
        NumberedDevice(
            name=f"{FAMILIES[number % len(FAMILIES)]} {number}",
            virtual=True,
            profile=FAMILIES[number % len(FAMILIES)],
            update_interval=options.interval,
            number=number,
        )
        for number in range(options.devices)
    )
    hub = Hub(
        Config(data=folder, devices=devices, mqtt={"host": "127.0.0.1", "port": port})  # type: ignore[arg-type]
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_exception)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await hub.start()
    await hub.store.start()
    await stop.wait()
    assert hub.mqtt is not None
    (folder / "report.json").write_text(json.dumps(hub.mqtt.report))
    await hub.stop()


class Watcher:
    """A client that sees all states."""

    def __init__(self, port: int) -> None:
        """Watch a broker."""
        self._port = port
        self.waits: list[float] = []
        self.made: dict[str, float] = {}
        """When the last state of each device was made."""
        self.online: set[str] = set()
        self.messages = 0

    async def run(self) -> None:
        """Watch for good, over restarts of the broker."""
        while True:
            with suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self._port, timeout=5) as client:
                    await client.subscribe("blupow/#")
                    async for message in client.messages:
                        self._take(message)
            self.online.clear()
            await asyncio.sleep(0.2)

    def _take(self, message: aiomqtt.Message) -> None:
        topic, payload = message.topic.value, message.payload
        assert isinstance(payload, bytes)
        self.messages += 1
        if topic.endswith("/availability"):
            (self.online.add if payload == b"online" else self.online.discard)(topic)
        elif topic.endswith("/state") and payload:
            state = json.loads(payload)
            if not message.retain and state["available"]:
                self.waits.append(time.monotonic() - state["made"])
            self.made[topic] = state["made"] if state["available"] else 0.0


@asynccontextmanager
async def bridges(
    folder: Path, port: int, options: argparse.Namespace
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Run the bridges."""
    found = []
    for number in range(options.bridges):
        (folder / str(number)).mkdir()
        found.append(
            await asyncio.create_subprocess_exec(
                *(sys.executable, __file__, "--worker", str(folder / str(number)), str(port)),
                *("--devices", str(options.devices), "--interval", str(options.interval)),
            )
        )
    try:
        yield found
    finally:
        for process in found:
            with suppress(ProcessLookupError):
                process.terminate()
        await asyncio.gather(*(process.wait() for process in found))


async def until(what: str, condition: Callable[[], Any], limit: float) -> float:
    """Wait for a condition; return how many seconds it took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > limit:
            raise SystemExit(f"not within {limit:g} s: {what}")
        await asyncio.sleep(0.1)
    return time.monotonic() - begun


def memory(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def processor(pid: int) -> float:
    """Return the seconds of a processor that a process has had."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / 100


async def measure(options: argparse.Namespace, folder: Path) -> None:
    """Start everything, measure, restart the broker, and measure again."""
    broker = Mosquitto(folder / "mosquitto")
    broker.start()
    watcher = Watcher(broker.port)
    watching = asyncio.create_task(watcher.run())
    wanted = options.bridges * options.devices

    def all_known() -> bool:
        return len(watcher.made) == wanted and all(watcher.made.values())

    async with bridges(folder, broker.port, options) as processes:
        seconds = await until("all states", all_known, START_LIMIT)
        print(f"{wanted} devices of {options.bridges} bridges: all known after {seconds:.0f} s")
        pids = [process.pid for process in processes]
        await asyncio.sleep(2 * options.interval)
        watcher.waits.clear()
        before, cpu = watcher.messages, [processor(pid) for pid in (*pids, broker.pid)]
        await asyncio.sleep(options.seconds)
        spent = [processor(pid) - was for pid, was in zip((*pids, broker.pid), cpu, strict=True)]
        waits = sorted(watcher.waits)
        sizes = [memory(pid) for pid in pids]
        print(
            f"{(watcher.messages - before) / options.seconds:.0f} messages a second; "
            f"from bridge to client median {1000 * waits[len(waits) // 2]:.1f} ms, "
            f"p95 {1000 * waits[int(len(waits) * 0.95)]:.1f} ms, "
            f"longest {1000 * waits[-1]:.0f} ms"
        )
        print(
            f"a bridge: {max(sizes):.0f} MB at most, "
            f"{100 * sum(spent[:-1]) / len(pids) / options.seconds:.0f}% of a core; "
            f"the broker: {memory(broker.pid):.0f} MB, "
            f"{100 * spent[-1] / options.seconds:.0f}% of a core"
        )
        broker.stop(signal.SIGKILL)
        await asyncio.sleep(AWAY)
        begun = time.monotonic()
        broker.start()
        seconds = await until(
            "all states after a restart of the broker",
            lambda: (
                len(watcher.online) == options.bridges
                and sum(made > begun for made in watcher.made.values()) == wanted
            ),
            START_LIMIT,
        )
        print(f"the broker was killed for {AWAY:.0f} s: all states right {seconds:.1f} s later")
    reports = [
        json.loads((folder / str(number) / "report.json").read_text())
        for number in range(options.bridges)
    ]
    dropped = sum(sum(report["dropped"].values()) for report in reports)
    connections = [report["connections"] for report in reports]
    print(f"messages dropped: {dropped}; connections of each bridge: {max(connections)} at most")
    watching.cancel()
    await asyncio.wait((watching,))
    broker.stop()


def run() -> int:
    """Measure, or be one of the bridges."""
    options = build_parser().parse_args()
    if options.worker is not None:
        folder, port = options.worker
        asyncio.run(work(Path(folder), int(port), options))
        return 0
    with tempfile.TemporaryDirectory(prefix="blupow-bench-") as folder:
        asyncio.run(measure(options, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(output.run(run))
