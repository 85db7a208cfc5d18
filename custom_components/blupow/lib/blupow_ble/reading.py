"""One reading from beginning to end: connect, identify, read the blocks, decode, disconnect."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
import logging
from typing import TYPE_CHECKING, Final

from .errors import ErrorCode, ReaderError, Stage
from .modbus import BROADCAST_UNIT
from .profiles.declaration import Block, Model, Profile, RegisterMap, Span, Value
from .profiles.decoding import decode
from .resilience import READ_BUDGET, REQUEST_TIMEOUT
from .result import Reading, Timings
from .session import Session

if TYPE_CHECKING:
    from .link import Link

_LOGGER = logging.getLogger(__name__)

SILENT: Final = frozenset({ErrorCode.NO_RESPONSE, ErrorCode.BAD_FRAME, ErrorCode.WRONG_UNIT})
"""Failures after which a late reply may still be on its way."""


@dataclass(slots=True)
class _Progress:
    """What is known so far within one reading."""

    profile: Profile
    model: Model | None
    unit: int | None
    registers: dict[int, int] = field(default_factory=dict)
    raw: dict[int, tuple[int, ...]] = field(default_factory=dict)
    failed: dict[str, ErrorCode] = field(default_factory=dict)
    distrusted: bool = False
    """A block was silent: what the device still sends may belong to it."""
    reconnected: bool = False
    dropped_link: bool = False

    @property
    def register_map(self) -> RegisterMap:
        return self.profile.register_map(self.model)

    def keep(self, block: Block, words: Sequence[int]) -> None:
        self.raw[block.start] = tuple(words)
        self.registers.update(zip(block.registers, words, strict=True))

    def recognise(self) -> None:
        """Take the model from its register, unless it was given: who gives one knows better."""
        if self.model is not None:
            return
        text = decode(self.register_map, self.registers).values.get(self.profile.model_field.key)
        if isinstance(text, str) and (model := self.profile.model_named(text)):
            self.model = model


class Reader:
    """Takes one reading over a link; `close` must follow, whatever happens."""

    def __init__(
        self,
        link: Link,
        profile: Profile,
        *,
        model: Model | None = None,
        unit: int | None = None,
        blocks: Sequence[str] | None = None,
        on_stage: Callable[[Stage], None] = lambda _: None,
    ) -> None:
        """Prepare a reading of the blocks named (all, if None). Without a unit the candidates are tried."""
        self._link = link
        self._state = _Progress(profile, model, unit)
        self._wanted = blocks
        self._on_stage = on_stage
        self._session: Session | None = None
        self._started = self._connected = self._deadline = 0.0

    async def read(self) -> Reading:
        """Connect and read. Raises ReaderError when no required block could be read."""
        await self._begin()
        await self._identify()
        await self._read_blocks()
        state = self._state
        decoded = decode(state.register_map, state.registers)
        return self._reading(decoded.values, decoded.dropped, state.raw)

    async def read_span(self, span: Span) -> Reading:
        """Connect and read registers by number, as they are; nothing is decoded. Raises ReaderError."""
        await self._begin()
        assert self._session is not None
        block = Block(key="span", start=span.start, words=span.words)
        words = await self._session.read(block, self._patience())
        return self._reading({}, [], {span.start: words})

    async def _begin(self) -> None:
        """Connect, and find the unit that answers."""
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        await self._open()
        self._connected = loop.time()
        self._on_stage(Stage.READ)
        self._deadline = self._connected + READ_BUDGET
        await self._find_unit()

    def _reading(
        self,
        values: dict[str, Value],
        dropped: list[str],
        registers: dict[int, tuple[int, ...]],
    ) -> Reading:
        """Return what was read, with what it took."""
        state = self._state
        assert state.unit is not None
        ended = asyncio.get_running_loop().time()
        return Reading(
            unit=state.unit,
            model=state.model.key if state.model else None,
            values=values,
            failed=state.failed,
            dropped=dropped,
            registers=registers,
            timings=Timings(
                connect=round(self._connected - self._started, 3),
                read=round(ended - self._connected, 3),
            ),
            attempts=self._link.attempts,
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._link.disconnect()

    async def _open(self) -> None:
        """Connect and have replies delivered."""
        self._on_stage(Stage.CONNECT)
        client = await self._link.connect()
        self._on_stage(Stage.SERVICES)
        self._session = Session(client, self._link.disconnected, self._state.unit or BROADCAST_UNIT)
        await self._session.start()

    async def _find_unit(self) -> None:
        """Try the family's unit addresses until one answers for the first required block.

        A device asked as 255 may answer under its own address: that one is then tried next.
        """
        if self._state.unit is not None:
            return
        assert self._session is not None
        block = next(block for block in self._state.register_map.blocks if block.required)
        error: ReaderError | None = None
        candidates = list(self._state.profile.units)
        for unit in candidates:
            self._session.unit = unit
            try:
                words = await self._session.read(block, self._patience())
            except ReaderError as err:
                if err.code not in SILENT | {ErrorCode.MODBUS_EXCEPTION}:
                    raise
                # silence says least; otherwise the likeliest unit's failure is the one to tell
                if error is None or error.code is ErrorCode.NO_RESPONSE:
                    error = err if error is None or err.code is not ErrorCode.NO_RESPONSE else error
                if self._session.other_unit and self._session.other_unit not in candidates:
                    candidates.append(self._session.other_unit)
                continue
            self._state.unit = unit
            self._state.keep(block, words)
            return
        assert error is not None
        raise error

    async def _identify(self) -> None:
        """Read the model before anything is decoded, where it is asked for and not yet known."""
        state = self._state
        for block in state.register_map.blocks:
            holds_model = state.profile.model_field in state.register_map.fields_of(block)
            if holds_model and self._asked_for(block) and await self._read_block(block):
                state.recognise()

    async def _read_blocks(self) -> None:
        """Read what is still missing, the required blocks first. Raises ReaderError if one of those fails."""
        for block in sorted(self._state.register_map.blocks, key=lambda block: not block.required):
            if (
                self._asked_for(block)
                and block.key not in self._state.failed
                and not self._has(block)
            ):
                await self._read_block(block)

    def _asked_for(self, block: Block) -> bool:
        return block.required or self._wanted is None or block.key in self._wanted

    def _has(self, block: Block) -> bool:
        return len(self._state.raw.get(block.start, ())) == block.words

    async def _read_block(self, block: Block) -> bool:
        """Read one block; a failure of an optional one is noted, of a required one raised."""
        state = self._state
        try:
            words = await self._ask(block)
        except ReaderError as err:
            if block.required:
                raise
            if err.code is ErrorCode.CONNECT_FAILED:
                if not all(
                    self._has(other) for other in state.register_map.blocks if other.required
                ):
                    raise
                state.dropped_link = True
            _LOGGER.debug("[reader] block %s is missing: %s", block.key, err.message)
            state.failed[block.key] = err.code
            state.distrusted = state.distrusted or err.code in SILENT
            return False
        state.keep(block, words)
        return True

    async def _ask(self, block: Block) -> tuple[int, ...]:
        """Ask for a block within the read budget, over a link that still stands."""
        if self._state.dropped_link:
            raise ReaderError(ErrorCode.CONNECT_FAILED, "the link dropped before")
        if self._state.distrusted and not self._state.reconnected:
            await self._reconnect()
        if self._patience() <= 0:
            raise ReaderError(
                ErrorCode.READER_TIMEOUT,
                f"no time was left: a reading may take {READ_BUDGET:g} s",
            )
        assert self._session is not None
        return await self._session.read(block, self._patience())

    async def _reconnect(self) -> None:
        """Connect anew, once in a reading: what the device may still send then goes nowhere.

        After that the blocks' different lengths alone keep late replies apart.
        """
        self._state.reconnected = True
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._link.disconnect()
                await self._open()
        except (TimeoutError, ReaderError) as err:
            raise ReaderError(
                ErrorCode.CONNECT_FAILED, f"the connection could not be made anew ({err})"
            ) from err

    def _patience(self) -> float:
        """Return how long the next request may wait."""
        left = self._deadline - asyncio.get_running_loop().time()
        return min(REQUEST_TIMEOUT, left)
