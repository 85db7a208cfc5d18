"""The child: serves one request from its standard input and ends.

It answers before it disconnects. It disconnects and ends on SIGTERM, when its
parent is gone (end of its standard input) and when its deadline passes: BlueZ would keep its link.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import json
import logging
import math
import os
import signal
import sys
from typing import TYPE_CHECKING, Final, override

from ..protocol.errors import ErrorCode, ReaderError, Stage
from . import answers, messages
from .messages import MAX_LINE, Operation, Request
from .timeouts import DISCONNECT_BUDGET

if TYPE_CHECKING:
    from ..protocol.session import Link

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
EXIT_BAD_REQUEST: Final = 2
EXIT_STOPPED: Final = 143

ALARM_MARGIN: Final = 2
"""Seconds after the deadline at which even a hung event loop ends, by SIGALRM."""


def emit(message: messages.Message) -> None:
    """Write one line to the parent; a parent that is gone gets none."""
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), messages.encode(message))


class JsonLines(logging.Formatter):
    """Formats log records as JSON lines for the parent's log."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}: {record.exc_info[1]!r}"
        return json.dumps({"level": record.levelname, "logger": record.name, "message": text})


def main() -> int:
    """Serve the request on standard input; return the exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if os.environ.get("BLUPOW_DEBUG"):
        # not bleak's: its debug lines hold all that BlueZ knows, neighbors too
        logging.getLogger(__package__.rpartition(".")[0]).setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
    emit(answers.hello(os.getpid()))
    return asyncio.run(_serve())


async def _serve() -> int:
    """Read the request and carry it out, until something ends it."""
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    try:
        line = await stdin.readline()
    except ValueError:
        emit(
            answers.error(
                None,
                ReaderError(ErrorCode.BAD_REQUEST, "line is too long", stage=Stage.START),
            )
        )
        return EXIT_BAD_REQUEST
    if not line:
        return EXIT_STOPPED
    try:
        request = messages.parse_request(line)
    except ReaderError as err:
        emit(answers.error(None, err))
        return EXIT_BAD_REQUEST
    signal.alarm(math.ceil(request.deadline) + ALARM_MARGIN)
    job = Job(request)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, job.stop)
    parent = asyncio.create_task(_parent_gone(stdin, job.stop))
    try:
        return await job.task
    except asyncio.CancelledError:
        return EXIT_STOPPED
    finally:
        parent.cancel()


async def _parent_gone(stdin: asyncio.StreamReader, stop: Callable[[], None]) -> None:
    """Stop when the parent closes its end."""
    await stdin.read()
    stop()


class Job:
    """One request being carried out; it can be stopped, but its disconnect is never cut short."""

    def __init__(self, request: Request) -> None:
        """Start."""
        self._request = request
        self._ending = False
        self.task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Give up and disconnect."""
        if not self._ending:
            self._ending = True
            self.task.cancel()

    async def _run(self) -> int:
        """Read, answer, then disconnect; return the exit code."""
        request = self._request
        link: Link | None = None
        try:
            async with asyncio.timeout(max(request.deadline - DISCONNECT_BUDGET, 0)):
                link = await _find_link(request)
                emit(await _carry_out(request, link))
        except ReaderError as err:
            emit(answers.error(request.id, err))
        except TimeoutError:
            text = f"the reading was not done within {request.deadline:g} s"
            emit(answers.error(request.id, ReaderError(ErrorCode.READER_TIMEOUT, text)))
        else:
            return EXIT_DONE
        finally:
            self._ending = True
            if link is not None:
                await self._disconnect(link)
        return EXIT_FAILED

    async def _disconnect(self, link: Link) -> None:
        started = asyncio.get_running_loop().time()
        await link.disconnect()
        seconds = round(asyncio.get_running_loop().time() - started, 3)
        emit(answers.progress(self._request.id, Stage.DISCONNECT, seconds=seconds))


async def _carry_out(request: Request, link: Link) -> messages.Message:
    """Do what is asked and return the answer. Raises ReaderError."""
    if request.op is Operation.WRITE:
        from .writing import Writer  # noqa: PLC0415

        writer = Writer(
            link,
            request.units[0],
            request.changes,
            budget=request.budget,
            on_stage=lambda stage: emit(answers.progress(request.id, stage)),
        )
        report = await writer.write()
        kept = _virtual_registers(link) if request.device.virtual else {}
        return answers.written(request.id, report, kept)
    if request.op is not Operation.READ:
        from .probing import Prober  # noqa: PLC0415

        prober = Prober(link, request.budget, request.unit_ids)
        if request.op is Operation.IDENTIFY:
            return answers.found(request.id, [await prober.identify()])
        return answers.found(request.id, await prober.find_all())
    from .reading import Reader  # noqa: PLC0415

    reader = Reader(
        link,
        request.units,
        budget=request.budget,
        look_at=request.look_at,
        on_stage=lambda stage: emit(answers.progress(request.id, stage)),
    )
    if request.spans:
        return answers.result(request.id, await reader.read_spans(request.spans))
    return answers.result(request.id, await reader.read())


def _virtual_registers(link: Link) -> dict[int, int]:
    """Return the registers that a virtual device was written; a real one keeps them itself."""
    from ..virtual import VirtualLink  # noqa: PLC0415

    return dict(link.virtual_registers) if isinstance(link, VirtualLink) else {}


async def _find_link(request: Request) -> Link:
    """Return a link to the device, by the object path that the parent gave. Raises ReaderError(not_advertising)."""
    # bleak takes a while to import: the hello has not waited for it
    from .discovery import find_known, known_device  # noqa: PLC0415
    from .link import BleLink  # noqa: PLC0415

    device = request.device
    if device.virtual:
        from ..virtual import VirtualLink, virtual_device  # noqa: PLC0415

        module = virtual_device(request.units[0].profile.key)
        module.overrides.update(request.virtual_registers)
        return VirtualLink(module)
    found = (
        known_device(device.address, device.name, device.object_path)
        if device.object_path
        else await find_known(device.address)
    )
    return BleLink(
        found,
        request.connect_timeout,
        on_attempt=lambda attempt: emit(
            answers.progress(request.id, Stage.CONNECT, attempt=attempt)
        ),
    )
