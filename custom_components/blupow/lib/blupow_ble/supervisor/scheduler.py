"""Carries out the schedules of the units of one link."""

import asyncio
from collections import Counter as Tally
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from ..connection_log import Topic
from ..profiles.setting import Controls, SettingValue
from ..profiles.setting_rules import Reason, SettingRefused, setting_of, word_of
from ..protocol.errors import ChangeUnknown, ReaderError
from ..reader.plan import Change
from ..reader.result import Outcome, WriteReport, described
from .link_state import LinkState
from .protocols import Cancel, Clock, Listener, ScheduleEvent
from .schedule import (
    AC_CHARGE_CURRENT,
    CHARGE_WINDOW_CURRENT,
    HIGHEST_MINIMUM,
    MINIMUM_SOC,
    OUTPUT_PRIORITY,
    Decision,
    Mode,
    Schedule,
    Wait,
    carried_out_by,
    decide,
    settings_of,
)
from .unit_state import UnitState

CHECK_INTERVAL: Final = 60.0
"""Seconds between two looks at the clock: windows begin and end with a minute."""
BATTERY_PERCENTAGE: Final = "battery_percentage"


STARTED: Final = {
    Mode.NONE: ScheduleEvent.ENDED,
    Mode.CHARGE: ScheduleEvent.CHARGE_STARTED,
    Mode.DISCHARGE: ScheduleEvent.DISCHARGE_STARTED,
    Mode.HOLD: ScheduleEvent.HOLD_STARTED,
}


