"""A virtual inverter: a Modbus slave whose values move as those of a real one would.

It stands in for hardware in the test mode, the simulator and the tests. All values follow from the
time alone, so that two processes that look at the same moment see the same device.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import math
import struct
import time
from typing import Final

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

from .modbus import EXCEPTION_FLAG, READ_REGISTERS, WRITE_REGISTER, is_sealed, seal
from .profiles.declaration import NOT_THERE
from .session import NOTIFY_CHARACTERISTIC, NOTIFY_SERVICE, WRITE_CHARACTERISTIC, WRITE_SERVICE

UNIT: Final = 32
MODEL: Final = "RIV1230RCH-SPS"
SERIAL: Final = "VIRTUAL00000000001"
VERSION: Final = "V1.0-virtual"

DAY: Final = 86_400.0
EPOCH: Final = 1_760_000_000.0
"""When the virtual inverter was first switched on (October 2025); its totals count from there."""

FRAGMENT: Final = 20
"""Bytes in a notification of a BT-2 that was not asked for more."""

_ILLEGAL_FUNCTION: Final = 1
_ILLEGAL_ADDRESS: Final = 2
_ILLEGAL_LENGTH: Final = 3


@dataclass(frozen=True, slots=True)
class Wave:
    """A value that swings around a mean; its integral is known, so that energy counters agree with it."""

    mean: float
    swing: float
    period: float

    def at(self, now: float) -> float:
        """Return the value at a time (seconds)."""
        return self.mean + self.swing * math.sin(math.tau * now / self.period)

    def integral(self, start: float, end: float) -> float:
        """Return the integral over time (value x seconds)."""
        step = self.swing * self.period / math.tau
        phase = math.tau / self.period
        return self.mean * (end - start) - step * (math.cos(phase * end) - math.cos(phase * start))


LOAD: Final = Wave(420.0, 180.0, 251.0)
SOLAR: Final = Wave(310.0, 240.0, 907.0)
OUTPUT_VOLTAGE: Final = Wave(120.0, 1.2, 107.0)
SOLAR_VOLTAGE: Final = Wave(38.5, 2.0, 613.0)
BATTERY_VOLTAGE: Final = Wave(13.4, 0.3, 1901.0)
SOC: Final = Wave(72.0, 18.0, 7200.0)
TEMPERATURE: Final = Wave(31.0, 4.0, 3600.0)


def _words(number: int) -> tuple[int, int]:
    """Split a 32-bit number, the high word first."""
    return number >> 16 & 0xFFFF, number & 0xFFFF


def _text(text: str, words: int) -> tuple[int, ...]:
    """Return text as registers."""
    return struct.unpack(f">{words}H", text.encode("ascii").ljust(2 * words, b"\0")[: 2 * words])


def inverter_registers(now: float, *, unit: int = UNIT, model: str = MODEL) -> dict[int, int]:
    """Return the registers of a REGO inverter at a time (seconds since 1970)."""
    load, solar = LOAD.at(now), SOLAR.at(now)
    volts, battery = OUTPUT_VOLTAGE.at(now), BATTERY_VOLTAGE.at(now)
    charging = solar * 0.96
    midnight = now - now % DAY
    joules_per_tenth_kwh = 360_000.0
    amp_seconds = 3600.0 * BATTERY_VOLTAGE.mean

    def counted(wave: Wave, since: float, per: float) -> int:
        return int(wave.integral(since, now) / per)

    blocks: dict[int, tuple[int, ...]] = {
        4000: (
            0,
            0,
            round(volts * 10),
            round(load / volts * 100),
            6000 + round(2 * math.sin(now / 5)),
            round(battery * 10),
            round(TEMPERATURE.at(now) * 10),
            0,
            0,
            0,
        ),
        4100: (0, 0, 1, *(0,) * 6, unit, *(NOT_THERE,) * 2, *_text(SERIAL, 9)),
        4300: (0, 0, 0, *_text("RENOGY", 8), *_text(model, 8), *_text(VERSION, 8)),
        4327: (
            round(SOC.at(now)),
            round(charging / battery * 10),
            round(SOLAR_VOLTAGE.at(now) * 10),
            round(solar / SOLAR_VOLTAGE.at(now) * 10),
            round(solar),
            2,
            round(charging),
        ),
        4398: (0, 0, 0, 0, *_clock(now), 5, 0, 3800),
        4408: (
            round(load / volts * 10),
            round(load),
            round(load * 1.08),
            0,
            0,
            round(load / 30),
            round(TEMPERATURE.at(now) * 10) + 40,
            round(TEMPERATURE.at(now) * 10) + 60,
        ),
        4501: (0,) * 42,
        4543: (
            counted(SOLAR, midnight, amp_seconds / 0.96),
            counted(LOAD, midnight, amp_seconds),
            counted(SOLAR, midnight, joules_per_tenth_kwh),
            counted(LOAD, midnight, joules_per_tenth_kwh),
            0,
            0,
            0,
            *_words(counted(SOLAR, EPOCH, amp_seconds / 0.96)),
            *_words(counted(LOAD, EPOCH, amp_seconds)),
            *_words(counted(SOLAR, EPOCH, joules_per_tenth_kwh)),
            *_words(counted(LOAD, EPOCH, joules_per_tenth_kwh)),
            0,
            0,
            int((now - midnight) // 60),
            0,
            0,
            0,
            0,
            0,
            int((now - EPOCH) // 3600) & 0xFFFF,
            0,
        ),
    }
    return {start + i: word for start, words in blocks.items() for i, word in enumerate(words)}


def _clock(now: float) -> tuple[int, int, int]:
    """Return registers 4402-4404: year and month, day and hour, minute and second."""
    utc = time.gmtime(now)
    return (
        (utc.tm_year - 2000) << 8 | utc.tm_mon,
        utc.tm_mday << 8 | utc.tm_hour,
        utc.tm_min << 8 | utc.tm_sec,
    )


@dataclass(slots=True)
class VirtualDevice:
    """A Modbus slave: answers frames as the device would, or stays silent."""

    unit: int = UNIT
    model: str = MODEL
    clock: Callable[[], float] = time.time
    overrides: dict[int, int] = field(default_factory=dict)
    """Registers that were written, or set by a test."""

    def registers(self) -> Mapping[int, int]:
        """Return all registers as they are now."""
        return inverter_registers(self.clock(), unit=self.unit, model=self.model) | self.overrides

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply to one frame; None where a device stays silent (damaged, or another's)."""
        if len(request) != 8 or not is_sealed(request):
            return None
        _, function, first, second = struct.unpack(">BBHH", request[:6])
        if request[0] not in (self.unit, 255):
            return None
        if function == READ_REGISTERS:
            return self._read(first, second)
        if function == WRITE_REGISTER:
            if first not in self.registers():
                return self._refuse(function, _ILLEGAL_ADDRESS)
            self.overrides[first] = second
            return seal(struct.pack(">BBHH", self.unit, function, first, second))
        return self._refuse(function, _ILLEGAL_FUNCTION)

    def _read(self, start: int, count: int) -> bytes:
        if not 1 <= count <= 125:
            return self._refuse(READ_REGISTERS, _ILLEGAL_LENGTH)
        registers = self.registers()
        try:
            words = [registers[register] for register in range(start, start + count)]
        except KeyError:
            return self._refuse(READ_REGISTERS, _ILLEGAL_ADDRESS)
        return seal(struct.pack(f">BBB{count}H", self.unit, READ_REGISTERS, 2 * count, *words))

    def _refuse(self, function: int, code: int) -> bytes:
        return seal(bytes((self.unit, function | EXCEPTION_FLAG, code)))


