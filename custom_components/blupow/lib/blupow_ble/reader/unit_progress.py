"""What is known so far of one unit within one reading."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..profiles.declaration import Block
from ..profiles.decoding import decode
from ..profiles.profile import Model, RegisterMap
from ..protocol.errors import ErrorCode
from .plan import UnitPlan
from .result import UnitReading


@dataclass(slots=True)
class UnitProgress:
    """What is known so far of one unit within one reading."""

    plan: UnitPlan
    model: Model | None
    unit_id: int | None
    registers: dict[int, int] = field(default_factory=dict)
    raw: dict[int, tuple[int, ...]] = field(default_factory=dict)
    failed: dict[str, ErrorCode] = field(default_factory=dict)

    @property
    def register_map(self) -> RegisterMap:
        """The blocks and fields of its model."""
        return self.plan.profile.register_map(self.model)

    @property
    def required(self) -> Block:
        """The block without which there is no reading."""
        return next(block for block in self.register_map.blocks if block.required)

    def has(self, block: Block) -> bool:
        """Whether a block was read."""
        return len(self.raw.get(block.start, ())) == block.words

    def asked_for(self, block: Block) -> bool:
        """Whether a block is to be read."""
        wanted = self.plan.blocks
        return block.required or wanted is None or block.key in wanted

    def holds_model(self, block: Block) -> bool:
        """Whether the model stands in a block."""
        return self.plan.profile.model_field in self.register_map.fields_of(block)

    def keep(self, block: Block, words: Sequence[int]) -> None:
        """Keep the words of a block."""
        self.raw[block.start] = tuple(words)
        self.registers.update(zip(block.registers, words, strict=True))

    def recognize(self) -> None:
        """Take the model from its register, unless it was given: who gives one knows better."""
        model_field = self.plan.profile.model_field
        if self.model is not None or model_field is None:
            return
        text = decode(self.register_map, self.registers).values.get(model_field.key)
        if isinstance(text, str) and (model := self.plan.profile.model_named(text)):
            self.model = model

    def reading(self) -> UnitReading:
        """Return what was read, decoded."""
        decoded = decode(self.register_map, self.registers)
        return UnitReading(
            unit_id=self.unit_id,
            model=self.model.key if self.model else None,
            values=decoded.values,
            failed=self.failed,
            dropped=decoded.dropped,
            unknown=decoded.unknown,
            registers=self.raw,
        )