class SettingsWriter(Protocol):
    """Changes settings of a unit."""

    @property
    def link(self) -> LinkState:
        """What is known of the link."""

    async def write(self, unit: UnitState, changes: Sequence[Change]) -> WriteReport:
        """Change settings. Raises ReaderError where nothing was sent, else ChangeUnknown."""

    def start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that ends with the writer."""


class Scheduler:
    """Looks each minute, and after each reading, whether the schedule of a unit asks for a change."""

    def __init__(
        self,
        writer: SettingsWriter,
        units: Sequence[UnitState],
        clock: Clock,
        listener: Listener,
        dwell: float,
    ) -> None:
        """Prepare; `dwell` is the seconds between two changes of the source, or two tries."""
        self._writer = writer
        self._units = [unit for unit in units if carried_out_by(unit.register_map.controls)]
        self._clock = clock
        self._listener = listener
        self._dwell = timedelta(seconds=dwell)
        self._cancel: Cancel | None = None
        self._lock = asyncio.Lock()
        self._revisions: Tally[str] = Tally()
        """How often the user has changed the schedule of a unit."""
        self.waits: dict[str, Wait] = {}
        """Why a unit's schedule does nothing just now, by the unit's key."""

    def start(self) -> None:
        """Look at the clock each minute."""
        self._cancel = self._clock.call_later(CHECK_INTERVAL, self._on_minute)

    def _on_minute(self) -> None:
        self.start()
        self.updated()

    def stop(self) -> None:
        """Look no more."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @property
    def due(self) -> bool:
        """Whether there is anything to look at."""
        return not self._lock.locked() and any(unit.schedule.busy for unit in self._units)

    def updated(self) -> None:
        """Have looked what is due: time has passed, or a reading has come."""
        if self.due:
            self._writer.start_task(self.check())

    async def set(self, unit: UnitState, **wanted: Any) -> None:
        """Change what the user wants of a unit, keep it, and carry it out where it is time.

        Raises SettingRefused for what the device could never be set to.
        """
        state = unit.schedule
        old, new = state.schedule, replace(state.schedule, **wanted)
        check_schedule(unit.register_map.controls, new)
        if new == old:
            return
        keys = carried_out_by(unit.register_map.controls)
        before = settings_of(state.mode, old, keys)
        if before != settings_of(state.mode, new, keys):
            state.note(before)
            state.target, state.manual = state.mode, False
        state.schedule, state.tries, state.tried_at = new, 0, None
        self._revisions[unit.key] += 1
        await self._listener.save()
        task = self._writer.start_task(self.check())
        await asyncio.wait((task,))  # whoever asks for it may go away meanwhile
        if not task.cancelled():
            task.result()

    async def check(self) -> None:
        """Do what is due, one unit after another."""
        async with self._lock:
            for unit in [unit for unit in self._units if unit.schedule.busy]:
                await self._check(unit)
        self._listener.updated()

    async def _check(self, unit: UnitState) -> None:
        """Do what the schedule of a unit asks for now; nothing is assumed of one that cannot be read."""
        if self._writer.link.failures or unit.snapshot is None or not unit.verified:
            self.waits[unit.key] = Wait.UNKNOWN
            return
        state, keys = unit.schedule, self._keys(unit)
        known = {key: unit.setting(key) for key in keys}
        decision = decide(
            state,
            keys,
            known,
            now=self._clock.local_now(),
            soc=self._soc(unit),
            dwell=self._dwell,
        )
        if decision.wait is Wait.UNKNOWN:
            self.waits[unit.key] = Wait.UNKNOWN
            return
        on_its_way = decision.mode is not state.mode or state.target is not None
        if on_its_way and state.target is not decision.mode:
            state.note(settings_of(state.mode, state.schedule, keys))
            state.note(known)
            state.target, state.manual = decision.mode, False
            if decision.wait is not None:
                await self._listener.save()
        if decision.wait is not None:
            await self._wait(unit, decision)
            return
        self.waits.pop(unit.key, None)
        if decision.changes:
            await self._carry_out(unit, decision, settings_of(decision.mode, state.schedule, keys))
        elif on_its_way:
            await self._settle(unit, decision.mode, {}, {}, self._revisions[unit.key])

    def _keys(self, unit: UnitState) -> tuple[str, ...]:
        """Return the settings by which the schedule is carried out: those that can be put back at its end."""
        controls = unit.register_map.controls
        return tuple(
            key
            for key in carried_out_by(controls)
            if key == OUTPUT_PRIORITY
            or key in unit.schedule.before
            or _can_be_written(controls, key, unit.setting(key))
        )

    def _soc(self, unit: UnitState) -> float | None:
        """Return the state of charge; one that is too old to be shown is not known."""
        soc, age = unit.value(BATTERY_PERCENTAGE), unit.age(self._clock.monotonic())
        fresh = age is not None and age <= unit.grace
        return float(soc) if fresh and isinstance(soc, int | float) else None

    async def _wait(self, unit: UnitState, decision: Decision) -> None:
        """Do nothing; a manual change that was just found rests the schedule until the next edge."""
        state = unit.schedule
        self.waits[unit.key] = decision.wait or Wait.UNKNOWN
        if decision.wait is not Wait.MANUAL or state.manual:
            return
        if decision.mode is Mode.NONE:
            # what the user has set stays; the rest is still put back
            state.before = {
                key: value for key, value in state.before.items() if key not in decision.by_hand
            }
            state.target = Mode.NONE if state.before else None
        else:
            # what was never confirmed to be changed is put back as the user has it now
            state.before |= decision.by_hand
            state.manual, state.target = True, None
        if state.target is None:
            state.mode, state.traces = decision.mode, {}
        self._tell(unit, ScheduleEvent.MANUAL_CHANGE, decision.mode, {})
        await self._listener.save()

    async def _carry_out(
        self, unit: UnitState, decision: Decision, of_mode: Mapping[str, SettingValue]
    ) -> None:
        """Change settings for a mode. What they were is kept first: a crash must not lose it."""
        state, revision = unit.schedule, self._revisions[unit.key]
        source_changed_at = state.source_changed_at
        new = [key for key in of_mode if key not in state.before]
        state.before |= {key: value for key in new if (value := unit.setting(key)) is not None}
        state.note(decision.changes)
        now, wanted = self._clock.now().astimezone(UTC), decision.changes.get(OUTPUT_PRIORITY)
        if wanted is not None and unit.setting(OUTPUT_PRIORITY) != wanted:
            state.source_changed_at = now
        await self._listener.save()
        changes = [Change(key, value) for key, value in decision.changes.items()]
        try:
            report = await self._writer.write(unit, changes)
        except ChangeUnknown as err:
            await self._fail(unit, decision.mode, str(err), now)
            return
        except ReaderError:  # nothing was sent: with the next look again
            self.waits[unit.key] = Wait.UNKNOWN
            state.source_changed_at = source_changed_at
            await self._listener.save()
            return
        sent = {item.key for item in report.settings if item.sent}
        state.source_changed_at = now if OUTPUT_PRIORITY in sent else source_changed_at
        controls = unit.register_map.controls
        for item in report.settings:
            if item.key in new and _can_be_written(controls, item.key, item.before):
                assert item.before is not None
                state.before[item.key] = item.before  # it was read anew just before
        state.note({item.key: item.now for item in report.settings})
        if failed := [item for item in report.settings if not item.outcome.done]:
            why = "; ".join(described(item) for item in failed)
            await self._fail(unit, decision.mode, why, now)
            return
        changed = {
            item.key: {"from": item.before, "to": item.now}
            for item in report.settings
            if item.outcome is Outcome.WRITTEN
        }
        await self._settle(unit, decision.mode, of_mode, changed, revision)

    async def _settle(
        self,
        unit: UnitState,
        mode: Mode,
        of_mode: Mapping[str, SettingValue],
        changed: Mapping[str, Any],
        revision: int,
    ) -> None:
        """Note that a mode is reached, unless the user has wanted something else meanwhile."""
        state = unit.schedule
        state.before = {key: value for key, value in state.before.items() if key in of_mode}
        reached = mode is not state.mode or bool(changed)
        state.mode, state.manual = mode, False
        state.tried_at, state.tries = None, 0
        if revision == self._revisions[unit.key]:
            state.target, state.traces = None, {}
        if reached:
            self._tell(unit, STARTED[mode], mode, changed)
        await self._listener.save()

    async def _fail(self, unit: UnitState, mode: Mode, why: str, now: datetime) -> None:
        """Note a try that was not confirmed: the next one comes after a longer pause."""
        state = unit.schedule
        state.tries = state.tries + 1 if state.tried_mode is mode else 1
        state.tried_mode, state.tried_at = mode, now
        self._tell(unit, ScheduleEvent.FAILED, mode, {}, why=why)
        await self._listener.save()

    def _tell(
        self,
        unit: UnitState,
        event: ScheduleEvent,
        mode: Mode,
        changed: Mapping[str, Any],
        **more: str,
    ) -> None:
        """Log an event, and tell the host."""
        text = ", ".join(f"{key} {item['from']} -> {item['to']}" for key, item in changed.items())
        details = "; ".join(filter(None, (text, more.get("why"))))
        self._writer.link.log.info(
            Topic.SCHEDULE, f"{event}, mode {mode}" + (f": {details}" if details else "")
        )
        facts = {"mode": mode.value, "settings": dict(changed)} | more
        self._listener.schedule_event(unit, event, facts)


def _can_be_written(controls: Controls, key: str, value: SettingValue | None) -> bool:
    """Whether a setting could be set to a value, as a device may have it by its panel."""
    if value is None:
        return False
    try:
        word_of(setting_of(controls, key), value)
    except SettingRefused:
        return False
    return True


def check_schedule(controls: Controls, schedule: Schedule) -> None:
    """Raise SettingRefused for what the device could never be set to."""
    if not 0 <= schedule.minimum_soc <= HIGHEST_MINIMUM:
        raise SettingRefused(Reason.OUT_OF_RANGE, MINIMUM_SOC, low="0", high=str(HIGHEST_MINIMUM))
    if schedule.charge_window_current is not None:
        try:
            word_of(setting_of(controls, AC_CHARGE_CURRENT), schedule.charge_window_current)
        except SettingRefused as err:
            raise SettingRefused(err.reason, CHARGE_WINDOW_CURRENT, **err.facts) from err
