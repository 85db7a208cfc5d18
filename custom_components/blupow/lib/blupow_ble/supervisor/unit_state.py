"""One unit behind a link: how it is set up, and what is known of it."""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
import time

from ..profiles.declaration import (
    Block,
    Counter,
    FaultGroup,
    Field,
    Info,
    Value,
    is_unknown,
    unknown,
)
from ..profiles.profile import Estimate, Model, Profile, RegisterMap
from ..profiles.setting import Evidence, Setting, SettingValue
from ..protocol.errors import ErrorCode
from ..reader.plan import OWN_UNIT
from ..reader.result import UnitReading
from .counters import CounterGuard
from .energy import LONGEST_GAP, Sample, energy_between
from .policies import GRACE_TIME
from .schedule import ScheduleState
from .unit_settings import UnitSettings


@dataclass(frozen=True, slots=True)
class DayMark:
    """How many days a device had counted on a date."""

    count: int
    date: date


@dataclass(frozen=True, slots=True)
class Kept:
    """A value of an earlier reading."""

    value: Value
    taken_at: datetime
    taken_at_monotonic: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSnapshot:
    """What the last fresh reading of a unit brought."""

    values: dict[str, Value]
    taken_at: datetime
    taken_at_monotonic: float
    kept: dict[str, Kept] = field(default_factory=dict)
    """Values of earlier readings, where this one lacks a block or is doubted; each has its own age."""
    failed: dict[str, ErrorCode]
    dropped: tuple[str, ...]
    unknown: dict[str, int]
    """Numbers that have no name, by the key of their enumeration."""
    registers: dict[int, tuple[int, ...]] = field(repr=False)


