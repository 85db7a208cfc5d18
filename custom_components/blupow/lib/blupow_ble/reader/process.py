"""The parent's side of the child: start it, hear its answer, see it end. No Home Assistant in here."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable
from contextlib import suppress
import errno
import json
import logging
import os
from pathlib import Path
import signal
import sys
from typing import Any, Final

from .. import connection_log
from ..connection_log import Topic
from ..protocol.errors import ErrorCode, ReaderCannotStart, ReaderError, Stage
from . import answers, bluez, link_claim, messages
from .messages import MAX_LINE, Message, Request
from .result import Finding, Reading, WriteReport
from .timeouts import DISCONNECT_BUDGET, TERMINATE_GRACE, parent_deadline

LIB: Final = Path(__file__).resolve().parents[2]
"""The only directory that a child gets on its path."""
PACKAGE: Final = "blupow_ble"

STDERR_TAIL_WAIT: Final = 1.0
MOST_LAST_LINES: Final = 100
"""A child says a line or two after its answer."""
SHORTAGES: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Why a process could not be started this time; next time it can."""
ENDED_BY_A_SIGNAL: Final = 128
"""Exit codes from here on tell of a signal, as negative ones do."""

_LOGGER = logging.getLogger(__name__)
_LEVELS: Final = logging.getLevelNamesMapping()
_HEARD_LOGGERS: Final = ("blupow_ble", "py.warnings", "asyncio")
_DROPPED_FROM_ENVIRONMENT: Final = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP"})


def child_command() -> tuple[str, ...]:
    """Return how a child is started: the same interpreter, and no folder of the caller's on its path."""
    return (sys.executable, "-P", "-m", PACKAGE)


def child_environment() -> dict[str, str]:
    """Return the environment of a child: the caller's, with `lib` first on the path."""
    environment = {
        key: value for key, value in os.environ.items() if key not in _DROPPED_FROM_ENVIRONMENT
    }
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(LIB), inherited)))
    environment["PYTHONUNBUFFERED"] = "1"
    if _LOGGER.isEnabledFor(logging.DEBUG):
        environment["BLUPOW_DEBUG"] = "1"
    return environment


