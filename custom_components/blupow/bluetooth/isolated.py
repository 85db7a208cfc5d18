"""Readings by a child process that talks to BlueZ: what hangs or crashes there ends with it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
import logging
from typing import Final

from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.reader.messages import Operation, Request
from ..lib.blupow_ble.reader.process import ReaderProcess
from ..lib.blupow_ble.reader.result import Finding, Reading
from ..lib.blupow_ble.reader.timeouts import child_deadline
from . import FindPlan, Path, ReadPlan
from .connection_locks import acquire_connection_lock

_LOGGER = logging.getLogger(__name__)
_NUMBERS: Final = count(1)


class IsolatedReader:
    """Starts one child for one reading.

    A reading is returned as soon as the child has sent it; the child then still disconnects, and the
    adapter's turn lasts until it has ended.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing under way."""
        self._hass = hass
        self._process: ReaderProcess | None = None
        self._finishing: asyncio.Task[None] | None = None

    async def read(self, path: Path, plan: ReadPlan) -> tuple[Path, Reading]:
        """Take one reading; return it with the way it took. Raises ReaderError."""
        request = Request(
            id=next(_NUMBERS),
            device=path.device,
            units=plan.units,
            spans=plan.spans,
            look_at=plan.look_at,
            connect_timeout=plan.connect_timeout,
            budget=plan.budget,
            deadline=child_deadline(plan.connect_timeout, plan.budget),
        )
        return path, await self._have_done(path, request, ReaderProcess.reading)

    async def find(self, path: Path, plan: FindPlan) -> list[Finding]:
        """Find units. Raises ReaderError."""
        request = Request(
            id=next(_NUMBERS),
            op=Operation.SWEEP if plan.everything else Operation.IDENTIFY,
            device=path.device,
            addresses=plan.addresses,
            connect_timeout=plan.connect_timeout,
            budget=plan.budget,
            deadline=child_deadline(plan.connect_timeout, plan.budget),
        )
        return await self._have_done(path, request, ReaderProcess.findings)

    async def _have_done[T](
        self, path: Path, request: Request, job: Callable[[ReaderProcess], Awaitable[T]]
    ) -> T:
        """Start a child for a request in the adapter's turn, and return its answer."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
        release = await acquire_connection_lock(self._hass, path)
        process = ReaderProcess(request)
        self._process = process
        try:
            return await job(process)
        finally:
            # nobody waits for the child to disconnect and end but the adapter's next turn
            self._finishing = asyncio.create_task(
                self._finish(process, release), name="blupow reader ending"
            )

    async def _finish(self, process: ReaderProcess, release: Callable[[], None]) -> None:
        """See the child end, then let the next one have the adapter."""
        try:
            await process.close()
        finally:
            release()
            self._process = None

    async def stop(self) -> None:
        """Wait until the last child has ended; a reading under way is cancelled by its own task."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
