"""A day of a device with a weak link: what the radio does, and what was really sent when.

Above the link everything is real: session, frames, profile, coordinator, watchdog, entities, Home
Assistant. The clock is frozen and moved; the radio's faults are those of the simulator.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
import random
from typing import ClassVar, override

from bleak.backends.characteristic import BleakGATTCharacteristic

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader.plan import ReadPlan
from custom_components.blupow.lib.blupow_ble.reader.reading import Reader
from custom_components.blupow.lib.blupow_ble.reader.result import Reading
from custom_components.blupow.lib.blupow_ble.reader.route import Route
from custom_components.blupow.lib.blupow_ble.reader.timeouts import child_deadline, parent_deadline
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from custom_components.blupow.lib.blupow_ble.virtual.link import FRAGMENT, VirtualLink
from homeassistant.core import HomeAssistant
from simulator.faults import FaultName
from simulator.peripheral import Peripheral, Radio

from .scripted import NOW
from .simulated import INVERTER_ADDRESS, INVERTER_NAME

NUMBERS = 1000
FIELDS = {
    "output_voltage": (4002, 1000, 0.1),
    "solar_power": (4331, 0, 1),
    "load_active_power": (4409, 0, 1),
    "charged_today": (4543, 0, 1),
}
"""One field of each block carries the reading's number: register, offset, scale."""

DAY = 24 * 3600.0
IN_RANGE = 0.8
"""The share of the day in which the device can be heard."""
OUTAGES = 29
"""So many in a day: out of range for ten minutes on average, in range for forty."""
FORGET_TIME = 195.0
"""So long Home Assistant takes a device for heard that does not advertise any more."""
AWAY = (FaultName.OUT_OF_RANGE, FaultName.HELD)
SHORT_FAULTS = [name for name in FaultName if name not in AWAY]
STUCK = "stuck"
CRASHED = "crashed"
OWN_FAULTS = (STUCK, CRASHED)
"""Faults of the reader process itself."""


@dataclass(slots=True)
class Day:
    """What the radio does, and what was sent."""

    seed: int
    peripheral: Peripheral = field(
        default_factory=lambda: Peripheral(
            address=INVERTER_ADDRESS,
            name=INVERTER_NAME,
            device=VirtualDevice(clock=lambda: NOW),
            radio=Radio(rssi={"hci0": -70}, reply_time=0.0),
        )
    )
    clock: float = 0.0
    number: int = 0
    """Of the reading under way, or of the last one."""
    fresh: tuple[int, float] | None = None
    """Number and time of the last reading that came to its end."""
    earlier: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=100))
    """Those before it."""
    at_once: int = 0
    most_at_once: int = 0
    polls: int = 0
    good: int = 0
    codes: dict[ErrorCode, int] = field(default_factory=dict)
    codes_since_fresh: int = 0
    own_fault: str | None = None
    in_range: float = 0.0
    _away_since: float | None = None
    _change_at: float = 0.0
    _fault_until: float = 0.0

    def __post_init__(self) -> None:
        """Begin in range; the times in and out of range are drawn for the whole day."""
        self.random = random.Random(self.seed)
        self._near = self._drawn(IN_RANGE * DAY)
        self._away = self._drawn((1 - IN_RANGE) * DAY)
        self._change_at = self._near.pop()

    random: random.Random = field(init=False)
    _near: list[float] = field(init=False)
    _away: list[float] = field(init=False)

    def _drawn(self, total: float) -> list[float]:
        """Return the lengths of so many times, at random, that last so long together."""
        lengths = [self.random.expovariate(1) for _ in range(OUTAGES)]
        return [length * total / sum(lengths) for length in lengths]

    @property
    def advertising(self) -> bool:
        """Whether the device is heard now."""
        return self._away_since is None

    @property
    def forgotten(self) -> bool:
        """Whether Home Assistant has noticed that it is not."""
        return self._away_since is not None and self.clock - self._away_since > FORGET_TIME

    def pass_time(self, seconds: float) -> None:
        """Let the radio change: 80 % of the time in range, a fault now and then."""
        self.clock += seconds
        faults = self.peripheral.faults
        if self.clock >= self._change_at:
            if self._away_since is None:
                self._away_since = self.clock
                faults.set(self.random.choice(AWAY))
                self._change_at = self.clock + self._away.pop()
            else:
                self._away_since = None
                for name in AWAY:
                    faults.clear(name)
                self._change_at = self.clock + (self._near.pop() if self._near else DAY)
        if self._away_since is None:
            self.in_range += seconds
        if self.clock >= self._fault_until:
            for name in SHORT_FAULTS:
                if name is not FaultName.STALE_OBJECT:
                    faults.clear(name)
            self.own_fault = None
            if self.random.random() < 0.01 * seconds:
                name = self.random.choice([*SHORT_FAULTS, *OWN_FAULTS])
                self._fault_until = self.clock + self.random.expovariate(1 / 120)
                if name in OWN_FAULTS:
                    self.own_fault = name
                else:
                    times = self.random.choice([None, 1, 5])
                    faults.set(FaultName(name), times=times)

    def failed(self, code: ErrorCode) -> None:
        """Count a failed reading."""
        self.codes[code] = self.codes.get(code, 0) + 1
        self.codes_since_fresh += 1

    def begin(self) -> None:
        """Give the next reading its number, in a field of each block."""
        self.number += 1
        device = self.peripheral.device
        for register, offset, _ in FIELDS.values():
            device.overrides[register] = offset + self.number % NUMBERS


