"""The schedule of a unit that has no such registers: windows and a minimum state of charge, as pure rules.

What a mode means is written in settings that the device does have. What they were before is put back
at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from ..profiles.setting import Controls, SettingValue

OUTPUT_PRIORITY: Final = "output_priority"
AC_CHARGE_CURRENT: Final = "ac_charge_current"
GRID_FIRST: Final = "grid_first"
BATTERY_FIRST: Final = "battery_first"

HYSTERESIS: Final = 5
"""Percent above the minimum at which the battery serves again."""
HIGHEST_MINIMUM: Final = 95
LONGEST_PAUSE: Final = timedelta(hours=6)
"""Between two tries: the pause doubles with each that was not confirmed."""
MIDNIGHT: Final = time()


class Mode(StrEnum):
    """What the schedule has the device do."""

    NONE = "none"
    """Nothing: the device is as the user has set it."""
    CHARGE = "charge"
    DISCHARGE = "discharge"
    HOLD = "hold"
    """The battery is at its minimum: the grid serves the loads."""


class Wait(StrEnum):
    """Why nothing is done although something could be."""

    UNKNOWN = "unknown"
    """What the device is set to is not known."""
    DWELL = "dwell"
    """The last change of the source, or the last try, is too recent."""
    MANUAL = "manual"
    """Somebody has changed a setting: it stays until the next edge of a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What the user wants. Times are local."""

    charge_window: bool = False
    charge_start_time: time = MIDNIGHT
    charge_end_time: time = MIDNIGHT
    discharge_window: bool = False
    discharge_start_time: time = MIDNIGHT
    discharge_end_time: time = MIDNIGHT
    minimum_soc: int = 0
    """Percent; 0 is none."""
    charge_window_current: float | None = None
    """Amperes from the grid within the charge window; None leaves the device's own setting."""

    @property
    def active(self) -> bool:
        """Whether it asks for anything."""
        return self.charge_window or self.discharge_window or self.minimum_soc > 0


SCHEDULE_KEYS: Final = tuple(Schedule.__dataclass_fields__)
WINDOWS: Final = ("charge_window", "discharge_window")
TIMES: Final = (
    "charge_start_time",
    "charge_end_time",
    "discharge_start_time",
    "discharge_end_time",
)
MINIMUM_SOC: Final = "minimum_soc"
CHARGE_WINDOW_CURRENT: Final = "charge_window_current"


def in_window(start: time, end: time, now: time) -> bool:
    """Whether a time of day lies within a window; one that begins as it ends is empty."""
    if start <= end:
        return start <= now < end
    return now >= start or now < end


def mode_at(schedule: Schedule, now: time, soc: float | None, *, holding: bool) -> Mode:
    """Return the mode at a local time of day; a state of charge that is not known changes nothing."""
    if schedule.charge_window and in_window(
        schedule.charge_start_time, schedule.charge_end_time, now
    ):
        return Mode.CHARGE
    if schedule.minimum_soc and _is_low(schedule.minimum_soc, soc, holding=holding):
        return Mode.HOLD
    if schedule.discharge_window and in_window(
        schedule.discharge_start_time, schedule.discharge_end_time, now
    ):
        return Mode.DISCHARGE
    return Mode.NONE


def _is_low(minimum: int, soc: float | None, *, holding: bool) -> bool:
    if soc is None:
        return holding
    return soc < min(minimum + HYSTERESIS, 100) if holding else soc <= minimum


def carried_out_by(controls: Controls) -> tuple[str, ...]:
    """Return the settings by which a schedule is carried out; none where the device keeps one itself."""
    if controls.setting("charge_window") is not None:
        return ()
    priority = controls.setting(OUTPUT_PRIORITY)
    names = priority.offered if priority is not None else ()
    if not {GRID_FIRST, BATTERY_FIRST} <= set(names):
        return ()
    return tuple(
        key for key in (OUTPUT_PRIORITY, AC_CHARGE_CURRENT) if controls.setting(key) is not None
    )


def settings_of(mode: Mode, schedule: Schedule, keys: tuple[str, ...]) -> dict[str, SettingValue]:
    """Return what a mode sets, of the settings that the device has."""
    match mode:
        case Mode.CHARGE:
            settings: dict[str, SettingValue] = {OUTPUT_PRIORITY: GRID_FIRST}
            if AC_CHARGE_CURRENT in keys and schedule.charge_window_current is not None:
                settings[AC_CHARGE_CURRENT] = schedule.charge_window_current
            return settings
        case Mode.DISCHARGE:
            return {OUTPUT_PRIORITY: BATTERY_FIRST}
        case Mode.HOLD:
            return {OUTPUT_PRIORITY: GRID_FIRST}
        case _:
            return {}


