"""What is known of the settings of one unit, and how often they were changed today."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from ..profiles.declaration import Span
from ..profiles.profile import RegisterMap
from ..profiles.setting import Setting, SettingValue
from ..profiles.setting_rules import Limits, limits, system_factor, value_of
from ..reader.result import WriteReport

SETTINGS_INTERVAL: Final = 600.0
"""Seconds after which a setting is read again."""
ROUNDS_IN_AGE: Final = 3
"""A setting that was not read in so many rounds is not known any more."""
MOST_WRITES_A_DAY: Final = 10
"""More changes of one register wear its memory; makers of such devices name 100,000 in a life."""


@dataclass(slots=True)
class WritesToday:
    """How often each setting was sent to the device on a day."""

    day: date = date.min
    counts: Tally[str] = field(default_factory=Tally)

    def note(self, keys: Iterable[str], day: date) -> None:
        """Count settings that were sent."""
        if day != self.day:
            self.day, self.counts = day, Tally()
        self.counts.update(keys)

    def too_often(self, day: date) -> dict[str, int]:
        """Return the settings that were sent too often on a day, and how often."""
        if day != self.day:
            return {}
        return {key: count for key, count in self.counts.items() if count > MOST_WRITES_A_DAY}


@dataclass(slots=True)
class UnitSettings:
    """The registers of settings as they were read last. Times are seconds of the monotonic clock."""

    register_map: RegisterMap
    writes: WritesToday = field(default_factory=WritesToday)
    interval: float = 0.0
    """Between two readings."""
    _words: dict[int, tuple[int, float]] = field(default_factory=dict)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans that no block of the readings covers."""
        covered = [set(block.registers) for block in self.register_map.blocks if not block.identity]
        return tuple(
            span
            for span in self.register_map.controls.spans
            if not any(block.issuperset(span.registers) for block in covered)
        )

    def keep(self, registers: Mapping[int, Sequence[int]], now: float) -> None:
        """Keep what a reading brought, by the first register of each block or span."""
        for start, words in registers.items():
            self._keep(dict(enumerate(words, start)), now)

    def keep_report(self, report: WriteReport, now: float, day: date) -> None:
        """Keep what a change has read, forget what it could not read back, and count what it sent."""
        sent = [item for item in report.settings if item.sent]
        for item in sent:
            setting = self.register_map.controls.setting(item.key)
            assert setting is not None  # only those of the profile are sent
            self._words.pop(setting.read_register, None)
        self._keep(report.registers, now)
        self.note_sent((item.key for item in sent), day)

    def note_sent(self, keys: Iterable[str], day: date) -> None:
        """Count settings that were sent, or may have been, where that wears the device's memory."""
        controls = self.register_map.controls
        self.writes.note(
            (
                key
                for key in keys
                if (setting := controls.setting(key)) is not None and not setting.volatile
            ),
            day,
        )

    def _keep(self, words: Mapping[int, int], now: float) -> None:
        for register, word in words.items():
            if self.register_map.controls.span_of(register) is not None:
                self._words[register] = word, now

    def forget(self) -> None:
        """Forget what was read: a change was interrupted, and nobody knows what came of it."""
        self._words.clear()

    def words(self, now: float) -> dict[int, int]:
        """Return the registers that are known."""
        longest = ROUNDS_IN_AGE * max(SETTINGS_INTERVAL, self.interval)
        return {
            register: word for register, (word, at) in self._words.items() if now - at <= longest
        }

    def known_spans(self, now: float) -> dict[int, tuple[int, ...]]:
        """Return the spans that are wholly known, by their first register."""
        words = self.words(now)
        return {
            span.start: tuple(words[register] for register in span.registers)
            for span in self.spans
            if words.keys() >= set(span.registers)
        }

    def value(self, setting: Setting, now: float) -> SettingValue | None:
        """Return what a setting is set to; None if that is not known."""
        words = self.words(now)
        factor = system_factor(self.register_map.controls, words)
        return value_of(setting, words, factor, self.register_map.no_value)

    def limits(self, setting: Setting, now: float) -> Limits:
        """Return what a numeric setting may be; of a system whose voltage is not known, of 12 V."""
        return limits(setting, system_factor(self.register_map.controls, self.words(now)) or 1)

    def read_at(self, span: Span) -> float:
        """Return when a span was read; one that is not wholly known was read long ago."""
        unknown = (0, float("-inf"))
        return min(self._words.get(register, unknown)[1] for register in span.registers)
