"""One reading from beginning to end: connect, identify, read each unit's blocks, decode, disconnect."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from .. import connection_log
from ..profiles.declaration import Block, Span
from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..protocol.modbus import BROADCAST_UNIT
from ..protocol.session import REQUEST_TRIES
from .plan import UnitPlan
from .result import Finding, Reading, UnitReading
from .timed_session import MAY_REPLY_LATE, TimedSession
from .timeouts import READ_BUDGET
from .unit_progress import UnitProgress

if TYPE_CHECKING:
    from ..protocol.session import Link


LOOK_TIME: Final = 6.0
"""Seconds that must be left for a look at another address: it must not cost a good reading."""
_NOT_OURS: Final = frozenset({ErrorCode.HELD_BY_OTHER})
"""Failures after which nothing that was read can be believed: it may be another program's."""


class Reader:
    """Takes one reading over a link; `close` must follow, whatever happens."""

    def __init__(
        self,
        link: Link,
        units: Sequence[UnitPlan],
        *,
        budget: float = READ_BUDGET,
        look_at: int | None = None,
        on_stage: Callable[[Stage], None] = lambda _: None,
    ) -> None:
        """Prepare a reading of units behind one link, of so many seconds once it is connected.

        look_at: a unit ID that is asked at the end, whether another unit is there.
        """
        self._link = link
        self._units = [UnitProgress(plan, plan.model, plan.unit_id) for plan in units]
        self._look_at = look_at
        self._timed = TimedSession(link, budget, on_stage)
        self._distrusted = False
        """A block was not answered: what the device still sends may belong to it."""
        self._dropped_link = False

    async def read(self) -> Reading:
        """Connect and read. Raises ReaderError when no unit's required block could be read."""
        await self._begin()
        unresponsive: dict[str, ReaderError] = {}
        # a search for an address must not use up the time of units whose address is known
        for state in sorted(self._units, key=lambda state: state.unit_id is None):
            try:
                await self._read_unit(state)
            except ReaderError as err:
                if err.code in _NOT_OURS:
                    raise
                connection_log.debug(f"unit {state.unit_id} is missing: {err.message}")
                unresponsive[state.plan.key] = err
                self._dropped_link = self._dropped_link or err.code is ErrorCode.CONNECT_FAILED
        if len(unresponsive) == len(self._units):
            raise unresponsive[self._units[0].plan.key]
        self._timed.session.check_strays()
        return self._reading(
            {
                state.plan.key: state.reading()
                for state in self._units
                if state.plan.key not in unresponsive
            },
            {key: err.code for key, err in unresponsive.items()},
            () if unresponsive or self._dropped_link else await self._found(),
        )

    async def _found(self) -> tuple[Finding, ...]:
        """Return the unit at the address that was to be looked at; what fails there spoils no reading."""
        left = self._timed.deadline - asyncio.get_running_loop().time()
        if self._look_at is None or left < LOOK_TIME:
            return ()
        from .probing import Prober  # noqa: PLC0415  most readings need none

        try:
            found = await Prober(self._link).look_at(
                self._timed.session, self._look_at, self._timed.deadline
            )
        except ReaderError as err:
            connection_log.debug(f"unit {self._look_at} was not looked at: {err.message}")
            return ()
        return () if found is None else (found,)

    async def read_spans(self, spans: Sequence[Span]) -> Reading:
        """Connect and read registers of the first unit by number, as they are; nothing is decoded.

        Raises ReaderError when the first span could not be read; a later one may be missing.
        """
        state = self._units[0]
        if state.plan.profile.push is not None:
            raise ReaderError(ErrorCode.BAD_REQUEST, "the device has no registers to ask for")
        await self._begin()
        await self._find_unit(state)
        state.raw.clear()
        for span in spans:
            try:
                state.raw[span.start] = await self._timed.read_span(span, drain=bool(state.raw))
            except ReaderError as err:
                if not state.raw:
                    raise
                connection_log.debug(f"registers from {span.start} are missing: {err.message}")
                state.failed[str(span.start)] = err.code
                if err.code is not ErrorCode.MODBUS_EXCEPTION:
                    break  # without trust in the link the next reply could be this one's
        reading = UnitReading(
            unit_id=state.unit_id,
            model=state.model.key if state.model else None,
            values={},
            failed=state.failed,
            dropped=[],
            unknown={},
            registers=state.raw,
        )
        return self._reading({state.plan.key: reading}, {})

    async def close(self) -> None:
        """Disconnect."""
        await self._link.disconnect()

    @property
    def _several(self) -> bool:
        return len(self._units) > 1

    @property
    def _tries(self) -> int:
        """How often a required block is asked for: of several an unresponsive one costs a single timeout."""
        return 1 if self._several else REQUEST_TRIES

    async def _begin(self) -> None:
        """Connect; from then on the time for reading counts."""
        first = self._units[0]
        await self._timed.begin(first.unit_id, first.plan.profile.push)

    def _reading(
        self,
        units: dict[str, UnitReading],
        unresponsive: dict[str, ErrorCode],
        found: tuple[Finding, ...] = (),
    ) -> Reading:
        return Reading(
            units=units,
            unresponsive=unresponsive,
            found=found,
            timings=self._timed.timings(),
            attempts=self._link.attempts,
        )

    async def _read_unit(self, state: UnitProgress) -> None:
        """Read one unit. Raises ReaderError if its required block cannot be read."""
        if (frame := state.plan.profile.push) is not None:
            left = self._timed.deadline - asyncio.get_running_loop().time()
            state.keep(state.required, await self._timed.session.listen(frame, left))
            state.model = state.model or state.plan.profile.models[0]
            return
        if self._dropped_link:
            raise ReaderError(ErrorCode.CONNECT_FAILED, "the link dropped before")
        await self._find_unit(state)
        self._timed.session.unit_id = state.unit_id or BROADCAST_UNIT
        await self._identify(state)
        for block in sorted(state.register_map.blocks, key=lambda block: not block.required):
            if state.asked_for(block) and block.key not in state.failed and not state.has(block):
                await self._read_block(state, block)
        await self._read_settings(state)

    async def _read_settings(self, state: UnitProgress) -> None:
        """Read the spans that the plan adds; what fails there spoils no reading."""
        for span in state.plan.spans:
            if self._dropped_link or self._timed.patience() <= 0:
                return
            try:
                await self._timed.session.drain()
                words = await self._timed.session.read(span, self._timed.patience(), tries=1)
            except ReaderError as err:
                if err.code in _NOT_OURS:
                    raise
                connection_log.debug(f"registers from {span.start} are missing: {err.message}")
                state.failed[str(span.start)] = err.code
                self._dropped_link = err.code is ErrorCode.CONNECT_FAILED
                if err.code is not ErrorCode.MODBUS_EXCEPTION:
                    return  # without trust in the link the next reply could be this one's
            else:
                state.raw[span.start] = words

    async def _find_unit(self, state: UnitProgress) -> None:
        """Try the family's unit IDs until one answers for the required block.

        A device asked as 255 may answer under its own address: that one is then tried next.
        """
        if state.unit_id is not None:
            return
        error: ReaderError | None = None
        unit_ids = list(state.plan.profile.units)
        asked: set[int] = set()
        if self._several:
            # asked as 255 all would answer at once; and none may be taken for another
            asked = {BROADCAST_UNIT, *(other.unit_id for other in self._units if other.unit_id)}
            unit_ids = [unit for unit in unit_ids if unit not in asked]
        while unit_ids:
            self._timed.check_time()
            unit = self._timed.session.unit_id = unit_ids.pop(0)
            asked.add(unit)
            try:
                words = await self._read_over_drops(state.required, self._tries)
            except ReaderError as err:
                if err.code not in MAY_REPLY_LATE | {ErrorCode.MODBUS_EXCEPTION}:
                    raise
                # silence says least; otherwise the likeliest unit's failure is the one to tell
                if error is None or error.code is ErrorCode.NO_RESPONSE:
                    error = err if error is None or err.code is not ErrorCode.NO_RESPONSE else error
                other = self._timed.session.other_unit_id
                if other is not None and other not in asked:
                    unit_ids = [other, *(unit for unit in unit_ids if unit != other)]
                continue
            state.unit_id = unit
            state.keep(state.required, words)
            return
        raise error or ReaderError(ErrorCode.NO_RESPONSE, "no address is left to try")

    async def _identify(self, state: UnitProgress) -> None:
        """Read the model before anything is decoded, where it is asked for and not yet known.

        Of several units the required block comes first: an unresponsive one costs no more than that.
        """
        if self._several and not state.has(state.required):
            await self._read_block(state, state.required)
        for block in state.register_map.blocks:
            wanted = state.holds_model(block) and state.asked_for(block)
            if wanted and await self._read_block(state, block):
                state.recognize()

    async def _read_block(self, state: UnitProgress, block: Block) -> bool:
        """Read one block; a failure of an optional one is noted, of a required one raised."""
        try:
            words = await self._ask(block)
        except ReaderError as err:
            if block.required or err.code in _NOT_OURS:
                raise
            if err.code is ErrorCode.CONNECT_FAILED:
                if not state.has(state.required):
                    raise
                self._dropped_link = True
            connection_log.debug(f"block {block.key} is missing: {err.message}")
            state.failed[block.key] = err.code
            self._distrusted = self._distrusted or err.code in MAY_REPLY_LATE
            return False
        state.keep(block, words)
        return True

    async def _ask(self, block: Block) -> tuple[int, ...]:
        """Ask for a block within the read budget, over a link that still stands."""
        if self._dropped_link:
            raise ReaderError(ErrorCode.CONNECT_FAILED, "the link dropped before")
        # among several a reconnect that fails would cost the others; their unit IDs tell replies apart
        if self._distrusted and not self._timed.reconnected and not self._several:
            await self._timed.reconnect()
        self._timed.check_time()
        return await self._read_over_drops(block, self._tries if block.required else REQUEST_TRIES)

    async def _read_over_drops(self, block: Block, tries: int) -> tuple[int, ...]:
        """Read a block; a link that drops meanwhile is made anew, once in a reading."""
        try:
            return await self._timed.session.read(block, self._timed.patience(), tries)
        except ReaderError as err:
            if err.code is not ErrorCode.CONNECT_FAILED or self._timed.reconnected:
                raise
            connection_log.debug(f"connecting again: {err.message}")
        await self._timed.reconnect()
        self._timed.check_time()
        return await self._timed.session.read(block, self._timed.patience(), tries)
