#!/usr/bin/env python3
"""Take one reading of an inverter step by step, and say at each step what was seen."""

import argparse
import asyncio
from contextlib import AsyncExitStack
import logging
import os
from pathlib import Path
import sys
import tempfile
import time

import _environment  # noqa: F401  first: it brings the right Python and the library

from blupow_ble.reader import bluez
from blupow_ble import output
from blupow_ble.protocol.errors import ReaderError
from blupow_ble.reader.link import BleLink
from blupow_ble.reader.discovery import find_device
from blupow_ble.reader.plan import UnitPlan
from blupow_ble.profiles import PROFILES
from blupow_ble.reader.reading import Reader
from blupow_ble.reader.timeouts import CONNECT_TIMEOUT
from blupow_ble.protocol.characteristics import find_characteristics
from blupow_ble.virtual.device import VirtualDevice
from blupow_ble.virtual.link import VirtualLink
from simulator.bus import BusError
from simulator.faults import FaultName
from simulator.process import simulator

SCAN_TIME = 15.0


class Steps:
    """Prints numbered steps and how long they took."""

    def __init__(self) -> None:
        """Start at step 1."""
        self._number = 0
        self._started = time.monotonic()

    def begin(self, text: str) -> None:
        """Begin a step."""
        self._number += 1
        self._started = time.monotonic()
        print(f"{self._number}. {text} ...", flush=True)

    def done(self, text: str) -> None:
        """End a step."""
        print(f"   ok ({time.monotonic() - self._started:.2f} s): {text}", flush=True)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Take one reading of an inverter step by step, and say at each step what was seen."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--address", metavar="A", help="the inverter's Bluetooth address")
    which.add_argument(
        "--simulate", action="store_true", help="use a simulated inverter on a simulated Bluetooth"
    )
    which.add_argument(
        "--virtual", action="store_true", help="use a virtual inverter, without Bluetooth"
    )
    parser.add_argument(
        "--unit-id", type=int, choices=range(1, 256), metavar="N", help="its unit ID"
    )
    parser.add_argument(
        "--timeout", type=float, default=CONNECT_TIMEOUT, metavar="S", help="to connect (25)"
    )
    parser.add_argument(
        "--fault",
        choices=list(FaultName),
        metavar="NAME",
        help="with --simulate: " + ", ".join(FaultName),
    )
    parser.add_argument("--verbose", action="store_true", help="show what the library logs")
    return parser


async def find_link(options: argparse.Namespace, steps: Steps):
    """Find the inverter."""
    if options.virtual:
        return VirtualLink(VirtualDevice())
    address = options.address.strip().upper().replace("-", ":")
    steps.begin(f"looking whether a dead program left a link to {address}")
    if paths := await bluez.connected_object_paths(address):
        steps.done(f"BlueZ holds a link at {', '.join(paths)}: it is used, and closed afterwards")
    else:
        steps.done("no")
    steps.begin("finding the inverter (first BlueZ is asked, then a scan is made)")
    device = await find_device(address, SCAN_TIME)
    steps.done(f"{device.name} {device.address}")
    return BleLink(device, options.timeout)


async def run(options: argparse.Namespace) -> None:
    """Go through the steps. Raises ReaderError."""
    steps = Steps()
    async with AsyncExitStack() as stack:
        if options.simulate:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="blupow-"))
            faults = ["--fault", options.fault] if options.fault else []
            running = await stack.enter_async_context(simulator(Path(folder), *faults))
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = running.bus_address
            options.address = next(iter(running.devices))
        link = await find_link(options, steps)
        steps.begin(f"connecting (at most {options.timeout:g} s)")
        try:
            client = await link.connect()
            steps.done(f"connected at attempt {link.attempts}")
            steps.begin("finding the Renogy services")
            found = find_characteristics(client.services)
            steps.done(
                f"requests go to {found.write.uuid[4:8]}, replies come from {found.notify.uuid[4:8]}"
            )
        finally:
            await link.disconnect()
        steps.begin("connecting again and reading all blocks")
        reader = Reader(link, [UnitPlan(profile=PROFILES["inverter"], unit_id=options.unit_id)])
        try:
            reading = (await reader.read()).main
        finally:
            await reader.close()
        steps.done(
            f"unit {reading.unit_id}, model {reading.model or 'not told'}, {len(reading.values)} values"
        )
        for key, value in reading.values.items():
            print(f"   {key:<26}{value}")
        for block, code in reading.failed.items():
            print(f"   block {block} was not answered: {code}")
        for key in reading.dropped:
            print(f"   {key} was dropped: its value cannot be true")


def main() -> int:
    """Run the test."""
    parser = build_parser()
    options = parser.parse_args()
    if options.fault and not options.simulate:
        parser.error("--fault needs --simulate")
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.ERROR)
    try:
        asyncio.run(run(options))
    except (ReaderError, BusError) as err:
        print(f"   FAILED: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("the inverter can be read")
    return 0


if __name__ == "__main__":
    sys.exit(output.run(main))
