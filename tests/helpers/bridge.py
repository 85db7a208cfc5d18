"""A real bridge in the process of a test, whose devices can be made to fail at will.

Below the seam everything is real: the session, the frames and the profile read a virtual device.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from blupow_ble.protocol.errors import ErrorCode, ReaderError
from blupow_ble.reader.messages import Device
from blupow_ble.reader.plan import FindPlan, ReadPlan, WritePlan
from blupow_ble.reader.probing import Prober
from blupow_ble.reader.reading import Reader
from blupow_ble.reader.result import Finding, Reading, WriteReport
from blupow_ble.reader.route import Route, RouteKind
from blupow_ble.reader.writing import Writer
from blupow_ble.virtual.device import Module, VirtualDevice
from blupow_ble.virtual.link import VirtualLink
from blupow_bridge import device as device_module
from blupow_bridge.config import Config, DeviceConfig
from blupow_bridge.http.app import WebServer
from blupow_bridge.http.auth import Token
from blupow_bridge.hub import Hub
from blupow_bridge.radio import Radio
import pytest

from simulator.home_assistant import free_port

from .scripted import NOW
from .simulated import INVERTER_ADDRESS, INVERTER_NAME


@dataclass
class BridgeScript:
    """What the devices of a bridge do."""

    device: Module = field(default_factory=lambda: VirtualDevice(clock=lambda: NOW))
    error: ErrorCode | None = None
    reads: int = 0
    writes: int = 0
    lose_reports: bool = False
    """Changes are made, and nobody hears of it."""


class ScriptedDeviceReader:
    """Reads the script's device, or fails as the script says."""

    script: ClassVar[BridgeScript]

    def __init__(self, radio: Radio, address: str, name: str) -> None:
        """Take part in the script."""
        device = Device(address=address, name=name, object_path=None, adapter="hci0")
        self._route = Route(kind=RouteKind.ISOLATED, reason="script", device=device, source="hci0")

    def _check(self) -> None:
        if self.script.error is not None:
            raise ReaderError(self.script.error, f"scripted {self.script.error}")

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Take one reading."""
        self.script.reads += 1
        self._check()
        reader = Reader(VirtualLink(self.script.device), plan.units, budget=plan.budget)
        try:
            reading = reader.read_spans(plan.spans) if plan.spans else reader.read()
            return self._route, await reading
        finally:
            await reader.close()

    async def write(self, plan: WritePlan) -> WriteReport:
        """Change settings."""
        self.script.writes += 1
        self._check()
        writer = Writer(
            VirtualLink(self.script.device), plan.unit, plan.changes, budget=plan.budget
        )
        try:
            report = await writer.write()
        finally:
            await writer.close()
        if self.script.lose_reports:
            raise ReaderError(ErrorCode.READER_TIMEOUT, "the report was lost")
        return report

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Find units."""
        self._check()
        prober = Prober(VirtualLink(self.script.device), unit_ids=plan.unit_ids)
        try:
            return await prober.find_all()
        finally:
            await prober.close()

    async def stop(self) -> None:
        """Do nothing."""


def inverter(**options: Any) -> dict[str, Any]:
    """Return the configuration of the inverter."""
    known = {
        "name": INVERTER_NAME,
        "address": INVERTER_ADDRESS,
        "profile": "inverter",
        "model": "RIV1230RCH",
        "unit_id": 32,
        "update_interval": 3600,
    }
    return known | options


@dataclass
class TestBridge:
    """A bridge that can be stopped and started."""

    __test__: ClassVar[bool] = False
    folder: Path
    devices: tuple[dict[str, Any], ...]
    port: int = field(default_factory=free_port)
    secret: str = ""
    hub: Hub = field(init=False)
    token: Token = field(init=False)
    sections: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Hub], None] = lambda _: None
    _server: WebServer | None = None

    @property
    def config(self) -> Config:
        """Its configuration."""
        devices = tuple(DeviceConfig(**device) for device in self.devices)
        return Config(
            name="Van",
            data=self.folder / "data",
            devices=devices,
            **{"http": {"port": self.port, "requests_per_minute": 100_000}, **self.sections},
        )

    async def start(self) -> None:
        """Start it, as another instance than before."""
        self.hub, self.token = Hub(self.config), Token(self.folder / "data")
        self.prepare(self.hub)
        if not self.secret:
            self.secret = self.token.make()
        self._server = WebServer(self.hub, self.token, self.config.http)
        await self.hub.start()
        await self._server.start()
        await self.hub.store.start()

    async def stop(self) -> None:
        """Stop it."""
        if self._server is not None:
            await self._server.stop()
            await self.hub.stop()
            self._server = None

    async def poll(self, device_id: str = "c4d36a000035") -> None:
        """Have a device read now."""
        await self.hub.devices[device_id].supervisor.poll()

    async def wait_read(self) -> None:
        """Wait until each device was polled."""
        async with asyncio.timeout(30):
            while not all(item.supervisor.link.polls for item in self.hub.devices.values()):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def scripted_bridge(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: BridgeScript, *devices: dict[str, Any]
) -> AsyncIterator[TestBridge]:
    """Run a bridge whose devices follow a script."""
    monkeypatch.setattr(ScriptedDeviceReader, "script", script, raising=False)
    monkeypatch.setattr(device_module, "DeviceReader", ScriptedDeviceReader)
    monkeypatch.setattr(Radio, "start", lambda self: None)
    monkeypatch.setattr(Radio, "rssi", lambda self, address: -71)
    bridge = TestBridge(folder, devices or (inverter(),))
    await bridge.start()
    try:
        await bridge.wait_read()
        yield bridge
    finally:
        await bridge.stop()