@dataclass(slots=True)
class ScheduleState:
    """A schedule, and how far it is carried out. Kept over restarts."""

    schedule: Schedule = field(default_factory=Schedule)
    mode: Mode = Mode.NONE
    """The mode whose settings were confirmed last."""
    before: dict[str, SettingValue] = field(default_factory=dict)
    """What the settings were before the schedule changed them."""
    traces: dict[str, list[SettingValue]] = field(default_factory=dict)
    """What the settings were, or may be by the schedule itself, since the way to the target began."""
    target: Mode | None = None
    """The mode that is on its way, until it is confirmed; None: there is none."""
    manual: bool = False
    """Somebody has changed a setting since: it is left alone until the next edge."""
    source_changed_at: datetime | None = None
    tried_at: datetime | None = None
    """When something was last sent that was not confirmed."""
    tried_mode: Mode = Mode.NONE
    tries: int = 0
    """So many in a row, for one mode."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to watch."""
        return self.schedule.active or self.target is not None or self.mode is not Mode.NONE

    def note(self, values: Mapping[str, SettingValue | None]) -> None:
        """Note what settings are, or may be by the schedule itself."""
        for key, value in values.items():
            traces = self.traces.setdefault(key, [])
            if value is not None and value not in traces:
                traces.append(value)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done now: `changes` lead to `mode`; without any the mode is there already."""

    mode: Mode
    changes: Mapping[str, SettingValue] = field(default_factory=dict)
    wait: Wait | None = None
    by_hand: Mapping[str, SettingValue] = field(default_factory=dict)
    """What somebody has set since the way to this mode began."""


def decide(
    state: ScheduleState,
    keys: tuple[str, ...],
    known: Mapping[str, SettingValue | None],
    *,
    now: datetime,
    soc: float | None,
    dwell: timedelta,
) -> Decision:
    """Return what is to be done now.

    `now` is local; `known` is what the settings are, as far as that is known. At an edge all that the
    mode sets is among the changes: what is so already is found out when it is written.
    """
    mode = mode_at(state.schedule, now.time(), soc, holding=state.mode is Mode.HOLD)
    wanted = settings_of(mode, state.schedule, keys)
    if mode is state.mode and state.target is None:
        manual = state.manual or _differs(wanted, known)
        return Decision(mode, wait=Wait.MANUAL if manual else None)
    wanted = {**state.before, **wanted}
    if any(known.get(key) is None for key in wanted):
        return Decision(mode, wait=Wait.UNKNOWN)
    if state.target is mode and (found := _by_hand(state, wanted, known)):
        return Decision(mode, wait=Wait.MANUAL, by_hand=found)
    moment = now.astimezone(UTC)  # the difference of two local times is that of their clocks
    transfers = OUTPUT_PRIORITY in wanted and known[OUTPUT_PRIORITY] != wanted[OUTPUT_PRIORITY]
    if transfers and _recent(state.source_changed_at, moment, dwell):
        return Decision(mode, wait=Wait.DWELL)
    pause = min(dwell * 2 ** min(max(state.tries - 1, 0), 10), max(LONGEST_PAUSE, dwell))
    if state.tried_mode is mode and _recent(state.tried_at, moment, pause):
        return Decision(mode, wait=Wait.DWELL)
    return Decision(mode, wanted)


def _recent(at: datetime | None, moment: datetime, pause: timedelta) -> bool:
    """Whether something was less than a pause ago; a clock that was set back makes nothing recent."""
    return at is not None and timedelta() <= moment - at < pause


def _differs(wanted: Mapping[str, SettingValue], known: Mapping[str, SettingValue | None]) -> bool:
    """Whether a setting is known to be another than what the schedule has set."""
    return any(known.get(key) not in (None, value) for key, value in wanted.items())


def _by_hand(
    state: ScheduleState,
    wanted: Mapping[str, SettingValue],
    known: Mapping[str, SettingValue | None],
) -> dict[str, SettingValue]:
    """Return the settings that are neither what they were nor what the schedule may have made them."""
    return {
        key: value
        for key in wanted
        if key in state.traces
        and (value := known[key]) is not None
        and value not in (state.before.get(key), wanted[key], *state.traces[key])
    }
