"""A simulated BlueZ for a test module, and the hand that disturbs it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
import subprocess
import sys
import tempfile

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from custom_components.blupow.lib.blupow_ble.reader import process as process_module
from simulator.bus import address
from simulator.control import ControlClient, control

ROOT = Path(__file__).resolve().parents[2]
INVERTER_ADDRESS = "C4:D3:6A:00:00:35"
INVERTER_NAME = "BTRIC134000035"
INVERTER_PATH = "/org/bluez/hci0/dev_C4_D3_6A_00_00_35"


def run_simulator(*options: str) -> Iterator[str]:
    """Run a simulator; yield its bus address."""
    with tempfile.TemporaryDirectory(prefix="blupow-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--folder", folder, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.strip() == "ready":
                    break
            else:
                raise RuntimeError("the simulator did not start")
            yield address(Path(folder))
        finally:
            process.terminate()
            process.stdout.close()
            assert process.wait() == 0


async def leave_a_link(bus_address: str, path: str | None = None) -> None:
    """Connect in a process that dies without a word: by a known object, or after a scan."""
    device = (
        f"known_device({INVERTER_ADDRESS!r}, {INVERTER_NAME!r}, {path!r})"
        if path
        else f"await find_device({INVERTER_ADDRESS!r}, 5)"
    )
    code = (
        "import asyncio, os\n"
        "from blupow_ble.reader.discovery import find_device, known_device\n"
        "from blupow_ble.reader.link import BleLink\n"
        "async def main():\n"
        f"    await BleLink({device}, 5).connect()\n"
        "    os._exit(0)\n"
        "asyncio.run(main())\n"
    )
    environment = process_module.child_environment() | {"DBUS_SYSTEM_BUS_ADDRESS": bus_address}
    command = process_module.child_command()[:2]
    child = await asyncio.create_subprocess_exec(*command, "-c", code, env=environment)
    assert await child.wait() == 0


@asynccontextmanager
async def disturb(bus_address: str) -> AsyncIterator[ControlClient]:
    """Talk to a simulator; afterwards it has no fault and no link."""
    async with control(bus_address) as client:
        try:
            yield client
        finally:
            await client.clear()
            await client.do("drop")


@asynccontextmanager
async def scanning(bus_address: str, adapter: str = "hci0") -> AsyncIterator[None]:
    """Have BlueZ look for devices; bleak's own scanner does nothing beside a Home Assistant in tests."""
    bus = await MessageBus(bus_address=bus_address, bus_type=BusType.SYSTEM).connect()
    try:
        for member, signature, body in (
            ("SetDiscoveryFilter", "a{sv}", [{"Transport": Variant("s", "le")}]),
            ("StartDiscovery", "", []),
        ):
            reply = await bus.call(
                Message(
                    destination="org.bluez",
                    path=f"/org/bluez/{adapter}",
                    interface="org.bluez.Adapter1",
                    member=member,
                    signature=signature,
                    body=body,
                )
            )
            assert reply is not None
            assert reply.message_type is MessageType.METHOD_RETURN
        yield
    finally:
        bus.disconnect()
