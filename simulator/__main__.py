"""`python -m simulator`: a simulated BlueZ with virtual Renogy inverters, until it is ended."""

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
import json
import logging
from pathlib import Path
import signal
import sys
import tempfile
from typing import TYPE_CHECKING, Final

from blupow_ble.virtual.device import Module, VirtualDevice, virtual_bus, virtual_device

from .bluez import Bluez
from .bus import BusError, address, private_bus
from .control import Control, ControlError, control
from .faults import FaultName
from .peripheral import Peripheral, Radio

if TYPE_CHECKING:
    from .proxy import Proxy

FIRST_NAME = 134000035
FIRST_ADDRESS = 0xC4D36A000035
OTHERS_ADDRESS = 0xC4D36A660001
OTHERS: Final[Mapping[str, tuple[str, Callable[[], Module]]]] = {
    "controller": ("BT-TH-{:08X}", lambda: virtual_device("controller")),
    "dcdc": ("BT-TH-{:08X}", lambda: virtual_device("dcdc")),
    "battery": ("BT-TH-{:08X}", lambda: virtual_device("battery")),
    "srne": ("BT-TH-{:08X}", lambda: virtual_device("srne")),
    "shunt": ("RTMShunt300A1B2", lambda: virtual_device("shunt")),
    "hub": (
        "BT-TH-{:08X}",
        lambda: virtual_bus([("battery", 48), ("battery", 49), ("controller", 96)]),
    ),
    "riv4835": ("RNGRIU48{:08X}", lambda: virtual_device("riv4835")),
}
"""What else can be simulated: its name, and what is behind it."""
ADAPTER_ADDRESS = "00:1A:7D:DA:71:{:02X}"
PROXY_ADDRESS = "08:3A:F2:00:00:{:02X}"


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"{text!r} is not within 1-50")
    return int(text)


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="simulator",
        description="Run a simulated BlueZ on a private D-Bus, with virtual Renogy inverters on it. "
        "Programs started with the printed DBUS_SYSTEM_BUS_ADDRESS find them.",
        epilog="faults: " + ", ".join(FaultName),
    )
    parser.add_argument("--folder", type=Path, help="where the socket goes (a new folder in /tmp)")
    parser.add_argument("--inverters", type=_count_or_none, default=1, help="how many (1)")
    parser.add_argument(
        "--also",
        action="append",
        choices=list(OTHERS),
        default=[],
        metavar="KIND",
        help="another device too: " + ", ".join(OTHERS),
    )
    parser.add_argument("--adapters", type=_count, default=1, help="how many (1)")
    parser.add_argument(
        "--proxy",
        action="append",
        type=int,
        default=[],
        metavar="PORT",
        help="an ESPHome Bluetooth proxy too, whose API is on this port of the loopback",
    )
    parser.add_argument(
        "--disconnect-time",
        type=float,
        metavar="S",
        help="how long a disconnect takes (0.05); a real bluetoothd needs 2 s",
    )
    parser.add_argument("--fast", action="store_true", help="without the delays of a real radio")
    parser.add_argument(
        "--fault",
        action="append",
        type=FaultName,
        choices=list(FaultName),
        default=[],
        metavar="NAME",
        help="begin with this fault",
    )
    parser.add_argument(
        "--do",
        metavar="JSON",
        help='tell a simulator that runs in --folder, for instance \'{"op": "fault", "name": "silent"}\'; '
        "operations: state, fault, clear, drop, register, signal, unplug, plug_in, restart",
    )
    parser.add_argument("--verbose", action="store_true", help="log every call")
    return parser


def inverters(count: int, listeners: Sequence[str], *, fast: bool) -> list[Peripheral]:
    """Return virtual inverters BTRIC134000035, BTRIC134000036, ..."""
    return [
        Peripheral(
            address=_address(FIRST_ADDRESS + number),
            name=f"BTRIC{FIRST_NAME + number}",
            device=VirtualDevice(),
            radio=_radio(listeners, fast=fast),
        )
        for number in range(count)
    ]


