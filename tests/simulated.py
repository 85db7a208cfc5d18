"""A simulated BlueZ for a test module, and the hand that disturbs it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
import subprocess
import sys
import tempfile

from simulator.bus import address
from simulator.control import ControlClient, control

ROOT = Path(__file__).resolve().parent.parent
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


@asynccontextmanager
async def disturb(bus_address: str) -> AsyncIterator[ControlClient]:
    """Talk to a simulator; afterwards it has no fault and no link."""
    async with control(bus_address) as client:
        try:
            yield client
        finally:
            await client.clear()
            await client.do("drop")
