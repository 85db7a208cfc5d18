"""Changes of settings: one at a time with the device, sent once, known by what was read back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
import logging
from typing import Final

from ..connection_log import Topic
from ..profiles.setting import Controls
from ..protocol.errors import ChangeUnknown, ErrorCode, ReaderError, Stage
from ..protocol.modbus import BROADCAST_UNIT
from ..reader.plan import Change, UnitPlan, WritePlan
from ..reader.result import Outcome, WriteReport, described
from ..reader.timeouts import connect_timeout
from ..reader.writing import refused_at_once
from .exclusive import ExclusiveAccess, Interrupted
from .link_state import LinkState
from .options import Options
from .protocols import Clock, Reader
from .unit_state import UnitState

UNKNOWN_END: Final = frozenset(
    {ErrorCode.READER_TIMEOUT, ErrorCode.READER_CRASHED, ErrorCode.BAD_REPLY}
)
"""Failures of a change after which nobody knows whether something was sent."""


class SettingChanges:
    """Changes settings of the units of one link."""

    def __init__(
        self,
        *,
        units: Sequence[UnitState],
        link: LinkState,
        options: Options,
        clock: Clock,
        reader: Reader,
        access: ExclusiveAccess,
        poll: Callable[[], Awaitable[None]],
        updated: Callable[[], None],
    ) -> None:
        """Prepare; `poll` takes a reading with the access that is held, `updated` tells of changes."""
        self._units = units
        self._link = link
        self._options = options
        self._clock = clock
        self._reader = reader
        self._access = access
        self._poll = poll
        self._updated = updated

    async def write(self, unit: UnitState, changes: Sequence[Change]) -> WriteReport:
        """Change settings of a unit over one connection, after what is under way; return what came of it.

        Nothing is sent twice, and what is wrong costs no connection. Raises ReaderError where nothing
        was sent, ChangeUnknown where nobody knows whether it was.
        """
        if not self._options.allow_changes:
            text = "changes of settings are not allowed"
            raise ReaderError(ErrorCode.CHANGES_NOT_ALLOWED, text, stage=Stage.START)
        had = Controls(settings=unit.controls)
        if (refused := refused_at_once(had, changes)) is not None:
            self._log_written(refused)
            return refused
        async with self._access:
            plan = await self._write_plan(unit, changes)
            if self._access.closed:
                raise Interrupted
            try:
                report = await self._access.run(self._reader.write(plan))
            except ReaderError as err:
                if err.code not in UNKNOWN_END:
                    raise
                self._note_unknown(unit, changes)
                raise ChangeUnknown(err.code, err.message, stage=err.stage) from err
            except asyncio.CancelledError:
                self._note_unknown(unit, changes)
                raise
            finally:
                self._link.note_busy(self._clock.monotonic())
            now = self._clock.monotonic()
            self._link.answered_at = now
            unit.settings.keep_report(report, now, self._clock.local_now().date())
            self._log_written(report)
        self._updated()
        return report

    async def _write_plan(self, unit: UnitState, changes: Sequence[Change]) -> WritePlan:
        """Return the plan of a change, once it is sure which unit answers there. Raises ReaderError."""
        if not unit.verified or unit.unit_id is None:
            await self._poll()  # it might be another one now
        if not unit.verified or unit.unit_id is None:
            code = unit.unresponsive or ErrorCode.NO_RESPONSE
            raise self._link.last_error or ReaderError(code, "the unit does not answer")
        if unit.unit_id == BROADCAST_UNIT and len(self._units) > 1:
            text = "the unit ID is that of all units: find it again"
            raise ReaderError(ErrorCode.WRONG_UNIT, text, stage=Stage.START)
        of_unit = UnitPlan(
            key=unit.key, profile=unit.profile, model=unit.model, unit_id=unit.unit_id
        )
        return WritePlan(
            unit=of_unit,
            changes=tuple(changes),
            connect_timeout=connect_timeout(self._link.failures, self._options.connect_timeout),
        )

    def _note_unknown(self, unit: UnitState, changes: Sequence[Change]) -> None:
        """Note that something may have been sent: what the settings are is not known any more."""
        unit.settings.forget()
        today = self._clock.local_now().date()
        unit.settings.note_sent((change.key for change in changes), today)
        self._updated()

    def _log_written(self, report: WriteReport) -> None:
        """Log what a change has done."""
        for item in report.settings:
            level = logging.INFO if item.outcome.done else logging.WARNING
            if item.outcome is not Outcome.UNCHANGED:
                self._link.log.log(level, Topic.WRITE, described(item))
