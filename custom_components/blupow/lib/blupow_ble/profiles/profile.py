"""What a profile is: a family of devices, its models that differ, the days that they keep."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from ..protocol.push import PushFrame
from .declaration import (
    UNKNOWN_FAULT,
    Block,
    Computed,
    Fault,
    Field,
    Info,
    Span,
    UnitOfMeasurement,
    is_unknown,
)
from .setting import NO_CONTROLS, Controls

OTHER_MODEL: Final = "other"
"""The key of the model that stands for those in no list: what all known ones have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An energy that the device does not count: BluPow integrates a power that it sends."""

    key: str
    power: str
    direction: int
    """1 counts positive power, -1 negative power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryField:
    """A value that the device keeps for each of some days."""

    key: str
    span: int
    """The first register of the span that holds the first day."""
    span_step: int = 0
    """From the span of a day to that of the day before it."""
    word: int
    """Where in the span the first day stands."""
    word_step: int = 0
    """From a day to the one before it, within a span."""
    scale: float = 1
    unit_of_measurement: UnitOfMeasurement
    maximum: float
    """What a day can hold; more cannot be true."""
    summed: bool = False
    """A sum of that day, fit for long-term statistics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The days that a device keeps."""

    first_day: int
    """How many days ago the first one was."""
    days: int
    spans: tuple[Span, ...]
    """What is read for it. Those of a controller overlap by number, though each is a day of its own."""
    fields: tuple[HistoryField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the family; what is given here replaces the family's own."""

    key: str
    matches: tuple[str, ...]
    """How the text in the model register begins; the longest one that fits counts."""
    name_prefixes: tuple[str, ...] = ()
    """How the advertised names of this model begin, where they tell."""
    devices: str
    """Which devices these are, for people."""
    source: str
    """Where the facts come from."""
    without_blocks: frozenset[str] = frozenset()
    blocks: tuple[Block, ...] = ()
    """Added, or in place of the family's block of the same key."""
    without_fields: frozenset[str] = frozenset()
    standalone: bool = False
    """Nothing of the family's blocks and fields applies: another map altogether."""
    fields: tuple[Field, ...] = ()
    """Added, or in place of the family's field of the same key."""
    without_history: bool = False
    controls: Controls | None = None
    """The settings that may be written, in place of the family's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """The blocks and fields that apply to one model."""

    blocks: tuple[Block, ...]
    fields: tuple[Field, ...]
    computed: tuple[Computed, ...] = ()
    controls: Controls = NO_CONTROLS
    no_value: int | None = None
    """The word that says that there is no such value."""

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
    """Unit IDs to try, the likeliest first."""
    name_prefixes: tuple[str, ...]
    """How the advertised names of this family begin (compared without regard to case)."""
    blocks: tuple[Block, ...]
    fields: tuple[Field, ...]
    models: tuple[Model, ...]
    """The first one is the base: the one that the family's own blocks and fields describe."""
    computed: tuple[Computed, ...] = ()
    faults: tuple[Fault, ...] = ()
    """The worst first."""
    estimates: tuple[Estimate, ...] = ()
    history: History | None = None
    push: PushFrame | None = None
    """The device is listened to; it is not asked, and speaks no Modbus."""
    controls: Controls = NO_CONTROLS
    no_value: int | None = None
    """The word that says that there is no such value."""

    @property
    def model_field(self) -> Field | None:
        """The field that names the model; None where the family does not."""
        return next((item for item in self.fields if item.info is Info.MODEL), None)

    @property
    def other_model(self) -> Model | None:
        """The model for those in no list; None where the base has what all have in common."""
        return next((model for model in self.models if model.key == OTHER_MODEL), None)

    @property
    def must_know_model(self) -> bool:
        """Whether the models' registers differ, so that none may be taken for the base."""
        return self.other_model is not None

    def model(self, key: str) -> Model:
        """Return the model of that key; raises KeyError."""
        for model in self.models:
            if model.key == key:
                return model
        raise KeyError(key)

    def model_named(self, text: str) -> Model | None:
        """Return the model that a model register's text, or a person, names: the closest match."""
        wanted = text.strip().upper()
        matches = [
            (len(prefix), model)
            for model in self.models
            for prefix in model.matches
            if wanted.startswith(prefix.upper())
        ]
        return max(matches, key=lambda match: match[0])[1] if matches else None

    def register_map(self, model: Model | None = None) -> RegisterMap:
        """Return the blocks of a model, or of the base, and the fields that lie in them."""
        if model is None:
            return RegisterMap(
                blocks=self.blocks,
                fields=self.fields,
                computed=self.computed,
                controls=self.controls,
                no_value=self.no_value,
            )
        own_blocks = () if model.standalone else self.blocks
        own_fields = () if model.standalone else self.fields
        blocks = {block.key: block for block in own_blocks if block.key not in model.without_blocks}
        blocks |= {block.key: block for block in model.blocks}
        fields = {item.key: item for item in own_fields if item.key not in model.without_fields}
        fields |= {item.key: item for item in model.fields}
        everything = RegisterMap(
            blocks=tuple(blocks.values()),
            fields=tuple(fields.values()),
            controls=self.controls if model.controls is None else model.controls,
            no_value=self.no_value,
        )
        covered = {item.key for block in everything.blocks for item in everything.fields_of(block)}
        return replace(
            everything,
            fields=tuple(item for item in everything.fields if item.key in covered),
            computed=tuple(item for item in self.computed if covered.issuperset(item.of)),
        )

    def history_of(self, model: Model | None) -> History | None:
        """Return the days that a model keeps; None if it keeps none."""
        return None if model is not None and model.without_history else self.history

    def worst(self, active: Iterable[str]) -> Fault | None:
        """Return the worst of the faults named; None if there are none."""
        named = {UNKNOWN_FAULT if is_unknown(name) else name for name in active}
        return next((fault for fault in self.faults if fault.name in named), None)
