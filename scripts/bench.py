#!/usr/bin/env python3
"""Measure many devices on one adapter in a real Home Assistant on the simulated radio. Nothing is asserted.

Reported: how long a change of settings takes and how many connections it needs, whether each poll was done in
its interval, how many connections the adapter had at a time, and how long the event loop was held by BluPow.
"""

import argparse
import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
import json
import os
from pathlib import Path
import statistics
import sys
import tempfile
import time
from typing import Any

import _environment  # noqa: F401 - must be first: it enters the virtual environment

from blupow_ble import output
from simulator.__main__ import ADAPTER_ADDRESS
from simulator.bus import BusError
from simulator.control import ControlClient, control
from simulator.home_assistant import HomeAssistant, HomeAssistantError, free_port, home_assistant
from simulator.loop_watch import REPORT
from simulator.process import simulator


def within[T: (int, float)](low: T, high: T) -> Callable[[str], T]:
    """Return what reads a number of the limits' type, and refuses one beyond them."""

    def read(text: str) -> T:
        try:
            number = type(low)(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not within {low}-{high}")
        return number

    return read


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench.py", description=__doc__)
    parser.add_argument("--devices", type=within(1, 50), default=10, help="how many inverters (10)")
    parser.add_argument(
        "--interval", type=within(10, 300), default=30, help="update interval in seconds (30)"
    )
    parser.add_argument(
        "--minutes", type=within(0.1, 600), default=5.0, help="how long to measure (5)"
    )
    parser.add_argument(
        "--changes", type=within(1, 30), default=10, help="how many changes of settings (10)"
    )
    parser.add_argument(
        "--disconnect-time",
        type=within(0.0, 5.0),
        default=2.0,
        help="seconds that BlueZ takes to disconnect (2, as the real one does)",
    )
    return parser


@dataclass(frozen=True, slots=True)
class Polls:
    """The polls of one device."""

    seconds: list[float]
    """How long each took, with its wait for the adapter."""
    gaps: list[float]
    """From one to the next."""
    failed: int


async def add_all(running: HomeAssistant, count: int, options: dict[str, Any]) -> list[str]:
    """Add every device that is discovered, with these options; return the entries."""
    entries: list[str] = []
    while len(entries) < count:
        result = await running.answer_flow((await running.discovered())["flow_id"], {})
        if result["type"] != "create_entry":
            raise HomeAssistantError(f"an inverter could not be added: {result.get('errors')}")
        entry_id = result["result"]["entry_id"]
        await running.set_options(entry_id, options)
        entries.append(entry_id)
        print(f"  added {result['title']}", flush=True)
    return entries


async def polls_of(running: HomeAssistant, entry_id: str) -> Polls:
    """Return the polls of a device since Home Assistant was started."""
    polls = (await running.diagnostics(entry_id))["polls"]
    times = [datetime.fromisoformat(poll["at"]) for poll in polls]
    return Polls(
        seconds=[poll["seconds"] for poll in polls],
        gaps=[(later - at).total_seconds() for at, later in pairwise(times)],
        failed=sum(poll["error"] is not None for poll in polls),
    )


def spread(values: list[float]) -> str:
    """Return the smallest, the middle and the largest of some values."""
    if not values:
        return "none"
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"min {low:.2f}  median {middle:.2f}  max {high:.2f}"


async def measure_changes(
    options: argparse.Namespace, running: HomeAssistant, radio: ControlClient, entry_id: str
) -> None:
    """Change one setting of the first device, then two at once, and print how long it took.

    A change is over when its entity shows what was read back. While it is measured the device is not polled.
    """
    (device,) = [
        device
        for device in await running.call("config/device_registry/list")
        if entry_id in device["config_entries"]
    ]
    entity = f"number.{device['name'].lower()}_ac_input_limit"

    async def shown() -> float | None:
        state = (await running.states()).get(entity)
        known = state is not None and state["state"] not in ("unknown", "unavailable")
        return float(state["state"]) if state is not None and known else None

    await running.wait_for(entity, shown)
    for names in (("ac_input_limit",), ("ac_input_limit", "charge_current")):
        seconds, connections = [], []
        for number in range(options.changes):
            limit = float(10 + number + 20 * (len(names) - 1))
            settings = dict(zip(names, (limit, 20.0 + 5 * (number % 2)), strict=False))
            before, started = await _connections(radio, device), time.perf_counter()
            await running.call(
                "call_service",
                domain="blupow",
                service="update_settings",
                service_data={"device_id": device["id"], "settings": settings},
            )
            while await shown() != limit:
                await asyncio.sleep(0)
            seconds.append(time.perf_counter() - started)
            connections.append(float(await _connections(radio, device) - before))
        print(f"\n{len(names)} setting(s) changed at once, {options.changes} times")
        print(f"seconds until the entity shows it {spread(seconds)}")
        print(f"connections for it                {spread(connections)}", flush=True)


async def _connections(radio: ControlClient, device: dict[str, Any]) -> int:
    """Return how often a device was connected."""
    devices = (await radio.state())["devices"].values()
    (found,) = [item for item in devices if item["name"] == device["name"]]
    links: int = found["counts"].get("links", 0)
    return links


async def measure(
    options: argparse.Namespace,
    running: HomeAssistant,
    radio: ControlClient,
    report: Path,
    entries: list[str],
) -> None:
    """Let time pass, and print what was seen."""
    print(f"measuring for {options.minutes:g} min ...", flush=True)
    await asyncio.sleep(60 * options.minutes)
    polls = [await polls_of(running, entry_id) for entry_id in entries]
    seconds = [value for item in polls for value in item.seconds]
    late = sum(value > options.interval for value in seconds)
    state = await radio.state()
    loop = json.loads(report.read_text())
    print(f"\n{options.devices} devices, interval {options.interval} s, {options.minutes:g} min")
    print(
        f"polls                        {len(seconds)}, {sum(item.failed for item in polls)} failed"
    )
    print(f"polls a device               {spread([float(len(item.seconds)) for item in polls])}")
    print(f"not done in their interval   {late}")
    print(f"seconds a poll, with waiting {spread(seconds)}")
    print(f"seconds from poll to poll    {spread([gap for item in polls for gap in item.gaps])}")
    print(f"connections at a time        {state['most_at_once']}")
    print(f"programs that have scanned   {state['scanned_by']}, one for each start")
    print(f"event loop held by BluPow    longest {1000 * loop['longest']['blupow']:.1f} ms")
    print(f"event loop held by others    longest {1000 * loop['longest']['others']:.1f} ms")
    for slow in loop["slow"]:
        print(f"  {1000 * slow['seconds']:.1f} ms: {', '.join(slow['files'])}")


DEFAULTS = {
    "cache_time": 300,
    "grace_time": 600,
    "may_be_off": False,
    "route": "automatic",
    "heartbeat_interval": 120,
    "stale_age": 300,
    "stale_checks": 3,
    "recovery_limit": 10,
    "notify_on_recovery": False,
    "allow_changes": True,
    "source_dwell": 600,
    "log_file": False,
}


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Run the simulated radio and Home Assistant, and measure."""
    report = folder / "loop.json"
    os.environ[REPORT] = str(report)
    inverters = ("--inverters", str(options.devices))
    disconnect = ("--disconnect-time", str(options.disconnect_time))
    async with (
        simulator(folder / "bus", *inverters, *disconnect) as devices,
        control(devices.bus_address) as radio,
    ):

        def start() -> AbstractAsyncContextManager[HomeAssistant]:
            return home_assistant(
                folder / "config",
                devices.bus_address,
                free_port(),
                adapters=[ADAPTER_ADDRESS.format(0x13)],
                module="simulator.loop_watch",
            )

        print("starting Home Assistant, adding the devices ...", flush=True)
        async with start() as running:
            wanted = DEFAULTS | {"update_interval": options.interval}
            entries = await add_all(running, options.devices, wanted)
        print("starting Home Assistant again ...", flush=True)
        async with start() as running:
            await running.set_options(entries[0], wanted | {"update_interval": 3600})
            await measure_changes(options, running, radio, entries[0])
            await running.set_options(entries[0], wanted)
            await measure(options, running, radio, report, entries)


def main() -> int:
    """Measure."""
    options = build_parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="blupow-bench-") as folder:
        try:
            asyncio.run(run(options, Path(folder)))
        except (BusError, HomeAssistantError) as err:
            print(f"bench: {err}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(output.run(main))
