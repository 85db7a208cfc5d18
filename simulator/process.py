"""Runs the simulator as a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
import sys
from typing import Final

from .bus import BusError, address

ROOT: Final = Path(__file__).resolve().parent.parent
START_LIMIT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that runs."""

    bus_address: str
    devices: dict[str, str]
    """Names by Bluetooth address."""


@asynccontextmanager
async def simulator(folder: Path, *options: str) -> AsyncIterator[Running]:
    """Run a simulator with its socket in the folder. Raises BusError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", "--folder", str(folder), *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_LIMIT):
            devices = await _wait_ready(process.stdout)
        yield Running(address(folder), devices)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _wait_ready(output: asyncio.StreamReader) -> dict[str, str]:
    devices: dict[str, str] = {}
    while line := (await output.readline()).decode().strip():
        if line == "ready":
            return devices
        words: Sequence[str] = line.split()
        if len(words) == 2:
            devices[words[0]] = words[1]
    raise BusError("the simulator did not start")
