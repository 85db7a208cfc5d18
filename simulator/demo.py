"""`python -m simulator.demo`: Home Assistant with a simulated inverter, until Ctrl-C."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
import shutil
import signal
import sys
from typing import Final

from blupow_ble.profiles import profile_for_name

from .__main__ import ADAPTER_ADDRESS, OTHERS, names_of
from .bridge import Bridge, BridgeFailed, bridge
from .bus import BusError
from .home_assistant import USER, HomeAssistant, HomeAssistantError, home_assistant, port_is_free
from .process import Running, simulator

BRIDGE_PORT: Final = 8126


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/develop",
        description="Start Home Assistant on a simulated Bluetooth with a simulated inverter.",
    )
    parser.add_argument(
        "--add",
        nargs="?",
        choices=["inverter", "all"],
        const="inverter",
        help="add the first inverter, or all devices, as soon as they are found",
    )
    parser.add_argument("--port", type=int, default=8123, help="of Home Assistant (8123)")
    parser.add_argument("--inverters", type=int, default=1, help="how many are simulated (1)")
    parser.add_argument(
        "--also",
        action="append",
        choices=list(OTHERS),
        default=[],
        metavar="KIND",
        help="another device too: " + ", ".join(OTHERS),
    )
    parser.add_argument(
        "--bridge",
        action="store_true",
        help="have a bridge read the devices, and Home Assistant take them from it",
    )
    parser.add_argument("--new", action="store_true", help="forget what earlier runs have set up")
    parser.add_argument(
        "--folder", type=Path, default=Path(".demo"), help="where everything is kept (.demo)"
    )
    return parser


async def add_discovered(running: HomeAssistant, names: Sequence[str]) -> None:
    """Add discovered devices by their names, except those that an earlier run added."""
    entries = await running.call("config_entries/get", domain="blupow")
    known = {entry["title"] for entry in entries}
    for name in names:
        if name in known:
            print(f"already added: {name}", flush=True)
            continue
        flow = await running.discovered(name=name)
        result = await running.answer_flow(flow["flow_id"], {})
        if result["type"] != "create_entry":
            raise HomeAssistantError(f"{name} could not be added: {result.get('errors')}")
        print(f"added: {result['title']}", flush=True)


async def add_bridge(running: HomeAssistant, found: Bridge) -> None:
    """Add a bridge, unless an earlier run did."""
    if await running.call("config_entries/get", domain="blupow"):
        print("already added: the bridge", flush=True)
        return
    flow = await running.post("/api/config/config_entries/flow", {"handler": "blupow"})
    await running.answer_flow(flow["flow_id"], {"next_step_id": "bridge"})
    where = {"host": "127.0.0.1", "port": found.port, "ssl": False, "verify_ssl": True}
    result = await running.answer_flow(flow["flow_id"], where | {"token": found.token})
    if result["type"] != "create_entry":
        raise HomeAssistantError(f"the bridge could not be added: {result.get('errors')}")
    print(f"added: the bridge {result['title']}", flush=True)


@asynccontextmanager
async def demo_bridge(
    options: argparse.Namespace, devices: Running
) -> AsyncIterator[Bridge | None]:
    """Run a bridge that reads all simulated devices, if it is wanted."""
    if not options.bridge:
        yield None
        return
    if not port_is_free(BRIDGE_PORT):
        raise HomeAssistantError(f"port {BRIDGE_PORT} is in use")
    wanted = [
        {
            "name": name,
            "address": address,
            "profile": profile.key,
            "update_interval": 10,
            "allow_changes": True,
        }
        for address, name in devices.devices.items()
        if (profile := profile_for_name(name)) is not None
    ]
    folder = options.folder.absolute() / "bridge"
    token = folder / "token"
    async with bridge(
        folder,
        wanted,
        bus_address=devices.bus_address,
        port=BRIDGE_PORT,
        start=False,
        http={"announce": False},
    ) as found:
        if token.exists():
            found.token = token.read_text().strip()
        await found.start()
        token.touch(mode=0o600)
        token.write_text(found.token)
        print(f"\n  bridge: {found.url}      token {found.token}", flush=True)
        yield found


async def run(options: argparse.Namespace) -> int:
    """Run until Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder: Path = options.folder.absolute()
    if options.new:
        shutil.rmtree(folder, ignore_errors=True)
    if not port_is_free(options.port):
        raise HomeAssistantError(f"port {options.port} is in use; choose another with --port")
    also = [option for kind in options.also for option in ("--also", kind)]
    inverters = ("--inverters", str(options.inverters))
    async with (
        simulator(folder / "bus", *inverters, *also) as devices,
        demo_bridge(options, devices) as found,
    ):
        print("starting Home Assistant (the first start takes a minute) ...", flush=True)
        async with home_assistant(
            folder / "config",
            devices.bus_address,
            options.port,
            adapters=[] if options.bridge else [ADAPTER_ADDRESS.format(0x13)],
        ) as running:
            if found is not None:
                await add_bridge(running, found)
            elif options.add:
                names = names_of(options.inverters, options.also)
                await add_discovered(running, names if options.add == "all" else names[:1])
            print(f"\n  {running.url}      user {USER}, password {USER}", flush=True)
            print(f"  log: {running.log}", flush=True)
            print(
                "  faults: .venv/bin/python -m simulator --folder "
                f'{folder / "bus"} --do \'{{"op": "fault", "name": "out_of_range"}}\'',
                flush=True,
            )
            print("  Ctrl-C ends it.\n", flush=True)
            ended = asyncio.create_task(running.process.wait())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if ended.done():
                print(f"Home Assistant ended by itself; see {running.log}", file=sys.stderr)
                return 1
            ended.cancel()
    return 0


def main() -> int:
    """Run the demo."""
    options = build_parser().parse_args()
    try:
        return asyncio.run(run(options))
    except (BridgeFailed, BusError, HomeAssistantError) as err:
        print(f"develop: {err}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