class DayLink(VirtualLink):
    """A link that has the faults of the simulator."""

    def __init__(self, day: Day, timeout: float) -> None:
        """Prepare a link."""
        super().__init__(day.peripheral.device)
        self._day = day
        self._timeout = timeout
        self._handles: list[asyncio.TimerHandle] = []

    @override
    async def connect(self) -> DayLink:
        await super().connect()
        peripheral = self._day.peripheral
        faults = peripheral.faults
        if faults.has(FaultName.ADAPTER_GONE):
            raise _refused(ErrorCode.ADAPTER_UNAVAILABLE)
        if not peripheral.reachable_by("hci0"):
            await asyncio.sleep(self._timeout)
            raise _refused(ErrorCode.CONNECT_TIMEOUT)
        if faults.has(FaultName.STALE_OBJECT):
            raise _refused(ErrorCode.CONNECT_FAILED)
        if faults.take(FaultName.REFUSES):
            raise _refused(ErrorCode.HELD_BY_OTHER)
        if faults.take(FaultName.NO_SERVICES):
            raise _refused(ErrorCode.SERVICE_MISSING)
        if drop := faults.take(FaultName.DROPS):
            loop = asyncio.get_running_loop()
            self._handles.append(loop.call_later(drop.seconds, self.disconnected.set))
        return self

    @override
    async def disconnect(self) -> None:
        for handle in self._handles:
            handle.cancel()
        await super().disconnect()

    @override
    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        if self.disconnected.is_set() or not (answer := self._day.peripheral.answer(data)):
            return
        reply, delay = answer
        loop = asyncio.get_running_loop()
        for start in range(0, len(reply), FRAGMENT):
            fragment = bytearray(reply[start : start + FRAGMENT])
            if delay:
                self._handles.append(loop.call_later(delay, self._deliver, fragment))
            else:  # a timer of no time would never fire by a clock that stands still
                loop.call_soon(self._deliver, fragment)

    def _deliver(self, fragment: bytearray) -> None:
        if self._notify is not None and self._characteristic is not None:
            self._notify(self._characteristic, fragment)


def _refused(code: ErrorCode) -> ReaderError:
    return ReaderError(code, f"simulated {code}", stage=Stage.CONNECT)


class DayReader:
    """Takes readings over the day's link, under the deadlines of a reader process."""

    day: ClassVar[Day]

    def __init__(self, hass: HomeAssistant) -> None:
        """Take part in the day."""

    async def read(self, route: Route, plan: ReadPlan) -> tuple[Route, Reading]:
        """Take one reading."""
        day = self.day
        day.polls += 1
        day.at_once += 1
        day.most_at_once = max(day.most_at_once, day.at_once)
        try:
            async with asyncio.timeout(parent_deadline(child_deadline(plan.connect_timeout))):
                reading = await self._read(plan)
        except TimeoutError:
            day.failed(ErrorCode.READER_TIMEOUT)
            raise _refused(ErrorCode.READER_TIMEOUT) from None
        except ReaderError as err:
            day.failed(err.code)
            raise
        finally:
            day.at_once -= 1
        day.good += 1
        if day.fresh is not None:
            day.earlier.append(day.fresh)
        day.fresh = (day.number, day.clock)
        day.codes_since_fresh = 0
        return route, reading

    async def _read(self, plan: ReadPlan) -> Reading:
        day = self.day
        if day.forgotten:
            raise _refused(ErrorCode.NOT_ADVERTISING)
        if day.own_fault == STUCK:
            await asyncio.Event().wait()
        if day.own_fault == CRASHED:
            raise _refused(ErrorCode.READER_CRASHED)
        day.begin()
        link = DayLink(day, plan.connect_timeout)
        reader = Reader(link, plan.units)
        try:
            return await reader.read()
        finally:
            await reader.close()

    async def stop(self) -> None:
        """Leave nothing: the link is closed within the reading."""


async def forget_stale_object(address: str) -> list[str]:
    """Have BlueZ forget the device, as the third step of a recovery does."""
    DayReader.day.peripheral.faults.clear(FaultName.STALE_OBJECT)
    return [f"/org/bluez/hci0/dev_{address.replace(':', '_')}"]
