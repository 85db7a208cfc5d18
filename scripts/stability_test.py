#!/usr/bin/env python3
"""Read a device many times with the integration's own reader, and report how stable that is."""

import argparse
import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
import json
import logging
import math
import os
from pathlib import Path
import re
import sys
import tempfile
import time
import warnings

import _environment  # noqa: F401  first: it brings the right Python and the library

from blupow_ble.reader import bluez
from blupow_ble import output
from blupow_ble.protocol.errors import ReaderError
from blupow_ble.reader.discovery import object_path_of, find_device
from blupow_ble.reader.messages import Device, Request
from blupow_ble.reader.process import ReaderProcess
from blupow_ble.reader.plan import UnitPlan
from blupow_ble.profiles import PROFILES
from blupow_ble.reader.timeouts import child_deadline, connect_timeout
from simulator.bus import BusError
from simulator.control import ControlClient, control
from simulator.faults import FaultName
from simulator.process import simulator

WANTED_SUCCESS = 80.0
WANTED_CONNECT = 15.0
SCAN_TIME = 15.0


@dataclass
class Report:
    """What was seen."""

    runs: int = 0
    connects: list = field(default_factory=list)
    totals: list = field(default_factory=list)
    errors: Counter = field(default_factory=Counter)
    leaked_processes: int = 0
    leaked_links: int = 0
    leaked_descriptors: int = 0
    runtime_warnings: list = field(default_factory=list)

    @property
    def successes(self) -> int:
        """Runs that brought a reading."""
        return len(self.totals)

    @property
    def success_rate(self) -> float:
        """Percent of the runs."""
        return 100.0 * self.successes / self.runs if self.runs else 0.0

    def failings(self) -> list:
        """Say what is not as it should be."""
        found = []
        if self.success_rate < WANTED_SUCCESS:
            found.append(
                f"only {self.success_rate:.0f} % of the runs succeeded ({WANTED_SUCCESS:.0f} % wanted)"
            )
        if self.connects and sum(self.connects) / len(self.connects) >= WANTED_CONNECT:
            found.append(f"the mean connect time is not below {WANTED_CONNECT:.0f} s")
        found.extend(
            f"{leaked} leaked {what}"
            for what in ("processes", "links", "descriptors")
            if (leaked := getattr(self, f"leaked_{what}"))
        )
        if self.runtime_warnings:
            found.append(f"{len(self.runtime_warnings)} RuntimeWarnings")
        return found

    def as_dict(self) -> dict:
        """Return the report for JSON."""
        return {
            "runs": self.runs,
            "successes": self.successes,
            "success_rate": round(self.success_rate, 1),
            "connect_s": statistics(self.connects),
            "total_s": statistics(self.totals),
            "errors": dict(self.errors),
            "leaked": {
                "processes": self.leaked_processes,
                "links": self.leaked_links,
                "descriptors": self.leaked_descriptors,
            },
            "runtime_warnings": self.runtime_warnings,
            "failings": self.failings(),
            "passed": not self.failings(),
        }


