"""A real bridge on the simulated Bluetooth: its folder, its process, its web server."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
import json
import os
from pathlib import Path
import signal
import sys
from typing import Any, Final

import aiohttp

from .home_assistant import free_port

ROOT: Final = Path(__file__).resolve().parent.parent
START_LIMIT: Final = 60.0
STOP_LIMIT: Final = 60.0

type Device = Mapping[str, Any]


class BridgeFailed(Exception):
    """The bridge did not start, or did not answer."""


def configuration(folder: Path, port: int, devices: Sequence[Device], **sections: Any) -> str:
    """Return the configuration of a bridge as TOML. `sections` are tables or values at the top."""
    top: dict[str, Any] = {"name": "Van", "data": str(folder / "data")}
    tables: dict[str, dict[str, Any]] = {"http": {"port": port}}
    for name, value in sections.items():
        if isinstance(value, dict):
            tables[name] = tables.get(name, {}) | value
        else:
            top[name] = value
    lines = [f"{name} = {json.dumps(value)}" for name, value in top.items()]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    for device in devices:
        units = device.get("units", ())
        lines.append("[[devices]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in device.items() if key != "units"]
        for unit in units:
            lines += [
                "[[devices.units]]",
                *(f"{key} = {json.dumps(value)}" for key, value in unit.items()),
            ]
    return "\n".join((*lines, ""))


@dataclass(slots=True)
class Bridge:
    """A bridge that runs, or has run."""

    folder: Path
    port: int
    environment: dict[str, str]
    sections: dict[str, Any]
    session: aiohttp.ClientSession
    token: str = ""
    process: Process | None = None

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "bridge.toml"

    @property
    def log(self) -> Path:
        """Everything that it printed."""
        return self.folder / "bridge.log"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def configure(self, devices: Sequence[Device], **sections: Any) -> None:
        """Write its configuration; one that runs takes it over by itself."""
        self.sections |= sections
        text = configuration(self.folder, self.port, devices, **self.sections)
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config)

    async def command(self, *arguments: str) -> str:
        """Run a command of the bridge; return what it printed. Raises BridgeFailed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "blupow_bridge", "--config", str(self.config), *arguments),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise BridgeFailed(errors.decode().strip() or output.decode().strip())
        return output.decode()

    async def start(self) -> None:
        """Start it, and wait until it answers. Raises BridgeFailed."""
        if not self.token:
            self.token = (await self.command("token")).strip()
        with self.log.open("a") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "blupow_bridge", "--config", str(self.config), "run"),
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_LIMIT):
                while not await self._answers():
                    if self.process.returncode is not None:
                        raise BridgeFailed(f"ended: {self.log.read_text()}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise BridgeFailed(f"not started within {START_LIMIT:g} s; see {self.log}") from None

    async def _answers(self) -> bool:
        try:
            await self.get("/health")
        except BridgeFailed, aiohttp.ClientError, TimeoutError:
            return False
        return True

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; return its exit code."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_LIMIT):
                code = await self.process.wait()
        except TimeoutError:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = await self.process.wait()
        self.process = None
        return code

    async def get(self, path: str) -> Any:
        """Return the JSON that is there. Raises BridgeFailed."""
        return await self.request("GET", path)

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the bridge; return its JSON. Raises BridgeFailed."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.request(
            method, f"{self.url}{path}", json=body, headers=headers
        ) as response:
            text = await response.text()
            if response.status >= 400:
                raise BridgeFailed(f"{path}: {response.status} {text}")
            return json.loads(text)


@asynccontextmanager
async def bridge(
    folder: Path,
    devices: Sequence[Device],
    *,
    bus_address: str | None = None,
    port: int | None = None,
    start: bool = True,
    **sections: Any,
) -> AsyncIterator[Bridge]:
    """Run a bridge on a simulated Bluetooth. Raises BridgeFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    library = ROOT / "custom_components" / "blupow" / "lib"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(library), str(ROOT / "bridge"))),
        "PYTHONUNBUFFERED": "1",
    }
    if bus_address is not None:
        environment["DBUS_SYSTEM_BUS_ADDRESS"] = bus_address
    async with aiohttp.ClientSession() as session:
        running = Bridge(
            folder=folder,
            port=port or free_port(),
            environment=environment,
            sections={},
            session=session,
        )
        running.configure(devices, **sections)
        try:
            if start:
                await running.start()
            yield running
        finally:
            if running.process is not None:
                await running.stop()
