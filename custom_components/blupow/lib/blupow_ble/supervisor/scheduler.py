"""Carries out the schedules of the units of one link."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any, Final, Protocol

from ..connection_log import Topic
from ..profiles.setting import SettingValue
from ..protocol.errors import ReaderError
from ..reader.plan import UNKNOWN_END, Change
from ..reader.result import WriteReport, described
from .link_state import LinkState
from .protocols import Cancel, Clock, Listener, ScheduleEvent
from .schedule import OUTPUT_PRIORITY, Decision, Mode, Wait, carried_out_by, decide, settings_of
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
        """Change settings. Raises ReaderError."""


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
        self._running = False
        self.waits: dict[str, Wait] = {}
        """Why a unit's schedule does nothing just now, by the unit's key."""

    def start(self, run: Callable[[], None]) -> None:
        """Look at the clock each minute; `run` has `check` run in a task."""

        def look() -> None:
            self._cancel = self._clock.call_later(CHECK_INTERVAL, look)
            run()

        self._cancel = self._clock.call_later(CHECK_INTERVAL, look)

    def stop(self) -> None:
        """Look no more."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @property
    def due(self) -> bool:
        """Whether there is anything to look at."""
        return not self._running and any(unit.schedule.busy for unit in self._units)

    async def set(self, unit: UnitState, **wanted: Any) -> None:
        """Change what the user wants of a unit, keep it, and carry it out where it is time."""
        state = unit.schedule
        state.schedule = replace(state.schedule, **wanted)
        if state.mode is not Mode.NONE:
            state.pending = True  # what the mode means may be another now
            state.manual = False
        await self._listener.save()
        await self.check()

    async def check(self) -> None:
        """Do what is due, one unit after another."""
        if not self.due:
            return
        self._running = True
        try:
            for unit in [unit for unit in self._units if unit.schedule.busy]:
                await self._check(unit)
        finally:
            self._running = False
        self._listener.updated()

    async def _check(self, unit: UnitState) -> None:
        """Do what the schedule of a unit asks for now; nothing is assumed of one that cannot be read."""
        if self._writer.link.failures or unit.snapshot is None or not unit.verified:
            self.waits[unit.key] = Wait.UNKNOWN
            return
        keys = carried_out_by(unit.register_map.controls)
        soc = unit.value(BATTERY_PERCENTAGE)
        decision = decide(
            unit.schedule,
            keys,
            {key: unit.setting(key) for key in keys},
            now=self._clock.local_now(),
            soc=float(soc) if isinstance(soc, int | float) else None,
            dwell=self._dwell,
        )
        if decision.wait is not None:
            await self._wait(unit, decision.wait)
            return
        self.waits.pop(unit.key, None)
        if decision.changes:
            await self._carry_out(unit, decision, keys)
        elif decision.mode is not unit.schedule.mode or unit.schedule.pending:
            await self._settle(unit, decision.mode, {})

    async def _wait(self, unit: UnitState, wait: Wait) -> None:
        self.waits[unit.key] = wait
        if wait is Wait.MANUAL and not unit.schedule.manual:
            unit.schedule.manual = True
            self._tell(unit, ScheduleEvent.MANUAL_CHANGE, unit.schedule.mode, {})
            await self._listener.save()

    async def _carry_out(self, unit: UnitState, decision: Decision, keys: tuple[str, ...]) -> None:
        """Change settings for a mode. What they were is kept first: a crash must not lose it."""
        state = unit.schedule
        new = {
            key: value
            for key in settings_of(decision.mode, state.schedule, keys)
            if key not in state.before and (value := unit.setting(key)) is not None
        }
        state.before |= new
        state.pending = True
        await self._listener.save()
        before = {key: unit.setting(key) for key in decision.changes}
        changes = [Change(key, value) for key, value in decision.changes.items()]
        now = self._clock.now().astimezone(UTC)
        try:
            report = await self._writer.write(unit, changes)
        except ReaderError as err:
            if err.code not in UNKNOWN_END:
                self.waits[unit.key] = Wait.UNKNOWN  # nothing was sent: with the next look again
                return
            state.tried_at = now
            self._failed(unit, decision, str(err))
            return
        for item in report.settings:  # it was read anew just before
            if item.key in new and item.before is not None:
                state.before[item.key] = item.before
        if any(item.key == OUTPUT_PRIORITY and item.sent for item in report.settings):
            state.source_changed_at = now
        failed = [item for item in report.settings if not item.outcome.done]
        if failed:
            state.tried_at = now
            self._failed(unit, decision, "; ".join(described(item) for item in failed))
            return
        await self._settle(unit, decision.mode, before)

    async def _settle(
        self, unit: UnitState, mode: Mode, before: dict[str, SettingValue | None]
    ) -> None:
        """Note that a mode is reached, and tell what was changed for it."""
        state = unit.schedule
        keys = carried_out_by(unit.register_map.controls)
        kept = settings_of(mode, state.schedule, keys)
        # what is as it is to be already is put back as it is
        state.before = {key: state.before.get(key, value) for key, value in kept.items()}
        changed = mode is not state.mode or bool(before)
        state.mode, state.pending, state.manual, state.tried_at = mode, False, False, None
        if changed:
            self._tell(unit, STARTED[mode], mode, before)
        await self._listener.save()

    def _failed(self, unit: UnitState, decision: Decision, why: str) -> None:
        self._tell(unit, ScheduleEvent.FAILED, decision.mode, {}, why=why)

    def _tell(
        self,
        unit: UnitState,
        event: ScheduleEvent,
        mode: Mode,
        before: dict[str, SettingValue | None],
        **more: str,
    ) -> None:
        """Log an event, and tell the host."""
        settings = {key: {"from": value, "to": unit.setting(key)} for key, value in before.items()}
        text = ", ".join(f"{key} {item['from']} -> {item['to']}" for key, item in settings.items())
        details = "; ".join(filter(None, (text, more.get("why"))))
        self._writer.link.log.info(
            Topic.SCHEDULE, f"{event}, mode {mode}" + (f": {details}" if details else "")
        )
        self._listener.schedule_event(
            unit, event, {"mode": mode.value, "settings": settings} | more
        )