class ReaderProcess:
    """One child for one request: `reading`, then `close`, whatever came of it."""

    def __init__(
        self,
        request: Request,
        *,
        command: tuple[str, ...] | None = None,
        on_progress: Callable[[Message], None] = lambda _: None,
    ) -> None:
        """Prepare a child. `command` replaces the usual one (tests)."""
        self._request = request
        self._command = command or child_command()
        self._on_progress = on_progress
        self._process: Process | None = None
        self._logs: asyncio.Task[None] | None = None
        self._stderr_tail: deque[str] = deque(maxlen=5)
        self._answered = False
        self._disconnected = False
        self._stage = Stage.START

    @property
    def pid(self) -> int | None:
        """The process id, once it has been started."""
        return self._process.pid if self._process else None

    async def reading(self) -> Reading:
        """Start the child and return what it read.

        Raises ReaderError: the child's own error, or reader_crashed, reader_timeout, bad_reply.
        """
        return await self._ask("result", answers.parse_result)

    async def findings(self) -> list[Finding]:
        """Start the child and return the units that it found. Raises ReaderError as `reading` does."""
        return await self._ask("found", answers.parse_found)

    async def written(self) -> tuple[WriteReport, dict[int, int]]:
        """Start the child and return what has become of settings, and what a virtual device keeps.

        Raises ReaderError as `reading` does. A child that is ended early may have written.
        """
        return await self._ask("written", answers.parse_written)

    async def _ask[T](self, event: str, parse: Callable[[Message], T]) -> T:
        """Start the child and return what the event that answers the request holds."""
        limit = parent_deadline(self._request.deadline)
        try:
            async with asyncio.timeout(limit):
                await self._start()
                return await self._answer(event, parse)
        except TimeoutError:
            raise ReaderError(
                ErrorCode.READER_TIMEOUT,
                f"the reader gave no answer within {limit:g} s",
            ) from None

    async def _start(self) -> None:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=child_environment(),
                limit=MAX_LINE,
                close_fds=False,
                process_group=0,
            )
        except OSError as err:
            text = f"the reader could not be started ({err})"
            if err.errno in SHORTAGES:
                raise ReaderError(ErrorCode.READER_CRASHED, text, stage=Stage.START) from err
            raise ReaderCannotStart(text) from err
        assert self._process.stdin is not None
        self._logs = asyncio.create_task(self._pump_logs(), name=f"reader {self._process.pid} log")
        self._process.stdin.write(self._request.encode())
        with suppress(ConnectionError):
            await self._process.stdin.drain()

    async def _answer[T](self, event: str, parse: Callable[[Message], T]) -> T:
        """Read lines until one of them answers the request."""
        while True:
            message = await self._next_message()
            match message.get("event"):
                case "hello":
                    continue
                case "progress":
                    self._stage = _stage_of(message)
                    self._on_progress(message)
                case "error":
                    raise self._open(message, answers.parse_error)
                case name if name == event:
                    return self._open(message, parse)
                case name:
                    raise _bad_reply(f"unknown event {name!r}")

    async def _next_message(self) -> Message:
        """Return the next line as a message."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError as err:
            raise _bad_reply("a line is too long") from err
        if not line:
            raise await self._crash()
        try:
            return messages.decode(line)
        except ValueError as err:
            raise _bad_reply(str(err)) from err

    def _open[T](self, message: Message, parse: Callable[[Message], T]) -> T:
        """Return what the answer holds. Raises ReaderError(bad_reply)."""
        refused = message["event"] == "error" and message.get("id") is None
        if message.get("id") != self._request.id and not refused:
            raise _bad_reply(f"answer to {message.get('id')!r} instead of {self._request.id}")
        try:
            answer = parse(message)
        except messages.MALFORMED as err:
            raise _bad_reply(f"malformed {message['event']}: {err}") from err
        self._answered = True
        return answer

    async def _crash(self) -> ReaderError:
        """Return the error for a child that ended without an answer."""
        assert self._process is not None
        code = await self._process.wait()
        await self._end_logs()
        words = self._stderr_tail[-1] if self._stderr_tail else "it said nothing"
        text = f"the reader ended with code {code} ({words})"
        if self._stage is Stage.START and 0 < code < ENDED_BY_A_SIGNAL:
            return ReaderCannotStart(text)
        return ReaderError(ErrorCode.READER_CRASHED, text, stage=self._stage)

    async def _pump_logs(self) -> None:
        """Pass the child's log on; what is no JSON line is kept: the tail of its stderr."""
        assert self._process is not None
        assert self._process.stderr is not None
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:
                continue  # over the limit: the reader has dropped it
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            try:
                record: dict[str, Any] = json.loads(text)
                level, message = _LEVELS[record["level"]], str(record["message"])
                if not str(record["logger"]).startswith(_HEARD_LOGGERS):
                    level = logging.DEBUG  # a library's remark, the same at each reading
            except (*messages.MALFORMED, RecursionError):
                self._stderr_tail.append(text)
                level, message = logging.DEBUG, text
            connection_log.log(level, Topic.READER, message.removeprefix("[reader] "))

    async def _end_logs(self) -> None:
        """Read the tail of the ended child's stderr; a process that it left behind, and holds its log open, is ended."""
        assert self._logs is not None
        assert self._process is not None
        _, listening = await asyncio.wait((self._logs,), timeout=STDERR_TAIL_WAIT)
        if listening:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.wait((self._logs,), timeout=STDERR_TAIL_WAIT)
        self._logs.cancel()

    async def close(self) -> None:
        """See the child end: by itself if it has answered, else by force."""
        if self._process is None:
            return
        if not self._answered:
            await self.stop()
            return
        try:
            async with asyncio.timeout(parent_deadline(DISCONNECT_BUDGET)):
                whole = await self._read_rest()
                if whole:
                    await self._process.wait()
        except TimeoutError:
            whole = False
        if whole:
            await self._reap()
        else:
            await self.stop()

    async def _read_rest(self) -> bool:
        """Read what the child still says, so that it never waits for its pipe; return whether it has ended.

        One that goes on and on has gone wrong, and is not listened to.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        for _ in range(MOST_LAST_LINES):
            await asyncio.sleep(0)
            try:
                line = await self._process.stdout.readline()
                if not line:
                    return True
                message = messages.decode(line)
            except ValueError:
                continue
            if message.get("stage") == Stage.DISCONNECT:
                self._disconnected = True
            self._on_progress(message)
        return False

    async def stop(self) -> None:
        """End the child: close its input, SIGTERM, after 5 s SIGKILL; then end the link it left, if any.

        A cancellation does not cut this short: a child that is not reaped would be a leak.
        """
        if self._process is None:
            return
        ending = asyncio.ensure_future(self._end())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise

    async def _end(self) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(TERMINATE_GRACE):
                    ended = await self._read_rest()
                    if ended:
                        await process.wait()
            except TimeoutError:
                ended = False
            if not ended:
                connection_log.debug(f"child {process.pid} did not end by itself and is killed")
                with suppress(ProcessLookupError):
                    process.kill()
        await self._reap()

    async def _reap(self) -> None:
        """Collect the ended child, and the link of one that could not disconnect."""
        assert self._process is not None
        code = await self._process.wait()
        await self._end_logs()
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(ConnectionError):
            await self._process.stdin.wait_closed()
        if code < 0 and not self._disconnected and not self._request.device.virtual:
            await self._end_link()

    async def _end_link(self) -> None:
        """End the link of a child that a signal ended: it could not disconnect, and BlueZ keeps its link."""
        device = self._request.device
        if await bluez.release(device.address, device.object_path) is not None:
            await asyncio.to_thread(link_claim.forget, device.address)


def _stage_of(message: Message) -> Stage:
    """Return how far a child is. Raises ReaderError(bad_reply)."""
    try:
        return Stage(message["stage"])
    except (KeyError, ValueError) as err:
        raise _bad_reply("unknown stage") from err


def _bad_reply(text: str) -> ReaderError:
    return ReaderError(ErrorCode.BAD_REPLY, f"the reader's answer is not understood: {text}")
