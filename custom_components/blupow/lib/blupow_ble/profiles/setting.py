"""What a profile declares of settings: registers that may be written, and what must be so before.

A register that no profile declares as a setting is never written. Facts of each setting: its `source`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .declaration import Span, UnitOfMeasurement

type SettingValue = bool | int | float | str
"""A number, the name of a choice, on or off, a time as HH:MM."""


class Evidence(StrEnum):
    """What the claim rests on that a device takes and keeps a setting."""

    HARDWARE = "hardware"
    """A named person has written it and seen its effect, or read it back."""
    APP = "app"
    """The vendor's app writes it (captured)."""
    DOCUMENT = "document"
    """It stands in a register document, or other programs write it; nobody has confirmed it."""

    @property
    def confirmed(self) -> bool:
        """Whether a device was seen to take it: hosts offer the others on request alone."""
        return self is not Evidence.DOCUMENT


class SettingKind(StrEnum):
    """What the value of a setting is."""

    NUMBER = "number"
    CHOICE = "choice"
    SWITCH = "switch"
    TIME = "time"
    """A time of day: the hour in the high byte, the minute in the low byte."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a device tells of a setting, if not in the register that is written."""

    register: int
    bit: int
    """The bit that is set while it is on."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Another setting or field of the same unit that must have one of some values."""

    key: str
    register: int
    values: frozenset[int]
    """As they stand in the register."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A register that may be written."""

    key: str
    register: int
    kind: SettingKind = SettingKind.NUMBER
    evidence: Evidence
    source: str
    low: float = 0
    high: float = 0
    """Smallest and largest value, as the unit of measurement has it; of normalized ones for 12 V."""
    step: float = 1
    scale: float = 1
    unit_of_measurement: UnitOfMeasurement | None = None
    normalized: bool = False
    """In volts of a 12 V battery: a system of 24 V has twice as much."""
    choices: Mapping[int, str] = field(default_factory=dict)
    """Of CHOICE the names by number; of SWITCH the numbers of `on` and `off`."""
    never_written: frozenset[int] = frozenset()
    """Choices that a device may have, but that are not to be chosen."""
    state: State | None = None
    needs: tuple[Condition, ...] = ()
    """What must be so before it is written."""
    only_for: tuple[str, ...] = ()
    """What the name that a device gives itself contains, where only some have the setting."""
    confirmed_for: tuple[str, ...] = ()
    """What that name contains, where the evidence is of some alone: for others it is a document's."""
    volatile: bool = False
    """The device keeps it in no memory that wears."""
    primary: bool = False
    """What the device is for, as its load: not a matter of configuration."""
    may_be_ignored_unless: Condition | None = None
    """Without this the device is known to ignore it at times: the reason to give when it was not kept."""
    may_need_another_try: bool = False
    """Devices are known to take it only when it is sent again: the user's to decide."""
    loads_others: bool = False
    """The device sets other settings by itself when this one is changed."""
    earliest: int = 0
    """Of TIME: the smallest value that is kept as it is sent."""
    block: Span | None = None
    """It is written together with all registers of this span, by one request (function 16)."""

    @property
    def read_register(self) -> int:
        """The register that tells what it is set to."""
        return self.register if self.state is None else self.state.register

    def is_of(self, name: str | None) -> bool:
        """Whether a device that gives itself this name has it."""
        return not self.only_for or _contains(name, self.only_for)

    def evidence_for(self, name: str | None) -> Evidence:
        """Return what the claim rests on for a device that gives itself this name."""
        if self.confirmed_for and not _contains(name, self.confirmed_for):
            return Evidence.DOCUMENT
        return self.evidence

    @property
    def offered(self) -> list[str]:
        """The names that may be chosen."""
        return [name for word, name in self.choices.items() if word not in self.never_written]


def _contains(name: str | None, parts: tuple[str, ...]) -> bool:
    return name is not None and any(part in name.upper() for part in parts)


@dataclass(frozen=True, slots=True)
class OrderRule:
    """Two settings of which one must be above the other by a number of steps of their registers."""

    upper: str
    lower: str
    gap: int = 0
    """0: they may be equal."""


ON: Final = "on"
OFF: Final = "off"
SWITCH: Final[Mapping[int, str]] = {0: OFF, 1: ON}


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The settings of a family, or of a model in place of the family's."""

    settings: tuple[Setting, ...] = ()
    spans: tuple[Span, ...] = ()
    """The registers as devices are known to answer them, for reading before and after."""
    order: tuple[OrderRule, ...] = ()
    read_only: tuple[Setting, ...] = ()
    """Not to be written, but part of order rules."""
    system_voltage: SystemVoltage | None = None

    def setting(self, key: str) -> Setting | None:
        """Return the setting of a key; None if there is none."""
        return next((item for item in self.settings if item.key == key), None)

    def span_of(self, register: int) -> Span | None:
        """Return the registers that are read to learn one of them."""
        return next((span for span in self.spans if register in span.registers), None)

    def without(self, *keys: str) -> Controls:
        """Return the same without some settings, for a model that lacks them."""
        return Controls(
            settings=tuple(item for item in self.settings if item.key not in keys),
            spans=self.spans,
            order=self.order,
            read_only=tuple(item for item in self.settings if item.key in keys),
            system_voltage=self.system_voltage,
        )


@dataclass(frozen=True, slots=True)
class SystemVoltage:
    """Where the voltage of the battery system stands: 12, 24, 36, or 48 V in a low byte, and what the battery has."""

    register: int
    battery_register: int
    """The battery's voltage, in 0.1 V."""


NO_CONTROLS: Final = Controls()
