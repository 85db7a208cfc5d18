"""A virtual device: a Modbus slave, or a shunt that sends frames by itself; several behind one module."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
import struct
import time
from typing import Final, Protocol

from ..protocol.modbus import (
    EXCEPTION_FLAG,
    READ_REGISTERS,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    is_sealed,
    seal,
)
from . import battery, controller, dcdc, inverter, shunt
from .writes import Habit, Writes

type Registers = Callable[[float, int, str], dict[int, int]]
type Effects = Callable[[Mapping[int, int], dict[int, int]], dict[int, int]]
type Records = Callable[[float], dict[int, tuple[int, ...]]]

_ILLEGAL_FUNCTION: Final = 1
_ILLEGAL_ADDRESS: Final = 2
_ILLEGAL_LENGTH: Final = 3


def _no_records(_: float) -> dict[int, tuple[int, ...]]:
    return {}


def _as_written(_: Mapping[int, int], changes: dict[int, int]) -> dict[int, int]:
    return changes


@dataclass(frozen=True, slots=True)
class Kind:
    """What a virtual device is."""

    unit_id: int
    model: str
    registers: Registers
    records: Records = _no_records
    """Blocks that are read from their first register on, whatever the numbers of others."""
    write_only: frozenset[int] = frozenset()
    """Registers that can be written and not read."""
    effects: Effects = _as_written
    """What registers are after some were written."""


KINDS: Final[Mapping[str, Kind]] = {
    "inverter": Kind(inverter.UNIT, inverter.MODEL, inverter.inverter_registers),
    "riv4835": Kind(inverter.UNIT, inverter.RIV4835_MODEL, inverter.riv4835_registers),
    "srne": Kind(inverter.SRNE_UNIT, inverter.SERIAL, inverter.srne_registers),
    "controller": Kind(
        controller.UNIT,
        controller.MODEL,
        controller.controller_registers,
        controller.controller_records,
        write_only=frozenset({controller.LOAD_REGISTER}),
        effects=controller.effects,
    ),
    "dcdc": Kind(
        dcdc.UNIT,
        dcdc.MODEL,
        dcdc.dcdc_registers,
        dcdc.dcdc_records,
        effects=controller.type_effects,
    ),
    "battery": Kind(battery.UNIT, battery.MODEL, battery.battery_registers),
}


class Module(Protocol):
    """What is behind a Bluetooth module."""

    overrides: dict[int, int]
    """Registers that were written, or set by a test."""

    @property
    def pushes(self) -> bool:
        """Whether it sends frames by itself."""

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply to one frame; None where it does not answer."""

    def frame(self) -> bytes:
        """Return the frame that it sends now."""


