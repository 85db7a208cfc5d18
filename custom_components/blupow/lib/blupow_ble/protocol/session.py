"""Asks a connected client for registers: one request in flight, each reply checked, two tries."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from .. import connection_log
from .characteristics import Characteristics, find_characteristics, find_notifier
from .errors import ErrorCode, ReaderError, Stage
from .modbus import (
    BROADCAST_UNIT,
    BUSY_EXCEPTIONS,
    EXCEPTION_FLAG,
    EXCEPTION_TEXT,
    LONGEST_REPLY,
    PATIENCE,
    READ_REGISTERS,
    WRITE_FUNCTIONS,
    Flaw,
    ReadRequest,
    Reply,
    ReplyCollector,
    Request,
    WriteRequest,
    whole_frames,
)
from .push import FrameCollector, PushFrame
from .radio import RADIO_ERRORS, asks_for_pairing, detail_of

if TYPE_CHECKING:
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.service import BleakGATTServiceCollection


REQUEST_TIMEOUT: Final = 2.0
"""Seconds for the reply to one request."""
REQUEST_TRIES: Final = 2
_FINAL: Final = frozenset(
    {ErrorCode.CONNECT_FAILED, ErrorCode.HELD_BY_OTHER, ErrorCode.PAIRING_REQUIRED}
)
"""Failures that asking again does not cure."""

# A late fragment follows the one before within a connection interval or two (45 ms, captured).
DRAIN_QUIET: Final = 0.15
DRAIN_LIMIT: Final = 0.6
MOST_FRAGMENTS: Final = 512
"""So many may wait to be looked at: more than any device sends meanwhile."""


class RegisterRange(Protocol):
    """Consecutive registers."""

    @property
    def start(self) -> int:
        """The first register."""

    @property
    def words(self) -> int:
        """How many there are."""


class Client(Protocol):
    """What a session needs of a connected bleak client."""

    @property
    def services(self) -> BleakGATTServiceCollection:
        """The services of the device."""

    async def start_notify(
        self,
        char_specifier: BleakGATTCharacteristic,
        callback: Callable[[BleakGATTCharacteristic, bytearray], None],
    ) -> None:
        """Have notifications delivered to the callback."""

    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        """Write a characteristic."""


class Link(Protocol):
    """A link to a device: opened once, closed once."""

    disconnected: asyncio.Event
    attempts: int

    async def connect(self) -> Client:
        """Connect; raises ReaderError."""

    async def disconnect(self) -> None:
        """Disconnect; never raises."""

    async def forget_services(self) -> bool:
        """Forget what is remembered of the services of the connected device; whether there was anything."""


@dataclass(slots=True)
class Session:
    """Requests and replies over one connection.

    `disconnected` is set by whoever owns the link when it drops: nothing else tells (a dropped link
    just never answers).
    """

    client: Client
    disconnected: asyncio.Event
    unit_id: int
    other_unit_id: int | None = None
    """The unit that answered instead of the one asked for, if one did."""
    sent: bool = False
    """Something has gone to the radio since this was reset."""
    _late: set[tuple[int, int]] = field(default_factory=set)
    """Unit and byte count of replies that may still come, after their request was given up."""
    _late_functions: frozenset[int] = frozenset()
    """Functions of echoes that may still come, after something was written."""
    _replies: set[bytes] = field(default_factory=set)
    """The replies so far: a copy of one of them is an echo of the radio, and nobody else's."""
    _characteristics: Characteristics | None = None
    _fragments: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)

    async def start(self, pushed: PushFrame | None = None) -> None:
        """Find the characteristics and have replies, or what is pushed, delivered.

        Raises ReaderError(service_missing).
        """
        try:
            # a link that has just dropped has no services any more, and bleak says so
            if pushed is not None:
                notify = find_notifier(self.client.services, pushed)
            else:
                self._characteristics = find_characteristics(self.client.services)
                notify = self._characteristics.notify
            await self.client.start_notify(notify, self._on_notify)
        except RADIO_ERRORS as err:
            raise _link_failed(err, Stage.SERVICES) from err

    def _on_notify(self, _: BleakGATTCharacteristic, data: bytearray) -> None:
        """Keep a fragment for the request in flight; what floods is not kept."""
        if self._fragments.qsize() < MOST_FRAGMENTS:
            self._fragments.put_nowait(bytes(data))

    async def read(
        self, registers: RegisterRange, timeout: float = REQUEST_TIMEOUT, tries: int = REQUEST_TRIES
    ) -> tuple[int, ...]:
        """Return the words of consecutive registers, asked again after silence, a bad frame or a busy device.

        Raises ReaderError: no_response, bad_frame, wrong_unit, modbus_exception, connect_failed,
        held_by_other.
        """
        request = ReadRequest(self.unit_id, registers.start, registers.words)
        return (await self.ask(request, timeout, tries)).words

    async def write(self, request: WriteRequest, timeout: float = REQUEST_TIMEOUT) -> Reply:
        """Send a change once, and return what the device says to it: an echo, or an exception.

        It is never sent again. Neither an answer nor silence tells what the device keeps. Raises
        ReaderError: no_response, bad_frame, wrong_unit, connect_failed, held_by_other.
        """
        self.check_strays()
        self._late_functions = WRITE_FUNCTIONS
        return await self._exchange(request, timeout)

    async def ask(
        self, request: ReadRequest, timeout: float = REQUEST_TIMEOUT, tries: int = REQUEST_TRIES
    ) -> Reply:
        """Send a request until it is answered, so many times at most."""
        for remaining in reversed(range(tries)):
            try:
                reply = await self._exchange(request, timeout)
            except ReaderError as err:
                at_broadcast = (
                    err.code is ErrorCode.WRONG_UNIT and request.unit_id == BROADCAST_UNIT
                )
                if not remaining or at_broadcast or err.code in _FINAL:
                    raise
                connection_log.debug(f"asking again: {err.message}")
                await self.drain()
                continue
            if reply.exception is None:
                return reply
            if reply.exception not in BUSY_EXCEPTIONS or not remaining:
                meaning = EXCEPTION_TEXT.get(reply.exception, "unknown")
                raise ReaderError(
                    ErrorCode.MODBUS_EXCEPTION,
                    f"the device refused with exception {reply.exception} ({meaning})",
                )
        raise AssertionError("unreachable")

    async def _exchange(self, request: Request, timeout: float) -> Reply:
        """Send one request and collect its reply, unless the link drops or the time is up."""
        assert self._characteristics is not None
        self.check_strays()
        if self.disconnected.is_set():  # Home Assistant's client has no backend any more
            raise _link_failed(ConnectionError("the link has dropped"), Stage.READ)
        collector = ReplyCollector(request)
        try:
            async with asyncio.timeout(timeout):
                self.sent = True
                await self.client.write_gatt_char(
                    self._characteristics.write,
                    request.encode(),
                    response=self._characteristics.with_response,
                )
                while not collector.flooded:
                    if reply := collector.feed(await self.next_fragment()):
                        self._check_strays(collector.strays())
                        self._replies.add(collector.reply or b"")
                        return reply
                    if collector.other_unit_id is not None and request.unit_id == BROADCAST_UNIT:
                        break  # it answers every address, under its own
        except TimeoutError:
            pass
        except RADIO_ERRORS as err:
            raise _link_failed(err, Stage.READ) from err
        self.other_unit_id = collector.other_unit_id
        late = any(self._is_late(frame) for frame in collector.strays())
        if isinstance(request, ReadRequest):
            self._late.add((request.unit_id, 2 * request.words))
        raise _unanswered(collector, request, timeout, late=late)

    def _is_late(self, frame: bytes) -> bool:
        """Whether a whole frame answers a request that was given up."""
        if frame[1] & EXCEPTION_FLAG or frame[1] in self._late_functions:
            return True
        return frame[1] == READ_REGISTERS and (frame[0], frame[2]) in self._late

    def check_strays(self) -> None:
        """Look at what has arrived since the last reply. Raises ReaderError(held_by_other)."""
        self._check_strays(whole_frames(self._discard()))

    def _check_strays(self, frames: list[bytes]) -> None:
        """Raise ReaderError(held_by_other) when a unit has answered what nobody here has asked.

        Another program asks it over the same link then, and its answers could be taken for ours. What
        comes before the first answer may still be for a program that had the link before.
        """
        for frame in frames if self._replies else ():
            asked = frame[0] == self.unit_id and self.unit_id != BROADCAST_UNIT
            if asked and not self._is_late(frame) and frame not in self._replies:
                raise ReaderError(
                    ErrorCode.HELD_BY_OTHER,
                    "the device has answered somebody else: another program is connected to it too",
                )

    async def listen(self, frame: PushFrame, seconds: float) -> tuple[int, ...]:
        """Return the words of the first whole frame that the device sends by itself.

        Raises ReaderError: no_response, bad_frame, connect_failed.
        """
        collector = FrameCollector(frame)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if words := collector.feed(await self.next_fragment()):
                        return words
        except TimeoutError:
            if collector.heard:
                raise ReaderError(
                    ErrorCode.BAD_FRAME, "what the device sent is damaged: no frame of it is whole"
                ) from None
            raise ReaderError(
                ErrorCode.NO_RESPONSE, f"the device sent nothing within {seconds:.0f} s"
            ) from None

    async def next_fragment(self) -> bytes:
        """Wait for a fragment or for the link to drop, whichever comes first."""
        await asyncio.sleep(0)  # a device that floods leaves others their time
        if self._fragments.empty():
            arrival = asyncio.ensure_future(self._fragments.get())
            drop = asyncio.ensure_future(self.disconnected.wait())
            try:
                await asyncio.wait((arrival, drop), return_when=asyncio.FIRST_COMPLETED)
                if arrival.done():
                    return arrival.result()
            finally:
                for waiter in (arrival, drop):
                    waiter.cancel()
            raise ReaderError(
                ErrorCode.CONNECT_FAILED, "the link dropped while an answer was awaited"
            )
        return self._fragments.get_nowait()

    async def drain(self) -> None:
        """Let what is still on its way arrive, and throw it away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_LIMIT):
                while True:
                    try:
                        async with asyncio.timeout(DRAIN_QUIET):
                            await self.next_fragment()
                    except TimeoutError:
                        return

    def _discard(self) -> bytes:
        """Take away what arrived between two requests."""
        arrived = bytearray()
        while not self._fragments.empty():
            arrived += self._fragments.get_nowait()
        return bytes(arrived[: PATIENCE * LONGEST_REPLY])


async def open_session(
    link: Link, unit_id: int, pushed: PushFrame | None = None, *, client: Client | None = None
) -> Session:
    """Connect unless a client is connected, and have replies, or what is pushed, delivered.

    Services that are missing may be remembered incompletely: they are forgotten and asked for anew, once.
    Raises ReaderError.
    """
    session = Session(client or await link.connect(), link.disconnected, unit_id)
    try:
        await session.start(pushed)
    except ReaderError as err:
        if err.code is not ErrorCode.SERVICE_MISSING or not await link.forget_services():
            raise
        connection_log.debug(f"the services are asked for anew: {err.message}")
        await link.disconnect()
        session = Session(await link.connect(), link.disconnected, unit_id)
        await session.start(pushed)
    return session


def _link_failed(err: Exception, stage: Stage) -> ReaderError:
    """Say that the link failed under a request."""
    if asks_for_pairing(err):
        text = f"the device asks for pairing, which no Renogy device known does ({detail_of(err)})"
        return ReaderError(ErrorCode.PAIRING_REQUIRED, text, stage=stage)
    return ReaderError(ErrorCode.CONNECT_FAILED, f"the link failed ({detail_of(err)})", stage=stage)


def _unanswered(
    collector: ReplyCollector, request: Request, timeout: float, *, late: bool
) -> ReaderError:
    """Say why no reply was found in the bytes that came."""
    match collector.flaw:
        case Flaw.WRONG_UNIT:
            return ReaderError(
                ErrorCode.WRONG_UNIT,
                f"unit {collector.other_unit_id} answered instead of unit {request.unit_id}",
            )
        case Flaw.ANOTHER if late:
            return ReaderError(
                ErrorCode.NO_RESPONSE,
                f"unit {request.unit_id} answers late: what came within {timeout:g} s answers an earlier request",
            )
        case Flaw.ANOTHER:
            return ReaderError(
                ErrorCode.BAD_FRAME,
                "what the device sent is whole, but does not answer what was asked: "
                "another function or length",
            )
        case Flaw.DAMAGED:
            return ReaderError(
                ErrorCode.BAD_FRAME,
                "what the device sent is damaged: wrong length or checksum",
            )
        case _:
            return ReaderError(
                ErrorCode.NO_RESPONSE,
                f"unit {request.unit_id} did not answer within {timeout:g} s",
            )
