"""What a profile declares of registers: blocks of them, fields in them, faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Final

type Value = bool | int | float | str | list[str]

NO_VALUE: Final = 0xFFFF
"""How an inverter says that it has no such value. In other families this is a number as any other."""

PAIR_ENDINGS: Final[Mapping[int, str]] = {1: "below", 2: "above", 3: "other"}
"""What two bits say of a subject."""

HIGH_BYTE: Final = (8, 8)
LOW_BYTE: Final = (0, 8)

NO_SENSOR: Final = 0x8000
"""How a device says that a temperature has no sensor."""

UNKNOWN_FAULT: Final = "unknown_fault"
"""The fault that stands for all bits and codes without a name."""

LIFETIME: Final = 20 * 8766
"""Hours: no device has counted longer."""
LONGEST_DAY: Final = 48
"""Hours that a daily counter may count: devices begin their days when they like."""


class UnitOfMeasurement(StrEnum):
    """Units of measurement, spelled as Home Assistant spells them."""

    VOLT = "V"
    AMPERE = "A"
    WATT = "W"
    VOLT_AMPERE = "VA"
    HERTZ = "Hz"
    PERCENT = "%"
    CELSIUS = "°C"
    AMPERE_HOUR = "Ah"
    WATT_HOUR = "Wh"
    KILOWATT_HOUR = "kWh"
    SECOND = "s"
    MINUTE = "min"
    HOUR = "h"
    DAY = "d"


class Kind(StrEnum):
    """How the registers of a field are read."""

    NUMBER = "number"
    """An integer times the scale; signed or not, one register or two."""
    TEXT = "text"
    """ASCII, two characters a register (one, where a field takes the low byte), padded with spaces or NULs."""
    HEX = "hex"
    """Hexadecimal digits, as a serial number is printed."""
    VERSION = "version"
    """The three low bytes of two registers: V3.2.1."""
    ENUM = "enum"
    """A number with a name."""
    CODES = "codes"
    """A list of names: one for each register that is not zero."""
    BITS = "bits"
    """A list of names: one for each bit that is set, but for the quiet ones; bit 0 is the lowest."""
    PAIRS = "pairs"
    """A list of names: two bits for each subject, 01 below its limit, 10 above it, 11 other."""
    FLAG = "flag"
    """One bit: true or false."""


class WordOrder(StrEnum):
    """Which register of a 32-bit number comes first."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"
    INFERRED = "inferred"
    """As the numbers themselves tell; high first, as documented, where they do not."""


class Info(StrEnum):
    """What a field tells about the device itself."""

    MODEL = "model"
    SERIAL_NUMBER = "serial_number"
    VERSION = "version"
    HARDWARE_VERSION = "hardware_version"


class Quantity(StrEnum):
    """What a value shows, where the unit of measurement does not say."""

    BATTERY_LEVEL = "battery_level"
    RUNNING = "running"
    POWERED = "powered"


class Counter(StrEnum):
    """Fields that count up."""

    DAILY = "daily"
    """Returns to zero once a day, by the device's own clock."""
    TOTAL = "total"
    """Counts over the device's life."""
    EVENTS = "events"
    """Counts things that happened, or days, over the device's life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Registers that are read in one request.

    The number of words is unique within a model, because the byte count is all that ties a reply
    to its request: a late reply to one block can then never pass for another's.
    """

    key: str
    start: int
    words: int
    required: bool = False
    """Without it there is no reading at all."""
    identity: bool = False
    """Read once, then seldom; live values never wait for it."""

    @property
    def registers(self) -> range:
        """The registers it covers."""
        return range(self.start, self.start + self.words)


