"""What a device family is made of: blocks of registers, fields in them, models that differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

type Value = int | float | str | list[str]

NOT_THERE: Final = 0xFFFF


class Unit(StrEnum):
    """Units of measurement, spelled as Home Assistant spells them."""

    VOLT = "V"
    AMPERE = "A"
    WATT = "W"
    VOLT_AMPERE = "VA"
    HERTZ = "Hz"
    PERCENT = "%"
    CELSIUS = "°C"
    AMPERE_HOUR = "Ah"
    KILOWATT_HOUR = "kWh"
    MINUTE = "min"
    HOUR = "h"


class Kind(StrEnum):
    """How the registers of a field are read."""

    NUMBER = "number"
    """An integer times the scale; signed or not, one register or two (high word first)."""
    TEXT = "text"
    """ASCII, two characters a register, padded with spaces or NULs."""
    ENUM = "enum"
    """A number with a name."""
    CODES = "codes"
    """A list of names: one for each register that is not zero."""


class About(StrEnum):
    """What a field tells about the device itself."""

    MODEL = "model"
    SERIAL_NUMBER = "serial_number"
    VERSION = "version"


class Counter(StrEnum):
    """Fields that count up."""

    DAILY = "daily"
    """Returns to zero once a day, by the device's own clock."""
    TOTAL = "total"
    """Counts over the device's life."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value: where it stands, how it is read, and what it may be."""

    key: str
    register: int
    kind: Kind = Kind.NUMBER
    words: int = 1
    scale: float = 1
    signed: bool = False
    low_byte: bool = False
    """Only the low byte counts."""
    unit: Unit | None = None
    valid: tuple[float, float] | None = None
    """Smallest and largest value that can be true; anything else is dropped, never clamped."""
    names: Mapping[int, str] = field(default_factory=dict)
    other: str | None = None
    """The name for a number that has none in `names`; without it such a number is dropped."""
    counter: Counter | None = None
    about: About | None = None
    optional: bool = False
    """Not every model answers it."""

    @property
    def registers(self) -> range:
        """The registers it covers."""
        return range(self.register, self.register + self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the family; what is given here replaces the family's own."""

    key: str
    matches: tuple[str, ...]
    """How the text in the model register begins."""
    source: str
    """Where the facts come from."""
    without_blocks: frozenset[str] = frozenset()
    blocks: tuple[Block, ...] = ()
    """Added, or in place of the family's block of the same key."""
    without_fields: frozenset[str] = frozenset()
    fields: tuple[Field, ...] = ()
    """Added, or in place of the family's field of the same key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """The blocks and fields that apply to one model."""

    blocks: tuple[Block, ...]
    fields: tuple[Field, ...]

    def fields_of(self, block: Block) -> tuple[Field, ...]:
        """Return the fields that lie within a block."""
        covered = block.registers
        return tuple(
            field
            for field in self.fields
            if field.registers.start >= covered.start and field.registers.stop <= covered.stop
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A device family."""

    key: str
    name: str
    units: tuple[int, ...]
    """Unit addresses to try, the likeliest first."""
    name_prefixes: tuple[str, ...]
    """How the advertised names of this family begin (compared without regard to case)."""
    blocks: tuple[Block, ...]
    fields: tuple[Field, ...]
    models: tuple[Model, ...]
    """The first one is the base: the one that the family's own blocks and fields describe."""

    @property
    def model_field(self) -> Field:
        """The field that names the model."""
        return next(item for item in self.fields if item.about is About.MODEL)

    def model(self, key: str) -> Model:
        """Return the model of that key; raises KeyError."""
        for model in self.models:
            if model.key == key:
                return model
        raise KeyError(key)

    def model_named(self, text: str) -> Model | None:
        """Return the model that a model register's text, or a person, names."""
        wanted = text.strip().upper()
        for model in self.models:
            if wanted.startswith(tuple(prefix.upper() for prefix in model.matches)):
                return model
        return None

    def register_map(self, model: Model | None = None) -> RegisterMap:
        """Return the blocks of a model, or of the base, and the fields that lie in them."""
        if model is None:
            return RegisterMap(blocks=self.blocks, fields=self.fields)
        blocks = {
            block.key: block for block in self.blocks if block.key not in model.without_blocks
        }
        blocks |= {block.key: block for block in model.blocks}
        fields = {item.key: item for item in self.fields if item.key not in model.without_fields}
        fields |= {item.key: item for item in model.fields}
        everything = RegisterMap(blocks=tuple(blocks.values()), fields=tuple(fields.values()))
        covered = {item.key for block in everything.blocks for item in everything.fields_of(block)}
        return replace(
            everything, fields=tuple(item for item in everything.fields if item.key in covered)
        )