@dataclass(slots=True, kw_only=True)
class UnitState:
    """One unit: as it is set up, and what is known of it."""

    key: str
    profile: Profile
    model: Model | None
    unit_id: int | None
    """None until it is found."""
    grace: float = GRACE_TIME
    """Seconds that a value of an earlier reading is kept."""
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)
    """The clock that ages are measured by, in seconds."""
    set_up_serial_number: str | None = None
    """As it was when the unit was added."""
    snapshot: UnitSnapshot | None = None
    identity: dict[str, Value] = field(default_factory=dict)
    """What it said about itself."""
    unresponsive: ErrorCode | None = None
    """Why it was not read while others were."""
    verified: bool = False
    """Its serial number was compared since it, or the module, last did not answer."""
    lists_sent: set[str] = field(default_factory=set)
    """The lists of faults and alarms that it has ever sent."""
    guards: dict[str, CounterGuard] = field(default_factory=dict)
    day_mark: DayMark | None = None
    """How many days it had counted when those that it keeps were last imported."""
    energies: dict[str, float] = field(default_factory=dict)
    """Energies that are integrated (Wh), by the key of their estimate."""
    longest_gap: float = LONGEST_GAP
    """Seconds between two fresh readings that the energies still bridge."""
    schedule: ScheduleState = field(default_factory=ScheduleState)
    """What the user wants done at times, where BluPow carries that out."""
    doubted: Tally[str] = field(default_factory=Tally)
    """How often a value was dropped because it could not be true."""
    unrecognized: Tally[str] = field(default_factory=Tally)
    """How often it sent what has no name: a number of an enumeration, a bit or a code of a fault."""

    _samples: dict[str, Sample] = field(default_factory=dict, repr=False)
    """The powers that were integrated last, by the key of their estimate."""
    settings: UnitSettings = field(init=False, repr=False)
    """What is known of its settings."""
    register_map: RegisterMap = field(init=False, repr=False)
    """The blocks and fields of its model."""
    lists_of_groups: Mapping[FaultGroup, frozenset[str]] = field(init=False, repr=False)
    """The lists that the faults of each group are in."""

    def __post_init__(self) -> None:
        """Work out what follows from its model, once."""
        self.register_map = self.profile.register_map(self.model)
        self.settings = UnitSettings(self.register_map)
        names: dict[FaultGroup, set[str]] = {}
        for fault in self.profile.faults:
            names.setdefault(fault.group, set()).add(fault.name)
        lists = [(item.key, item.listed) for item in self.register_map.fields if item.listed]
        self.lists_of_groups = {
            group: frozenset(key for key, listed in lists if not listed.isdisjoint(members))
            for group, members in names.items()
        }

    @property
    def own(self) -> bool:
        """Whether it is the one that the entry was made for."""
        return self.key == OWN_UNIT

    def named_model(self, reading: UnitReading) -> str | None:
        """Return the model that a reading names; one in no list is read as what all have in common."""
        if reading.model is not None or self.profile.other_model is None:
            return reading.model
        fields = self.register_map.fields
        named = any(reading.values.get(item.key) for item in fields if item.info is Info.MODEL)
        return self.profile.other_model.key if named else None

    @property
    def controls(self) -> tuple[Setting, ...]:
        """The settings that it has, by its model and by the name that it gives itself."""
        name = self.info(Info.MODEL)
        return tuple(item for item in self.register_map.controls.settings if item.is_of(name))

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """The energies that are integrated: those of powers that its model has."""
        powers = {computed.key for computed in self.register_map.computed}
        return tuple(item for item in self.profile.estimates if item.power in powers)

    def evidence(self, setting: Setting) -> Evidence:
        """Return what the claim rests on that it takes a setting."""
        return setting.evidence_for(self.info(Info.MODEL))

    def setting(self, key: str) -> SettingValue | None:
        """Return what a setting is set to; None if that is not known, or there is none of that key."""
        setting = next((item for item in self.controls if item.key == key), None)
        return None if setting is None else self.settings.value(setting, self.monotonic())

    def value(self, key: str) -> Value | None:
        """Return a value of the last reading, or of an earlier one within the grace; None if there is none."""
        if self.snapshot is not None and key in self.snapshot.values:
            return self.snapshot.values[key]
        if (kept := self.kept(key)) is not None:
            return kept.value
        return self.identity.get(key)

    def kept(self, key: str) -> Kept | None:
        """Return a value of an earlier reading that the last one lacks, as long as the grace lasts."""
        kept = self.snapshot.kept.get(key) if self.snapshot is not None else None
        if kept is None or self.monotonic() - kept.taken_at_monotonic > self.grace:
            return None
        return kept

    def has_sent(self, key: str) -> bool:
        """Whether its last reading held a value, even a number that has no name."""
        unnamed = self.snapshot is not None and key in self.snapshot.unknown
        return unnamed or self.value(key) is not None

    def age(self, now: float) -> float | None:
        """Return the seconds since its last fresh reading; None if there was none."""
        return None if self.snapshot is None else now - self.snapshot.taken_at_monotonic

    @property
    def serial_number(self) -> str | None:
        """Its serial number, as it says or as it was when the unit was added."""
        return self.info(Info.SERIAL_NUMBER) or self.set_up_serial_number

    def info(self, info: Info) -> str | None:
        """Return what it said about itself."""
        for item in self.register_map.fields:
            if item.info is info and (value := self.identity.get(item.key)):
                return str(value)
        return None

    @property
    def active_faults(self) -> frozenset[str] | None:
        """The names of all faults and alarms of the last reading; None if it held none of their lists."""
        if not (lists := self._lists):
            return None
        return frozenset(name for names in lists.values() for name in names)

    @property
    def _lists(self) -> dict[str, list[str]]:
        keys = (*self.snapshot.values, *self.snapshot.kept) if self.snapshot else ()
        return {key: value for key in keys if isinstance(value := self.value(key), list)}

    def holds_serial_number(self, block: Block) -> bool:
        """Whether its serial number is in a block."""
        return any(item.info is Info.SERIAL_NUMBER for item in self.register_map.fields_of(block))

    def is_another(self, reading: UnitReading) -> bool:
        """Whether another unit has answered under its address: the serial number tells."""
        for item in self.register_map.fields:
            if item.info is Info.SERIAL_NUMBER and (number := reading.values.get(item.key)):
                return self.serial_number not in (None, number)
        return False

    def knows(self, group: FaultGroup | None) -> bool:
        """Whether the last reading held all faults of a group; None is all that the unit ever sends."""
        return self._lists.keys() >= self._lists_of(group)

    def has_reported(self, group: FaultGroup | None) -> bool:
        """Whether it has ever sent all faults of a group."""
        return bool(self.lists_sent) and self.lists_sent >= self._lists_of(group)

    def _lists_of(self, group: FaultGroup | None) -> AbstractSet[str]:
        """Return the lists that faults of a group are in; None is those that it has ever sent."""
        return self.lists_sent if group is None else self.lists_of_groups[group]

    def keep(self, reading: UnitReading, at: datetime, now: float) -> None:
        """Keep a fresh reading, without what cannot be true."""
        values = dict(reading.values)
        for block in self.register_map.blocks:
            if block.identity:
                for item in self.register_map.fields_of(block):
                    if item.key in values:
                        self.identity[item.key] = values.pop(item.key)
        doubtful = list(self._doubtful(values, now))
        for key in doubtful:
            del values[key]
        dropped = (*reading.dropped, *doubtful)
        self.doubted.update(dropped)
        self.unrecognized.update(_unrecognized(reading))
        self.unresponsive = None
        self.verified = True
        self.snapshot = UnitSnapshot(
            values=values,
            taken_at=at,
            taken_at_monotonic=now,
            kept=dict(self._missing(reading, values, doubtful)),
            failed=reading.failed,
            dropped=dropped,
            unknown=reading.unknown,
            registers=reading.registers,
        )
        self.lists_sent |= self._lists.keys()
        self.settings.keep(reading.registers, now)
        self._integrate(values, now)

    def _integrate(self, values: Mapping[str, Value], now: float) -> None:
        """Add to each energy what has flowed since the fresh reading before."""
        for estimate in self.estimates:
            watts = values.get(estimate.power)
            if not isinstance(watts, int | float):
                continue
            sample, before = Sample(watts, now), self._samples.get(estimate.key)
            added = energy_between(before, sample, estimate.direction, self.longest_gap)
            self._samples[estimate.key] = sample
            self.energies[estimate.key] = self.energies.get(estimate.key, 0.0) + added

    def _missing(
        self, reading: UnitReading, values: Mapping[str, Value], doubtful: Sequence[str]
    ) -> Iterator[tuple[str, Kept]]:
        """Go through what a reading lacks, because a block was lost or a counter is doubted."""
        if (before := self.snapshot) is None:
            return
        lost = [
            block
            for block in self.register_map.blocks
            if not block.identity and block.start not in reading.registers
        ]
        keys = {item.key for block in lost for item in self.register_map.fields_of(block)}
        keys |= {item.key for item in self.register_map.computed if not keys.isdisjoint(item.of)}
        for key in keys | set(doubtful):
            if key in before.values:
                yield key, Kept(before.values[key], before.taken_at, before.taken_at_monotonic)
            elif (kept := self.kept(key)) is not None:
                yield key, kept

    def _doubtful(self, values: Mapping[str, Value], now: float) -> Iterator[str]:
        """Go through the counters that show what the device cannot have counted."""
        for item in self.register_map.fields:
            value = values.get(item.key)
            if item.per_hour is None or not isinstance(value, int | float):
                continue
            guard = self.guards.get(item.key) or guard_of(item)
            self.guards[item.key], believed = guard.judged(value, now)
            if not believed:
                yield item.key


def guard_of(counter: Field) -> CounterGuard:
    """Return the guard of a counter, which has seen nothing yet."""
    assert counter.per_hour is not None
    return CounterGuard(
        per_hour=counter.per_hour, step=counter.scale, daily=counter.counter is Counter.DAILY
    )


def _unrecognized(reading: UnitReading) -> Iterator[str]:
    """Go through what a reading brought that has no name."""
    for key, number in reading.unknown.items():
        yield f"{key}: {unknown(number)}"
    for key, value in reading.values.items():
        if isinstance(value, list):
            yield from (f"{key}: {name}" for name in value if is_unknown(name))