LONGEST_SPAN: Final = 60
"""So many registers are asked for at once by number: modules of every age answer that many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Registers asked for by number, whatever they mean. Raises ValueError for what cannot be asked."""

    start: int
    words: int

    def __post_init__(self) -> None:
        """Refuse what a request cannot express."""
        if not 1 <= self.words <= LONGEST_SPAN:
            raise ValueError(f"{self.words} registers are not within 1-{LONGEST_SPAN}")
        if not 0 <= self.start <= 0x10000 - self.words:
            raise ValueError(f"{self.words} registers from {self.start} do not exist")

    @property
    def registers(self) -> range:
        """The registers it covers."""
        return range(self.start, self.start + self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value: where it stands, how it is read, and what it may be."""

    key: str
    register: int
    kind: Kind = Kind.NUMBER
    words: int = 1
    scale: float = 1
    fine_scale: float | None = None
    """The scale of newer firmware, for numbers too large to be true by `scale`."""
    signed: bool = False
    """Two's complement."""
    sign_magnitude: bool = False
    """The highest bit is the sign, the others are the magnitude."""
    bits: tuple[int, int] | None = None
    """The lowest bit and the number of bits that count; None is all."""
    order: WordOrder = WordOrder.HIGH_FIRST
    no_sensor: int | None = None
    """The word that says that there is no sensor."""
    unit_of_measurement: UnitOfMeasurement | None = None
    valid: tuple[float, float] | None = None
    """Smallest and largest value that can be true; anything else is dropped, never clamped."""
    names: Mapping[int, str] = field(default_factory=dict)
    quiet: frozenset[int] = frozenset()
    """Of BITS, those that are set on healthy devices: another value, or none at all."""
    present_count: tuple[int, int] | None = None
    """The register that counts how many there are, and which of them this is; a further one is not there."""
    counter: Counter | None = None
    per_hour: float | None = None
    """A counter never grows faster than this, in its unit; a larger step cannot be true."""
    today: str | None = None
    """The daily counter that counts the same as this total: a total is never below it."""
    evidence: tuple[str, ...] = ()
    """Independent sources of the sign of a signed value, or of the order and the scale of a total."""
    info: Info | None = None
    optional: bool = False
    """Not every model answers it."""
    setting: bool = False
    """What the device is, or is set to; other fields are measurements."""
    advanced: bool = False
    """Rarely wanted: hosts do not show it unless they are asked to."""
    quantity: Quantity | None = None
    """What it shows, where the unit of measurement does not say."""
    cell: int | None = None
    """The number of the battery cell that it is about."""

    @property
    def registers(self) -> range:
        """The registers it covers."""
        return range(self.register, self.register + self.words)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Smallest and largest value that can be true: as given, else what it can have counted."""
        if self.valid is not None or self.per_hour is None:
            return self.valid
        return 0, self.per_hour * (LONGEST_DAY if self.counter is Counter.DAILY else LIFETIME)

    @property
    def listed(self) -> frozenset[str]:
        """The names that it may list."""
        match self.kind:
            case Kind.CODES | Kind.BITS:
                return frozenset({*self.names.values(), UNKNOWN_FAULT})
            case Kind.PAIRS:
                return frozenset(
                    {
                        UNKNOWN_FAULT,
                        *(
                            f"{name}_{ending}"
                            for name in self.names.values()
                            for ending in PAIR_ENDINGS.values()
                        ),
                    }
                )
        return frozenset()

    def digits_of(self, value: Value | None = None) -> int:
        """Return the digits after the point that its scale gives, or the finer one of this value."""
        coarse = digits(self.scale)
        if self.fine_scale is None or not isinstance(value, float):
            return coarse
        return coarse if round(value, coarse) == value else digits(self.fine_scale)


def digits(scale: float) -> int:
    """Return the digits after the point that a scale gives."""
    return len(f"{abs(scale):g}".partition(".")[2])


_UNKNOWN: Final = "unknown ("


def unknown(*numbers: int) -> str:
    """Return the name of what has none: the number itself, or the register and the bit."""
    return f"{_UNKNOWN}{', '.join(map(str, numbers))})"


def is_unknown(name: str) -> bool:
    """Whether a name stands for what has none."""
    return name.startswith(_UNKNOWN)


class Rule(StrEnum):
    """How a value follows from two others of the same reading."""

    PRODUCT = "product"
    PERCENTAGE = "percentage"
    """The first of the second, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A value that the device does not send itself, but that follows from two that it sends."""

    key: str
    rule: Rule
    of: tuple[str, str]
    unit_of_measurement: UnitOfMeasurement
    scale: float
    """Its last digit."""
    valid: tuple[float, float]
    quantity: Quantity | None = None


class FaultGroup(StrEnum):
    """What a fault is about."""

    BATTERY = "battery_fault"
    CELLS = "cell_fault"
    TEMPERATURE = "temperature_fault"
    SOLAR = "solar_fault"
    ALTERNATOR = "alternator_fault"
    MAINS = "mains_fault"
    LOAD = "load_fault"
    DEVICE = "device_fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault or an alarm that the device may report."""

    name: str
    group: FaultGroup

    @property
    def state(self) -> str:
        """Its name without the number of a cell: what is wrong, whichever cell it is."""
        return _OF_A_CELL.sub("cell_", self.name)

    @property
    def cell(self) -> int | None:
        """The number of the battery cell that it is about."""
        found = _OF_A_CELL.match(self.name)
        return int(found["number"]) if found else None


_OF_A_CELL: Final = re.compile(r"cell_(?P<number>\d+)_")

ANY_UNKNOWN_FAULT: Final = Fault(name=UNKNOWN_FAULT, group=FaultGroup.DEVICE)
