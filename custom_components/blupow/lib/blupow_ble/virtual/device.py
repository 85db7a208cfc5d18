"""A virtual device: a Modbus slave, or a shunt that sends frames by itself; several behind one module."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
import struct
import time
from typing import Final, Protocol

from ..protocol.modbus import EXCEPTION_FLAG, READ_REGISTERS, WRITE_REGISTER, is_sealed, seal
from . import battery, controller, dcdc, inverter, shunt

type Registers = Callable[[float, int, str], dict[int, int]]
type Records = Callable[[float], dict[int, tuple[int, ...]]]

_ILLEGAL_FUNCTION: Final = 1
_ILLEGAL_ADDRESS: Final = 2
_ILLEGAL_LENGTH: Final = 3


def _no_records(_: float) -> dict[int, tuple[int, ...]]:
    return {}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a virtual device is."""

    unit_id: int
    model: str
    registers: Registers
    records: Records = _no_records
    """Blocks that are read from their first register on, whatever the numbers of others."""


KINDS: Final[Mapping[str, Kind]] = {
    "inverter": Kind(inverter.UNIT, inverter.MODEL, inverter.inverter_registers),
    "srne": Kind(inverter.SRNE_UNIT, inverter.SERIAL, inverter.srne_registers),
    "controller": Kind(
        controller.UNIT,
        controller.MODEL,
        controller.controller_registers,
        controller.controller_records,
    ),
    "dcdc": Kind(dcdc.UNIT, dcdc.MODEL, dcdc.dcdc_registers, dcdc.dcdc_records),
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
        if len(request) != 8 or not is_sealed(request):
            return None
        _, function, first, second = struct.unpack(">BBHH", request[:6])
        if request[0] not in (self.unit_id, 255):
            return None
        if function == READ_REGISTERS:
            return self._read(first, second)
        if function == WRITE_REGISTER:
            if first not in self.registers():
                return self._refuse(function, _ILLEGAL_ADDRESS)
            self.overrides[first] = second
            return seal(struct.pack(">BBHH", self.unit_id, function, first, second))
        return self._refuse(function, _ILLEGAL_FUNCTION)

    def _read(self, start: int, count: int) -> bytes:
        if not 1 <= count <= 125:
            return self._refuse(READ_REGISTERS, _ILLEGAL_LENGTH)
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
