"""A host of an inverter whose settings may be changed, and what scenes ask of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, override
from zoneinfo import ZoneInfo

from blupow_ble.profiles import PROFILES
from blupow_ble.profiles.setting_rules import SettingRefused
from blupow_ble.protocol.errors import ErrorCode, ReaderError
from blupow_ble.reader import writing
from blupow_ble.supervisor.protocols import ScheduleEvent
from blupow_ble.supervisor.supervisor import Supervisor
from blupow_ble.virtual.device import VirtualDevice
from blupow_ble.virtual.inverter import RIV4835_MODEL, UNIT
from host import FakeClock, Host

BERLIN = ZoneInfo("Europe/Berlin")
CONTROLS = PROFILES["inverter"].register_map(PROFILES["inverter"].model(RIV4835_MODEL)).controls
PRIORITY, CURRENT, SOC = 4441, 0xE205, 4327

# time passes by the clock of the scene alone
writing.READ_BACK_PAUSES = (0.0, 0.0)


NIGHT: dict[str, Any] = {
    "charge_window": True,
    "charge_start_time": time(23),
    "charge_end_time": time(6),
    "charge_window_current": 20.0,
    "discharge_window": True,
    "discharge_start_time": time(17),
    "discharge_end_time": time(22),
}


@dataclass
class Watched(VirtualDevice):
    """A RIV4835CSH1S that notes what each write met."""

    kind: str = "riv4835"
    model: str = RIV4835_MODEL
    unit_id: int = UNIT
    clock: Callable[[], float] = lambda: 1_795_000_000.0
    met: list[tuple[int, tuple[int, ...], Mapping[int, int]]] = field(default_factory=list)
    """Register and words of each write, and the registers before it."""
    now: Callable[[], float] = lambda: 0.0
    by_user: bool = False
    """Writes are the user's just now; others are the schedule's."""
    transfers: list[float] = field(default_factory=list)
    """When the schedule has sent another source of the loads."""

    @override
    def answer(self, request: bytes) -> bytes | None:
        if request[0] in (self.unit_id, 255) and request[1] in (6, 16):
            before = dict(self.registers())
            reply = VirtualDevice.answer(self, request)
            self.met.append((*self.writes.seen[-1], before))
            if self.writes.seen[-1][0] == PRIORITY and not self.by_user:
                self.transfers.append(self.now())
            return reply
        return VirtualDevice.answer(self, request)


def a_host(start: str = "2026-11-21T12:00:00+01:00") -> Host:
    """Return a host in Berlin, with an inverter at 80 %."""
    clock = FakeClock(datetime.fromisoformat(start).astimezone(UTC), BERLIN)
    host = Host(clock=clock, device=Watched(now=clock.monotonic))
    host.device.overrides[SOC] = 80
    return host


async def begin(host: Host, **options: Any) -> Supervisor:
    """Start a supervisor that may change settings."""
    supervisor = host.supervisor(model=RIV4835_MODEL, allow_changes=True, **options)
    supervisor.start()
    await host.clock.settle()
    return supervisor


async def do[T](host: Host, work: Any) -> T:
    """Have something done, as far as it needs no time."""
    task = asyncio.ensure_future(work)
    for _ in range(50):
        await host.clock.settle()
        await asyncio.sleep(0)
        if task.done():
            break
    result: T = await task
    return result


async def failure_of(work: Awaitable[Any]) -> ReaderError:
    """Return the error that something brings."""
    try:
        await work
    except ReaderError as err:
        return err
    raise AssertionError("it went well")


async def error_of(work: Awaitable[Any]) -> ErrorCode:
    """Return the code of the error that something brings."""
    return (await failure_of(work)).code


async def refusal_of(work: Awaitable[Any]) -> SettingRefused:
    """Return why something is refused."""
    try:
        await work
    except SettingRefused as err:
        return err
    raise AssertionError("it was taken")


def registers(host: Host) -> tuple[int, int]:
    """Return the output priority and the charge current (0.1 A) that the device has."""
    found = host.device.registers()
    return found[PRIORITY], found[CURRENT]


def told(host: Host) -> list[ScheduleEvent]:
    """Return what the schedule has told."""
    return [event for event, _ in host.schedule_events]
