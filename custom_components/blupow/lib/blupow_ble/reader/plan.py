"""What is to be read of one unit: of which family and model, under which address, which blocks."""

from dataclasses import dataclass

from ..profiles.declaration import Model, Profile

OWN_UNIT = ""
"""The key of the unit that a module is set up for; others behind it have keys of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPlan:
    """What is to be read of one unit. No address means that the family's candidates are tried."""

    profile: Profile
    key: str = OWN_UNIT
    model: Model | None = None
    unit_id: int | None = None
    blocks: tuple[str, ...] | None = None
    """The blocks to read beside the required ones; None is all."""