def statistics(seconds: list) -> dict | None:
    """Return mean, median, 95th percentile and maximum."""
    if not seconds:
        return None
    ordered = sorted(seconds)

    def percentile(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return {
        "mean": round(sum(ordered) / len(ordered), 3),
        "p50": round(percentile(0.5), 3),
        "p95": round(percentile(0.95), 3),
        "max": round(ordered[-1], 3),
    }


class WarningCounter(logging.Handler):
    """Collects the RuntimeWarnings that a child logged."""

    def __init__(self, found: list) -> None:
        """Collect into a list."""
        super().__init__(logging.WARNING)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a RuntimeWarning."""
        text = record.getMessage()
        if "RuntimeWarning" in text:
            self._found.append(text)


def bounded(low: float, high: float, kind: type):
    """Return an argument type with a range."""

    def parse(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not within {low:g}-{high:g}")
        return value

    return parse


def address(text: str) -> str:
    """Return a Bluetooth address in its usual form."""
    upper = text.strip().upper().replace("-", ":")
    if not re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", upper):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no Bluetooth address; one looks like C4:D3:6A:66:7E:D4"
        )
    return upper


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Read a device many times with the integration's own reader, and report how stable that is. "
        "Exit 0 if at least 80 % of the runs succeed, the mean connect time is below 15 s, nothing leaks and "
        "no RuntimeWarning is seen; else 1."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--address", type=address, metavar="A", help="the device's Bluetooth address"
    )
    which.add_argument("--simulate", action="store_true", help="use a simulated device")
    parser.add_argument(
        "--runs", type=bounded(1, 100_000, int), default=10, metavar="N", help="how many (10)"
    )
    parser.add_argument(
        "--interval",
        type=bounded(0, 3600, float),
        default=2.0,
        metavar="S",
        help="pause between two (2)",
    )
    parser.add_argument(
        "--profile", choices=sorted(PROFILES), default="inverter", help="family (inverter)"
    )
    parser.add_argument(
        "--unit-id", type=bounded(1, 255, int), metavar="N", help="unit ID (found by trying)"
    )
    parser.add_argument(
        "--timeout", type=bounded(5, 60, float), metavar="S", help="to connect (25, growing to 45)"
    )
    parser.add_argument(
        "--fault",
        choices=list(FaultName),
        metavar="NAME",
        help="with --simulate: " + ", ".join(FaultName),
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def descriptors() -> int:
    """Return how many file descriptors are open."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def show_progress(report: Report, wanted: int) -> None:
    """Draw a bar, on a terminal."""
    if not sys.stderr.isatty():
        return
    width = 30
    done = width * report.runs // wanted
    line = f"\r[{'#' * done}{'.' * (width - done)}] {report.runs}/{wanted}  {report.success_rate:3.0f} % good"
    print(line, end="" if report.runs < wanted else "\n", file=sys.stderr, flush=True)


async def find(options: argparse.Namespace) -> Device:
    """Find the device to read. Raises ReaderError."""
    found = await find_device(options.address, SCAN_TIME)
    return Device(
        address=found.address, name=found.name or found.address, object_path=object_path_of(found)
    )


async def measure(
    options: argparse.Namespace, device: Device, simulated: ControlClient | None
) -> Report:
    """Read the device as often as wanted."""
    report = Report()
    unit = options.unit_id
    failures = 0
    logging.getLogger("blupow_ble").addHandler(WarningCounter(report.runtime_warnings))
    if simulated and options.fault:
        await simulated.fault(options.fault)
    before = None
    for number in range(options.runs):
        if number:
            await asyncio.sleep(options.interval)
        timeout = connect_timeout(failures, options.timeout)
        process = ReaderProcess(
            Request(
                id=number,
                device=device,
                units=(UnitPlan(profile=PROFILES[options.profile], unit_id=unit),),
                connect_timeout=timeout,
                deadline=child_deadline(timeout),
            )
        )
        started = time.monotonic()
        try:
            reading = await process.reading()
        except ReaderError as err:
            failures += 1
            report.errors[err.code.value] += 1
        else:
            failures = 0
            unit = reading.main.unit_id
            report.connects.append(reading.timings.connect)
            report.totals.append(time.monotonic() - started)
        await process.close()
        report.runs += 1
        if process.pid is not None and alive(process.pid):
            report.leaked_processes += 1
        links = (
            await simulated.links()
            if simulated
            else await bluez.connected_object_paths(device.address)
        )
        report.leaked_links += len(links or ())
        if before is None:
            before = descriptors()
        show_progress(report, options.runs)
    report.leaked_descriptors = max(0, descriptors() - (before or 0))
    return report


async def run(options: argparse.Namespace) -> Report:
    """Make the measurement, on a simulated device where that is wanted."""
    async with AsyncExitStack() as stack:
        simulated = None
        if options.simulate:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="blupow-"))
            running = await stack.enter_async_context(simulator(Path(folder)))
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = running.bus_address
            simulated = await stack.enter_async_context(control(running.bus_address))
            options.address = next(iter(running.devices))
        return await measure(options, await find(options), simulated)


def print_report(report: Report) -> None:
    """Print the report for people."""
    summary = report.as_dict()
    print(f"runs           {report.runs}, {report.successes} good ({report.success_rate:.0f} %)")
    for name, label in (("connect_s", "connect time"), ("total_s", "total time")):
        if figures := summary[name]:
            text = ", ".join(f"{key} {value:.2f} s" for key, value in figures.items())
            print(f"{label:<14} {text}")
    if report.errors:
        print(
            "errors         "
            + ", ".join(f"{code} x {count}" for code, count in report.errors.most_common())
        )
    print(
        f"leaked         {report.leaked_processes} processes, {report.leaked_links} links, "
        f"{report.leaked_descriptors} file descriptors"
    )
    print(f"warnings       {len(report.runtime_warnings)} RuntimeWarnings")
    for warning in report.runtime_warnings[:5]:
        print(f"               {warning}")
    for failing in report.failings():
        print(f"NOT GOOD       {failing}")
    if not report.failings():
        print("GOOD")


def main() -> int:
    """Run the test."""
    parser = build_parser()
    options = parser.parse_args()
    if options.fault and not options.simulate:
        parser.error("--fault needs --simulate")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            report = asyncio.run(run(options))
        except (ReaderError, BusError) as err:
            print(f"stability_test: {err}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    report.runtime_warnings += [
        str(item.message) for item in caught if issubclass(item.category, RuntimeWarning)
    ]
    if options.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        print_report(report)
    return 1 if report.failings() else 0


if __name__ == "__main__":
    sys.exit(output.run(main))
