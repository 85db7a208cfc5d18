"""A session that has so many seconds once it is connected, and whose link is made anew once at most."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..profiles.declaration import Span
from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..protocol.modbus import BROADCAST_UNIT
from ..protocol.push import PushFrame
from ..protocol.session import REQUEST_TIMEOUT, Session, open_session
from .result import Timings

if TYPE_CHECKING:
    from ..protocol.session import Link

MAY_REPLY_LATE: Final = frozenset(
    {ErrorCode.NO_RESPONSE, ErrorCode.BAD_FRAME, ErrorCode.WRONG_UNIT}
)
"""Failures after which a late reply may still be on its way."""


class TimedSession:
    """Connects, and says how long each request may still wait. Times are seconds."""

    def __init__(
        self, link: Link, budget: float, on_stage: Callable[[Stage], None] = lambda _: None
    ) -> None:
        """Prepare to connect."""
        self._link = link
        self._budget = budget
        self._on_stage = on_stage
        self._session: Session | None = None
        self._pushed: PushFrame | None = None
        self._started = self._connected = self.deadline = 0.0
        """By the event loop's clock."""
        self.reconnected = False

    @property
    def session(self) -> Session:
        """The session that is open."""
        assert self._session is not None
        return self._session

    async def begin(self, unit_id: int | None, pushed: PushFrame | None = None) -> None:
        """Connect; from then on the time counts. Raises ReaderError."""
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        self._pushed = pushed
        await self._open(unit_id or BROADCAST_UNIT)
        self._connected = loop.time()
        self._on_stage(Stage.READ)
        self.deadline = self._connected + self._budget

    async def _open(self, unit_id: int) -> None:
        """Connect and have replies delivered."""
        self._on_stage(Stage.CONNECT)
        client = await self._link.connect()
        self._on_stage(Stage.SERVICES)
        self._session = await open_session(self._link, unit_id, self._pushed, client=client)

    async def reconnect(self) -> None:
        """Connect anew, once: what the device may still send then goes nowhere. Raises ReaderError.

        After that the different lengths of the requests alone keep late replies apart.
        """
        self.reconnected = True
        unit_id = self.session.unit_id
        try:
            async with asyncio.timeout_at(self.deadline):
                await self._link.disconnect()
                await self._open(unit_id)
        except TimeoutError:
            raise _not_made_anew("no time was left") from None
        except ReaderError as err:
            if err.code is ErrorCode.HELD_BY_OTHER:
                raise
            raise _not_made_anew(err.message) from err

    async def read_span(self, span: Span, *, drain: bool = True, tries: int = 1) -> tuple[int, ...]:
        """Read registers by number: over this link, and once more over a new one. Raises ReaderError.

        Spans may have the same length: a late reply to one must not meet the request for another.
        `drain` is False where nothing was asked for yet.
        """
        try:
            if drain:
                await self.session.drain()
            self.check_time()
            return await self.session.read(span, self.patience(), tries)
        except ReaderError as err:
            lost = err.code in MAY_REPLY_LATE or err.code is ErrorCode.CONNECT_FAILED
            if not lost or self.reconnected:
                raise
        await self.reconnect()
        self.check_time()
        return await self.session.read(span, self.patience(), tries)

    def check_time(self, needed: float = 0.0) -> None:
        """Raise ReaderError(reader_timeout) when no more time is left than is needed."""
        if self.deadline - asyncio.get_running_loop().time() <= needed:
            raise ReaderError(
                ErrorCode.READER_TIMEOUT,
                f"no time was left: {self._budget:g} s are allowed once the device is connected",
            )

    def patience(self) -> float:
        """Return how long the next request may wait."""
        left = self.deadline - asyncio.get_running_loop().time()
        return min(REQUEST_TIMEOUT, left)

    def timings(self) -> Timings:
        """Return how long the connection took, and what came after it."""
        ended = asyncio.get_running_loop().time()
        return Timings(
            connect=round(self._connected - self._started, 3),
            read=round(ended - self._connected, 3),
        )


def _not_made_anew(why: str) -> ReaderError:
    text = f"the connection could not be made anew: {why}"
    return ReaderError(ErrorCode.CONNECT_FAILED, text)
