"""One change of settings from beginning to end: connect, read, check, write once, read back.

What is read back alone decides: devices acknowledge what they do not keep, and keep what they do not
acknowledge (owners' write tests). Nothing is sent twice, and nothing is put back.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import connection_log
from ..profiles.declaration import Span
from ..profiles.setting import Controls, Setting, SettingValue
from ..profiles.setting_rules import (
    Reason,
    SettingRefused,
    Write,
    check_conditions,
    holds,
    registers_needed,
    setting_of,
    system_factor,
    value_of,
    word_of,
    writes_of,
)
from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..protocol.modbus import EXCEPTION_TEXT, Reply, WriteRequest
from ..protocol.session import REQUEST_TRIES
from .plan import Change, UnitPlan
from .result import Outcome, SettingReport, Timings, WriteReport
from .timed_session import TimedSession
from .timeouts import READ_BACK_PAUSES, SHORTEST_WRITE, WRITE_BUDGET

if TYPE_CHECKING:
    from ..protocol.session import Link


@dataclass(slots=True)
class _Job:
    """One setting that is to be changed, and what has become of it."""

    setting: Setting
    wanted: SettingValue
    before: SettingValue | None = None
    report: SettingReport | None = None
    word: int | None = field(default=None)


def refused_at_once(controls: Controls, changes: Iterable[Change]) -> WriteReport | None:
    """Return the report of changes of which one is wrong whatever the device is set to; None if none is.

    It costs no connection. Of normalized settings the range follows from the system's voltage.
    """
    reports, wrong = [], False
    for change in changes:
        reason, facts = Reason.EARLIER_FAILED, {}
        try:
            setting = setting_of(controls, change.key)
            if not setting.normalized:
                word_of(setting, change.value)
        except SettingRefused as err:
            reason, facts, wrong = err.reason, err.facts, True
        reports.append(
            SettingReport(
                key=change.key,
                outcome=Outcome.REFUSED,
                wanted=change.value,
                reason=reason,
                facts=facts,
            )
        )
    if not wrong:
        return None
    return WriteReport(
        settings=tuple(reports), registers={}, timings=Timings(connect=0.0, read=0.0), attempts=0
    )


class Writer:
    """Changes settings of one unit over a link; `close` must follow, whatever happens."""

    def __init__(
        self,
        link: Link,
        unit: UnitPlan,
        changes: Iterable[Change],
        *,
        budget: float = WRITE_BUDGET,
        on_stage: Callable[[Stage], None] = lambda _: None,
    ) -> None:
        """Prepare to change settings of a unit whose ID is known, for so many seconds once it is connected."""
        self._link = link
        self._unit = unit
        self._changes = tuple(changes)
        self._on_stage = on_stage
        self._timed = TimedSession(link, budget, on_stage)
        self._map = unit.profile.register_map(unit.model)
        self._controls = self._map.controls
        self._words: dict[int, int] = {}
        self._asked = False

    async def write(self) -> WriteReport:
        """Change the settings; all are checked before the first is sent. Raises ReaderError.

        It raises as long as nothing was sent; afterwards the report tells.
        """
        if (refused := refused_at_once(self._controls, self._changes)) is not None:
            return refused
        jobs = [
            _Job(setting_of(self._controls, change.key), change.value) for change in self._changes
        ]
        await self._timed.begin(self._unit.unit_id)
        await self._read_all(registers_needed(self._controls, (job.setting for job in jobs)))
        await self._change(jobs)
        return WriteReport(
            settings=tuple(job.report for job in jobs if job.report is not None),
            registers=dict(self._words),
            timings=self._timed.timings(),
            attempts=self._link.attempts,
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._link.disconnect()

    # What is so before

    async def _read_all(self, registers: set[int]) -> None:
        """Read the spans that hold some registers; one that the device refuses is not there."""
        for span in self._spans(registers):
            try:
                await self._read(span)
            except ReaderError as err:
                if err.code is not ErrorCode.MODBUS_EXCEPTION:
                    raise
                connection_log.debug(f"registers from {span.start} are not there: {err.message}")

    def _spans(self, registers: Iterable[int]) -> list[Span]:
        """Return the spans that hold some registers."""
        spans = (self._controls.span_of(register) for register in sorted(registers))
        return list(dict.fromkeys(span for span in spans if span is not None))

    async def _read(self, span: Span) -> None:
        words = await self._timed.read_span(span, drain=self._asked, tries=REQUEST_TRIES)
        self._asked = True
        self._words |= dict(zip(span.registers, words, strict=True))

    def _value(self, setting: Setting) -> SettingValue | None:
        """Return what a setting is now, as far as that was read."""
        factor = system_factor(self._controls, self._words)
        return value_of(setting, self._words, factor, self._map.no_value)

    # The change

    async def _change(self, jobs: list[_Job]) -> None:
        """Check all, then send each: first those that make the device set others by itself."""
        for job in jobs:
            job.before = self._value(job.setting)
        refused = self._check(jobs)
        waiting = [job for job in jobs if job.report is None]
        if refused:
            for job in waiting:
                self._report(job, Outcome.REFUSED, Reason.EARLIER_FAILED)
            return
        self._on_stage(Stage.WRITE)
        for first in [job for job in waiting if job.setting.loads_others]:
            waiting.remove(first)
            if not await self._send([first]):
                break
            if waiting:
                await self._load_again(waiting)
        else:
            await self._send(waiting)
        for job in jobs:
            if job.report is None:
                self._report(job, Outcome.REFUSED, Reason.EARLIER_FAILED)

    def _check(self, jobs: list[_Job]) -> bool:
        """Check each setting, and all together; return whether one is refused.

        What the device sets by itself after one of them is checked again then.
        """
        words = dict(self._words)
        refused = False
        for job in sorted(jobs, key=lambda job: not job.setting.loads_others):
            try:
                job.word = self._checked(job, words)
            except SettingRefused as err:
                self._refuse(job, err)
                refused = True
                continue
            loading = self._will_load(jobs) and not job.setting.loads_others
            if job.before == self._as_kept(job.setting, job.word) and not loading:
                self._report(job, Outcome.UNCHANGED)
            words[job.setting.register] = job.word
        if not refused and not self._will_load(jobs):
            refused = not self._in_order(jobs)
        return refused

    @staticmethod
    def _will_load(jobs: list[_Job]) -> bool:
        """Whether one that is still to be sent makes the device set others by itself."""
        return any(job.setting.loads_others and job.report is None for job in jobs)

    def _checked(self, job: _Job, words: Mapping[int, int]) -> int:
        """Return the word to send. Raises SettingRefused."""
        setting = job.setting
        factor = system_factor(self._controls, self._words)
        word = word_of(setting, job.wanted, factor)
        if job.before is None:
            raise SettingRefused(Reason.NOT_THERE, setting.key)
        check_conditions(setting, words)
        return word

    def _as_kept(self, setting: Setting, word: int) -> SettingValue | None:
        """Return what a setting is when a device keeps a word."""
        if setting.state is not None:
            word = word << setting.state.bit
        factor = system_factor(self._controls, self._words)
        return value_of(setting, {setting.read_register: word}, factor)

    def _in_order(self, jobs: list[_Job]) -> bool:
        """Whether the order of settings allows what is wanted; the setting that it forbids is refused."""
        changes = {job.setting.key: job.word for job in jobs if job.report is None}
        try:
            self._writes(changes)
        except SettingRefused as err:
            self._refuse(next(job for job in jobs if job.setting.key == err.key), err)
            return False
        return True

    def _writes(self, changes: Mapping[str, int | None]) -> list[Write]:
        words = {key: word for key, word in changes.items() if word is not None}
        return writes_of(self._controls, self._words, words)

    async def _load_again(self, waiting: list[_Job]) -> None:
        """Read what the device has set by itself, and check what is still to be sent."""
        try:
            await self._read_all(registers_needed(self._controls, (job.setting for job in waiting)))
        except ReaderError as err:
            connection_log.debug(f"the settings could not be read again: {err.message}")
            for job in waiting:
                self._report(job, Outcome.REFUSED, Reason.TABLE_UNKNOWN)
            waiting.clear()
            return
        for job in waiting:
            job.before = self._value(job.setting)
        if self._check(waiting):
            for job in waiting:
                if job.report is None:
                    self._report(job, Outcome.REFUSED, Reason.EARLIER_FAILED)
        waiting[:] = [job for job in waiting if job.report is None]

    async def _send(self, jobs: list[_Job]) -> bool:
        """Send each change once; stop after the first that is not read back as it was sent."""
        of_key = {job.setting.key: job for job in jobs}
        for write in self._writes({key: job.word for key, job in of_key.items()}):
            done = await self._send_one(write, [of_key[key] for key in write.keys])
            if not done:
                return False
        return True

    async def _send_one(self, write: Write, jobs: list[_Job]) -> bool:
        """Send one request, and read back what it has changed. Return whether all is as it was sent."""
        assert self._unit.unit_id is not None
        request = WriteRequest(self._unit.unit_id, write.start, write.words)
        reply: Reply | None = None
        self._timed.session.sent = False
        try:
            self._timed.check_time(SHORTEST_WRITE)
            reply = await self._timed.session.write(request, self._timed.patience())
        except ReaderError as err:
            connection_log.debug(f"writing {', '.join(write.keys)}: {err.message}")
            if not self._timed.session.sent:
                for job in jobs:
                    self._report(job, Outcome.REFUSED, Reason.NOT_SENT, detail=err.message)
                return False
            if err.code is ErrorCode.HELD_BY_OTHER:  # nothing that is read can be believed
                self._forget(jobs)
                for job in jobs:
                    self._report(job, Outcome.UNCONFIRMED, Reason.NOT_READ_BACK, detail=err.message)
                return False
        why = await self._read_back(jobs)
        for job in jobs:
            self._judge(job, reply, why)
        return all(job.report is not None and job.report.outcome.done for job in jobs)

    async def _read_back(self, jobs: list[_Job]) -> str | None:
        """Read settings until they are as they were sent, twice at most; return why they could not be read."""
        spans = self._forget(jobs)
        try:
            for pause in READ_BACK_PAUSES:
                await asyncio.sleep(pause)
                for span in spans:
                    await self._read(span)
                if all(self._is_as_sent(job) for job in jobs):
                    break
        except ReaderError as err:
            connection_log.debug(f"the setting could not be read back: {err.message}")
            return err.message
        return None

    def _forget(self, jobs: list[_Job]) -> list[Span]:
        """Forget what was read of settings: it says nothing any more. Return their spans."""
        spans = self._spans({job.setting.read_register for job in jobs})
        for span in spans:
            for register in span.registers:
                self._words.pop(register, None)
        return spans

    def _is_as_sent(self, job: _Job) -> bool:
        assert job.word is not None
        return self._value(job.setting) == self._as_kept(job.setting, job.word)

    def _judge(self, job: _Job, reply: Reply | None, not_read: str | None) -> None:
        """Say what has become of a setting that was sent."""
        if not_read is not None:
            self._report(job, Outcome.UNCONFIRMED, Reason.NOT_READ_BACK, detail=not_read)
        elif self._is_as_sent(job):
            self._report(job, Outcome.WRITTEN)
        elif (
            reply is not None
            and reply.exception is not None
            and self._value(job.setting) == job.before
        ):
            text = EXCEPTION_TEXT.get(reply.exception, "unknown")
            self._report(
                job, Outcome.REFUSED, Reason.EXCEPTION, code=str(reply.exception), text=text
            )
        else:
            facts = {}
            condition = job.setting.may_be_ignored_unless
            if condition is not None and not holds(condition, self._words):
                facts["unless"] = condition.key
            elif job.setting.may_need_another_try:
                facts["again"] = job.setting.key
            self._report(job, Outcome.UNCONFIRMED, Reason.NOT_KEPT, **facts)

    def _refuse(self, job: _Job, err: SettingRefused) -> None:
        self._report(job, Outcome.REFUSED, err.reason, **err.facts)

    def _report(
        self, job: _Job, outcome: Outcome, reason: Reason | None = None, **facts: str
    ) -> None:
        sent = outcome in (Outcome.WRITTEN, Outcome.UNCONFIRMED) or reason is Reason.EXCEPTION
        job.report = SettingReport(
            key=job.setting.key,
            outcome=outcome,
            wanted=job.wanted,
            before=job.before,
            now=self._value(job.setting),
            sent=sent,
            reason=reason,
            facts=facts,
        )
