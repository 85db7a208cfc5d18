"""A reader whose device can be made to fail at will.

Below the seam everything is real: the session, the frames and the profile read a virtual device.
"""

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from custom_components.blupow.lib.blupow_ble.protocol.errors import (
    ErrorCode,
    ReaderCannotStart,
    ReaderError,
    Stage,
)
from custom_components.blupow.lib.blupow_ble.reader.plan import FindPlan, ReadPlan, WritePlan
from custom_components.blupow.lib.blupow_ble.reader.probing import Prober
from custom_components.blupow.lib.blupow_ble.reader.reading import Reader
from custom_components.blupow.lib.blupow_ble.reader.result import Finding, Reading, WriteReport
from custom_components.blupow.lib.blupow_ble.reader.route import Route, RouteKind
from custom_components.blupow.lib.blupow_ble.reader.writing import Writer
from custom_components.blupow.lib.blupow_ble.virtual.device import Module, VirtualDevice
from custom_components.blupow.lib.blupow_ble.virtual.link import VirtualLink
from homeassistant.core import HomeAssistant

NOW = 1_795_000_000.0


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


@dataclass
class Script:
    """What the device does, and what was asked of it."""

    device: Module = field(default_factory=lambda: VirtualDevice(clock=lambda: NOW))
    error: ErrorCode | None = None
    stage: Stage | None = None
    """Where the error strikes; None is where it usually does."""
    fault: Exception | None = None
    no_process: bool = False
    """No reader process can be started."""
    deaf: set[str] = field(default_factory=set)
    """Adapters that hear the device, but never connect to it."""
    gate: asyncio.Event = field(default_factory=_open_gate)
    """Readings wait here."""
    plans: list[ReadPlan] = field(default_factory=list)
    write_plans: list[WritePlan] = field(default_factory=list)
    searches: list[FindPlan] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    stopped: int = 0
    at_once: int = 0
    most_at_once: int = 0
    """Readings under way, now and at most ever."""

    @property
    def polls(self) -> int:
        """How many readings were asked for."""
        return len(self.plans)


async def _one(prober: Prober) -> list[Finding]:
    return [await prober.identify()]


class ScriptedReader:
    """Reads the script's device, or fails as the script says."""

    script: ClassVar[Script]

    def __init__(self, hass: HomeAssistant) -> None:
        """Take part in the script."""

    async def read(self, route: Route, plan: ReadPlan) -> tuple[Route, Reading]:
        """Take one reading."""
        script = self.script
        script.routes.append(route)
        script.plans.append(plan)
        script.at_once += 1
        script.most_at_once = max(script.most_at_once, script.at_once)
        try:
            await script.gate.wait()
            if script.no_process and route.kind is RouteKind.ISOLATED:
                raise ReaderCannotStart("scripted sandbox")
            if route.source in script.deaf:
                raise ReaderError(ErrorCode.CONNECT_TIMEOUT, "scripted deafness")
            return route, await self._read(plan)
        finally:
            script.at_once -= 1

    async def _read(self, plan: ReadPlan) -> Reading:
        script = self.script
        if script.fault:
            raise script.fault
        if script.error:
            usual = Stage.START if script.error is ErrorCode.NOT_ADVERTISING else Stage.READ
            stage = script.stage or usual
            raise ReaderError(script.error, f"scripted {script.error}", stage=stage)
        link = VirtualLink(script.device)
        reader = Reader(link, plan.units)
        try:
            return await (reader.read_spans(plan.spans) if plan.spans else reader.read())
        finally:
            await reader.close()

    async def write(self, route: Route, plan: WritePlan) -> tuple[Route, WriteReport]:
        """Change settings of the script's device, or fail as the script says."""
        script = self.script
        script.write_plans.append(plan)
        await script.gate.wait()
        if script.error:
            raise ReaderError(script.error, f"scripted {script.error}")
        writer = Writer(VirtualLink(script.device), plan.unit, plan.changes, budget=plan.budget)
        try:
            return route, await writer.write()
        finally:
            await writer.close()

    async def find(self, route: Route, plan: FindPlan) -> list[Finding]:
        """Find the script's units, or fail as the script says."""
        script = self.script
        script.searches.append(plan)
        if script.error:
            raise ReaderError(script.error, f"scripted {script.error}")
        prober = Prober(VirtualLink(script.device), unit_ids=plan.unit_ids)
        try:
            return await (prober.find_all() if plan.everything else _one(prober))
        finally:
            await prober.close()

    async def stop(self) -> None:
        """Note it."""
        self.script.stopped += 1