@dataclass(slots=True)
class VirtualDevice:
    """A Modbus slave: answers frames as the device would, or does not answer."""

    unit_id: int = inverter.UNIT
    model: str = inverter.MODEL
    kind: str = "inverter"
    clock: Callable[[], float] = time.time
    overrides: dict[int, int] = field(default_factory=dict)
    """Registers that were written, or set by a test."""
    writes: Writes = field(default_factory=Writes)

    def registers(self) -> Mapping[int, int]:
        """Return all registers as they are now."""
        registers = KINDS[self.kind].registers(self.clock(), self.unit_id, self.model)
        return registers | self.overrides

    @property
    def pushes(self) -> bool:
        """Whether it sends frames by itself: it does not."""
        return False

    def frame(self) -> bytes:
        """Return the frame that it sends now: none."""
        return b""

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply to one frame; None where a device does not answer (damaged, or another's)."""
        if len(request) < 8 or not is_sealed(request):
            return None
        _, function, first, second = struct.unpack(">BBHH", request[:6])
        if request[0] not in (self.unit_id, 255):
            return None
        if function == READ_REGISTERS and len(request) == 8:
            return self._read(first, second)
        if function == WRITE_REGISTER and len(request) == 8:
            return self._write(function, first, (second,), second)
        if function == WRITE_REGISTERS and len(request) == 9 + 2 * second:
            return self._write(function, first, struct.unpack(f">{second}H", request[7:-2]), second)
        return self._refuse(function, _ILLEGAL_FUNCTION)

    def _write(
        self, function: int, start: int, words: tuple[int, ...], echoed: int
    ) -> bytes | None:
        """Take a write as the device does; return its echo."""
        kind, registers, writes = KINDS[self.kind], self.registers(), self.writes
        writes.seen.append((start, words))
        changes = dict(enumerate(words, start))
        if not changes.keys() <= registers.keys() | kind.write_only:
            return self._refuse(function, _ILLEGAL_ADDRESS)
        if kept := writes.kept(changes):
            self.overrides |= kind.effects(registers, kept)
        if writes.silent:
            return None
        if writes.refuses:
            return self._refuse(function, writes.code)
        shown = start - 10 if writes.habit is Habit.OTHER_ECHO else start
        return seal(struct.pack(">BBHH", self.unit_id, function, shown, echoed))

    def _read(self, start: int, count: int) -> bytes:
        if not 1 <= count <= 125:
            return self._refuse(READ_REGISTERS, _ILLEGAL_LENGTH)
        answer = self._answer_to_read(start, count)
        if self.writes.late:  # it is kept with the next look
            self.overrides |= self.writes.late
            self.writes.late = {}
        return answer

    def _answer_to_read(self, start: int, count: int) -> bytes:
        record = KINDS[self.kind].records(self.clock()).get(start, ())
        registers = dict(enumerate(record, start)) or self.registers()
        try:
            words = [registers[register] for register in range(start, start + count)]
        except KeyError:
            return self._refuse(READ_REGISTERS, _ILLEGAL_ADDRESS)
        return seal(struct.pack(f">BBB{count}H", self.unit_id, READ_REGISTERS, 2 * count, *words))

    def _refuse(self, function: int, code: int) -> bytes:
        return seal(bytes((self.unit_id, function | EXCEPTION_FLAG, code)))


class VirtualBus:
    """Several slaves behind one module, as on a hub."""

    def __init__(self, devices: list[VirtualDevice]) -> None:
        """Put them on the bus."""
        self.devices = devices
        self.overrides = devices[0].overrides if devices else {}
        """Those of the first of them."""

    @property
    def pushes(self) -> bool:
        """Whether it sends frames by itself: it does not."""
        return False

    def frame(self) -> bytes:
        """Return the frame that it sends now: none."""
        return b""

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply of the one that is asked; several at once destroy each other's."""
        replies = [reply for device in self.devices if (reply := device.answer(request))]
        if len(replies) > 1:
            return bytes(one ^ other for one, other in zip(*replies[:2], strict=False))
        return replies[0] if replies else None


@dataclass(slots=True)
class VirtualShunt:
    """A shunt: answers nothing, and sends frames by itself."""

    clock: Callable[[], float] = time.time
    overrides: dict[int, int] = field(default_factory=dict)
    """Words of the frame that were set by a test."""

    @property
    def pushes(self) -> bool:
        """Whether it sends frames by itself: it does."""
        return True

    def answer(self, request: bytes) -> bytes | None:
        """Return nothing: it is not asked."""
        return None

    def frame(self) -> bytes:
        """Return the frame that it sends now."""
        frame = bytearray(shunt.shunt_frame(self.clock()))
        for word, value in self.overrides.items():
            frame[2 * word : 2 * word + 2] = value.to_bytes(2)
        return bytes(frame)


def virtual_device(
    kind: str, clock: Callable[[], float] = time.time
) -> VirtualDevice | VirtualShunt:
    """Return a virtual device of a family, or of a kind that differs within one."""
    if kind == "shunt":
        return VirtualShunt(clock)
    made = KINDS[kind]
    return VirtualDevice(unit_id=made.unit_id, model=made.model, kind=kind, clock=clock)


def virtual_bus(
    devices: Iterable[tuple[str, int]], clock: Callable[[], float] = time.time
) -> VirtualBus:
    """Return devices (kind, unit) behind one module."""
    return VirtualBus(
        [
            VirtualDevice(unit_id=unit_id, model=KINDS[kind].model, kind=kind, clock=clock)
            for kind, unit_id in devices
        ]
    )