def others(kinds: Sequence[str], listeners: Sequence[str], *, fast: bool) -> list[Peripheral]:
    """Return a virtual device of each kind."""
    return [
        Peripheral(
            address=_address(address := OTHERS_ADDRESS + list(OTHERS).index(kind)),
            name=OTHERS[kind][0].format(address & 0xFFFFFFFF),
            device=OTHERS[kind][1](),
            radio=_radio(listeners, fast=fast),
        )
        for kind in kinds
    ]


def names_of(count: int, kinds: Sequence[str]) -> list[str]:
    """Return the names of so many inverters and of a device of each kind, inverters first."""
    devices = (*inverters(count, (), fast=True), *others(kinds, (), fast=True))
    return [device.name for device in devices]


def _address(number: int) -> str:
    raw = f"{number:012X}"
    return ":".join(raw[i : i + 2] for i in range(0, 12, 2))


def _radio(listeners: Sequence[str], *, fast: bool) -> Radio:
    """Return a radio that the first listener hears best."""
    radio = Radio(rssi={name: -60 - 20 * position for position, name in enumerate(listeners)})
    if fast:
        radio.interval = 0.2
        radio.connect_time = radio.resolve_time = radio.disconnect_time = 0.01
        radio.reply_time = radio.fragment_gap = 0.002
        radio.push_interval = 0.05
    return radio


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Run until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    names = [f"hci{number}" for number in range(options.adapters)]
    proxy_names = [f"proxy{number}" for number in range(len(options.proxy))]
    listeners = [*names, *proxy_names]
    adapters = {name: ADAPTER_ADDRESS.format(0x13 + number) for number, name in enumerate(names)}
    async with private_bus(folder) as daemon:
        bluez = Bluez(
            address(folder),
            adapters,
            [
                *inverters(options.inverters, listeners, fast=options.fast),
                *others(options.also, listeners, fast=options.fast),
            ],
        )
        if options.disconnect_time is not None:
            for peripheral in bluez.peripherals.values():
                peripheral.radio.disconnect_time = options.disconnect_time
        proxies = await _start_proxies(bluez, dict(zip(proxy_names, options.proxy, strict=True)))
        await bluez.start()
        try:
            await Control(bluez, proxies).start()
            for fault in options.fault:
                bluez.set_fault(fault, None, None, None)
            print(f"DBUS_SYSTEM_BUS_ADDRESS={address(folder)}", flush=True)
            for peripheral in bluez.peripherals.values():
                print(f"{peripheral.address}  {peripheral.name}", flush=True)
            print("ready", flush=True)
            waiting = {
                asyncio.create_task(stop.wait()),
                asyncio.create_task(daemon.wait()),
            }
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        finally:
            for proxy in proxies.values():
                await proxy.stop()
            await bluez.stop()


async def _start_proxies(bluez: Bluez, ports: Mapping[str, int]) -> dict[str, Proxy]:
    """Start the proxies by their names; what they need is there where the tests are."""
    if not ports:
        return {}
    from .proxy import Proxy  # noqa: PLC0415

    proxies = {
        name: Proxy(name, PROXY_ADDRESS.format(number), port, bluez.peripherals, bluez.spawn)
        for number, (name, port) in enumerate(ports.items())
    }
    for proxy in proxies.values():
        proxy.link_ended = bluez.devices.serve_pending
        bluez.spawn(proxy.advertise())
        await proxy.start()
    return proxies


async def tell(folder: Path, text: str) -> int:
    """Have a running simulator do something."""
    try:
        request = json.loads(text)
        async with control(address(folder)) as client:
            answer = await client.do(**request)
    except (ControlError, TypeError, ValueError) as err:
        print(f"simulator: {err}", file=sys.stderr)
        return 1
    if answer is not None:
        print(json.dumps(answer, indent=2))
    return 0


def main() -> int:
    """Run the simulator, or talk to one that runs."""
    parser = build_parser()
    options = parser.parse_args()
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING)
    if options.do:
        if options.folder is None:
            parser.error("--do needs --folder, the folder of the running simulator")
        return asyncio.run(tell(options.folder, options.do))
    try:
        if options.folder:
            asyncio.run(run(options, options.folder))
        else:
            with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
                asyncio.run(run(options, Path(folder)))
    except BusError as err:
        print(f"simulator: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
