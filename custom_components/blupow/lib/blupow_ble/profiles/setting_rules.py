"""The rules of settings, as pure functions: values and registers, ranges, steps, order, conditions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
import math
from typing import Final

from .declaration import Span
from .setting import OFF, ON, Condition, Controls, OrderRule, Setting, SettingKind, SettingValue

type Words = Mapping[int, int]
"""Registers by their number, as they stand in the device."""

SYSTEM_FACTORS: Final = {12: 1, 24: 2, 36: 3, 48: 4}
CELL_RANGE: Final = (9.0, 17.0)
"""Volts that a battery system has for each 12 V of it."""


class Reason(StrEnum):
    """Why a setting was not changed."""

    UNKNOWN_SETTING = "unknown_setting"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    OFF_STEP = "off_step"
    NO_CHOICE = "no_choice"
    NOT_THERE = "not_there"
    """The device does not have it, or answers something that BluPow does not know."""
    SYSTEM_VOLTAGE = "system_voltage"
    """Whether it is a system of 12, 24, 36 or 48 V cannot be told."""
    CONDITION = "condition"
    ORDER = "order"
    EXCEPTION = "exception"
    """The device has refused it."""
    NOT_KEPT = "not_kept"
    """The device has something else afterwards."""
    NOT_READ_BACK = "not_read_back"
    """What the device has now is unknown."""
    NOT_SENT = "not_sent"
    """The link failed, or the time was up, before it was sent."""
    TABLE_UNKNOWN = "table_unknown"
    """What the device has set by itself after an earlier change could not be read."""
    EARLIER_FAILED = "earlier_failed"
    """It was not sent because one before it was not confirmed."""


class SettingRefused(Exception):
    """A setting that may not be written, and why; `facts` are what a text for people names."""

    def __init__(self, reason: Reason, key: str, **facts: str) -> None:
        """Keep the reason."""
        named = ", ".join(f"{name} {fact}" for name, fact in facts.items())
        super().__init__(f"{key}: {reason}" + (f" ({named})" if named else ""))
        self.reason = reason
        self.key = key
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Limits:
    """What the value of a numeric setting may be, in its unit of measurement."""

    low: float
    high: float
    step: float


def system_factor(controls: Controls, words: Words) -> int | None:
    """Return how many times 12 V the battery system has; None if it cannot be told, 1 where it does not matter.

    What the device recognized counts where the battery's voltage fits it. Devices that recognized
    nothing (seen: 0) have the one factor that the battery's voltage fits, if it is a single one.
    """
    if controls.system_voltage is None:
        return 1
    recognized = words.get(controls.system_voltage.register)
    battery = words.get(controls.system_voltage.battery_register)
    if recognized is None or battery is None:
        return None
    volts = battery / 10
    low, high = CELL_RANGE
    fitting = [factor for factor in SYSTEM_FACTORS.values() if low <= volts / factor <= high]
    byte = recognized & 0xFF
    if byte == 0:
        return fitting[0] if len(fitting) == 1 else None
    factor = SYSTEM_FACTORS.get(byte)
    return factor if factor in fitting else None


def limits(setting: Setting, factor: int = 1) -> Limits:
    """Return what a numeric setting may be, in real volts where it is normalized."""
    times = factor if setting.normalized else 1
    return Limits(
        round(setting.low * times, 6),
        round(setting.high * times, 6),
        round(setting.step * times, 6),
    )


def value_of(
    setting: Setting, words: Words, factor: int | None, no_value: int | None = None
) -> SettingValue | None:
    """Return what a setting is set to by the registers that were read; None if that is not known.

    A number without a name and the word for "not there" are not known.
    """
    word = words.get(setting.read_register)
    if word is None or (word == no_value and setting.state is None):
        return None
    if setting.state is not None:
        return bool(word >> setting.state.bit & 1)
    match setting.kind:
        case SettingKind.NUMBER:
            times = factor if setting.normalized else 1
            return None if times is None else round(word * setting.scale * times, 6)
        case SettingKind.CHOICE:
            return setting.choices.get(word)
        case SettingKind.SWITCH:
            name = setting.choices.get(word)
            return None if name is None else name == ON
        case _:
            hour, minute = divmod(word, 0x100)
            return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def word_of(setting: Setting, value: SettingValue, factor: int | None = 1) -> int:
    """Return what is written for a value. Raises SettingRefused for what is never written."""
    match setting.kind:
        case SettingKind.NUMBER:
            return _number_word(setting, value, factor)
        case SettingKind.CHOICE:
            return _choice_word(setting, value)
        case SettingKind.SWITCH:
            if not isinstance(value, bool):
                raise SettingRefused(Reason.WRONG_TYPE, setting.key, wanted="switch")
            return _choice_word(setting, ON if value else OFF)
        case _:
            return _time_word(setting, value)


def _number_word(setting: Setting, value: SettingValue, factor: int | None) -> int:
    endless = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool | str) or endless:
        raise SettingRefused(Reason.WRONG_TYPE, setting.key, wanted="number")
    if factor is None and setting.normalized:
        raise SettingRefused(Reason.SYSTEM_VOLTAGE, setting.key)
    allowed = limits(setting, factor or 1)
    if not allowed.low <= value <= allowed.high:
        raise SettingRefused(
            Reason.OUT_OF_RANGE, setting.key, low=f"{allowed.low:g}", high=f"{allowed.high:g}"
        )
    steps = (value - allowed.low) / allowed.step
    if abs(steps - round(steps)) > 1e-6:
        raise SettingRefused(
            Reason.OFF_STEP, setting.key, step=f"{allowed.step:g}", low=f"{allowed.low:g}"
        )
    times = factor if setting.normalized and factor else 1
    return round(value / (setting.scale * times))


def _choice_word(setting: Setting, value: SettingValue) -> int:
    for word, name in setting.choices.items():
        if name == value and word not in setting.never_written:
            return word
    raise SettingRefused(Reason.NO_CHOICE, setting.key, choices=", ".join(setting.offered))


def _time_word(setting: Setting, value: SettingValue) -> int:
    text = value if isinstance(value, str) else ""
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
        raise SettingRefused(Reason.WRONG_TYPE, setting.key, wanted="time")
    return max(int(hour) << 8 | int(minute), setting.earliest)


def check_conditions(setting: Setting, words: Words) -> None:
    """Raise SettingRefused unless what the setting needs is so."""
    for condition in setting.needs:
        if not holds(condition, words):
            raise SettingRefused(Reason.CONDITION, setting.key, needs=condition.key)


def holds(condition: Condition, words: Words) -> bool:
    """Whether a condition is known to hold."""
    return words.get(condition.register) in condition.values


def broken(controls: Controls, words: Words) -> set[OrderRule]:
    """Return the order rules that registers break; what is not known breaks none."""
    every = (*controls.settings, *controls.read_only)
    registers = {item.key: item.register for item in every}
    found = set()
    for rule in controls.order:
        upper, lower = words.get(registers[rule.upper]), words.get(registers[rule.lower])
        if upper is not None and lower is not None and upper - lower < rule.gap:
            found.add(rule)
    return found


@dataclass(frozen=True, slots=True)
class Write:
    """One request that changes registers that follow one another, and the settings that it changes."""

    start: int
    words: tuple[int, ...]
    keys: tuple[str, ...]

    @property
    def registers(self) -> Words:
        """The registers as they are to be."""
        return dict(enumerate(self.words, self.start))


def writes_of(controls: Controls, words: Words, changes: Mapping[str, int]) -> list[Write]:
    """Return the requests for changes (words by key), in an order in which no write between breaks a rule.

    That is: none that holds before and after. Raises SettingRefused where what they lead to breaks
    a rule that one of them is part of.
    """
    settings = {key: setting_of(controls, key) for key in changes}
    target = {**words, **{settings[key].register: word for key, word in changes.items()}}
    wrong = broken(controls, target)
    for key in changes:
        for rule in wrong:
            if key in (rule.upper, rule.lower):
                other = rule.lower if key == rule.upper else rule.upper
                side = "above" if key == rule.upper else "below"
                raise SettingRefused(Reason.ORDER, key, other=other, side=side)
    kept = set(controls.order) - broken(controls, words) - wrong
    state, pending, ordered = dict(words), list(_requests(settings, words, changes)), []
    while pending:
        # there always is one: the topmost that is raised, or the lowest that is lowered
        write = next(
            item
            for item in pending
            if kept.isdisjoint(broken(controls, state | dict(item.registers)))
        )
        pending.remove(write)
        state |= write.registers
        ordered.append(write)
    return ordered


def setting_of(controls: Controls, key: str) -> Setting:
    """Return the setting of a key. Raises SettingRefused where there is none."""
    if (setting := controls.setting(key)) is None:
        raise SettingRefused(Reason.UNKNOWN_SETTING, key)
    return setting


def _requests(
    settings: Mapping[str, Setting], words: Words, changes: Mapping[str, int]
) -> Iterator[Write]:
    """Yield a request for each change; those that are written together share one."""
    blocks: dict[Span, list[str]] = {}
    for key, word in changes.items():
        if (block := settings[key].block) is None:
            yield Write(settings[key].register, (word,), (key,))
        else:
            blocks.setdefault(block, []).append(key)
    for block, keys in blocks.items():
        registers = {register: words[register] for register in block.registers}
        registers |= {settings[key].register: changes[key] for key in keys}
        yield Write(block.start, tuple(registers.values()), tuple(keys))


def registers_needed(controls: Controls, settings: Iterable[Setting]) -> set[int]:
    """Return the registers that must be known before settings are written."""
    wanted = list(settings)
    keys = {item.key for item in wanted}
    every = {item.key: item for item in (*controls.settings, *controls.read_only)}
    registers = {item.read_register for item in wanted}
    for item in wanted:
        if item.block is not None:
            registers.update(item.block.registers)
        registers.update(condition.register for condition in item.needs)
        if item.may_be_ignored_unless is not None:
            registers.add(item.may_be_ignored_unless.register)
        if item.normalized and (system := controls.system_voltage) is not None:
            registers.update((system.register, system.battery_register))
    for rule in controls.order:
        if rule.upper in keys or rule.lower in keys:
            registers.update(every[key].register for key in (rule.upper, rule.lower))
    return registers
