"""What a reading is to bring, or a search is to find, and how long it may take."""

from dataclasses import dataclass
from typing import Final

from ..profiles.declaration import Span
from ..profiles.profile import Model, Profile
from ..profiles.setting import SettingValue
from .timeouts import PROBE_BUDGET, read_budget, within_deadline, write_budget

OWN_UNIT: Final = ""
"""The key of the unit that a module is set up for; others behind it have keys of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPlan:
    """What is to be read of one unit. Without a unit ID the family's usual ones are tried."""

    profile: Profile
    key: str = OWN_UNIT
    model: Model | None = None
    unit_id: int | None = None
    blocks: tuple[str, ...] | None = None
    """The blocks to read beside the required ones; None is all."""
    spans: tuple[Span, ...] = ()
    """Registers to read at the end, as they are; a reading is whole without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """What one reading is to bring, and how long it may take. Times are seconds."""

    units: tuple[UnitPlan, ...]
    connect_timeout: float
    spans: tuple[Span, ...] = ()
    """Registers of the first unit asked for by number, instead of the blocks."""
    look_at: int | None = None
    """A unit ID that is asked at the end, whether another unit is there."""
    bypass_service_cache: bool = False
    """In-process, nothing that was remembered of the device's services is used.

    A process of its own remembers none; BlueZ forgets its own memory with the device.
    """

    @property
    def budget(self) -> float:
        """How long it may take once the device is connected."""
        pushed = self.units[0].profile.push is not None
        return within_deadline(read_budget(len(self.units), pushed=pushed), self.connect_timeout)


@dataclass(frozen=True, slots=True)
class Change:
    """A setting, and what it is to be set to."""

    key: str
    value: SettingValue


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePlan:
    """Which settings of one unit are to be changed, over one connection. Times are seconds."""

    unit: UnitPlan
    changes: tuple[Change, ...]
    connect_timeout: float

    @property
    def budget(self) -> float:
        """How long it may take once the device is connected."""
        return within_deadline(write_budget(len(self.changes)), self.connect_timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPlan:
    """Which units are to be found behind a module. Times are seconds."""

    connect_timeout: float
    everything: bool = False
    """Find all units, not the likeliest one alone."""
    unit_ids: tuple[int, ...] = ()
    """Unit IDs that are asked first, beside the likely ones."""

    @property
    def budget(self) -> float:
        """How long it may take once the device is connected."""
        return within_deadline(PROBE_BUDGET, self.connect_timeout)