def _services() -> BleakGATTServiceCollection:
    """Return the GATT services of a BT-2 module, as far as a session looks."""
    services = BleakGATTServiceCollection()
    write_service = BleakGATTService(None, 0x1B, WRITE_SERVICE)
    notify_service = BleakGATTService(None, 0x2C, NOTIFY_SERVICE)
    for service in (write_service, notify_service):
        services.add_service(service)
    services.add_characteristic(
        BleakGATTCharacteristic(
            None,
            0x1C,
            WRITE_CHARACTERISTIC,
            ["write-without-response", "write"],
            lambda: FRAGMENT,
            write_service,
        )
    )
    services.add_characteristic(
        BleakGATTCharacteristic(
            None, 0x2D, NOTIFY_CHARACTERISTIC, ["notify"], lambda: FRAGMENT, notify_service
        )
    )
    return services


class VirtualLink:
    """A link to a virtual device: the same face as a Bluetooth link, with 20-byte notifications."""

    def __init__(self, device: VirtualDevice) -> None:
        """Prepare a link."""
        self._device = device
        self._notify: Callable[[BleakGATTCharacteristic, bytearray], None] | None = None
        self._characteristic: BleakGATTCharacteristic | None = None
        self.services = _services()
        self.disconnected = asyncio.Event()
        self.attempts = 0

    async def connect(self) -> VirtualLink:
        """Connect: there is nothing to wait for."""
        self.attempts += 1
        self.disconnected.clear()
        return self

    async def disconnect(self) -> None:
        """Disconnect."""
        self._notify = None
        self.disconnected.set()

    async def start_notify(
        self,
        char_specifier: BleakGATTCharacteristic,
        callback: Callable[[BleakGATTCharacteristic, bytearray], None],
    ) -> None:
        """Have replies delivered to the callback."""
        self._characteristic, self._notify = char_specifier, callback

    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        """Take a request and deliver the reply in fragments."""
        reply = self._device.answer(data)
        if reply is None or self._notify is None or self._characteristic is None:
            return
        loop = asyncio.get_running_loop()
        for start in range(0, len(reply), FRAGMENT):
            loop.call_soon(
                self._notify, self._characteristic, bytearray(reply[start : start + FRAGMENT])
            )
