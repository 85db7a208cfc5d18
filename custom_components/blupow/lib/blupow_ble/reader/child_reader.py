"""Readings by a child process that talks to BlueZ: what hangs or crashes there ends with it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final

from .messages import Operation, Request
from .plan import FindPlan, ReadPlan, WritePlan
from .process import ReaderProcess
from .result import Finding, Reading, WriteReport
from .route import Route
from .timeouts import child_deadline

_NUMBERS: Final = count(1)


type AcquireLocks = Callable[[Route], Awaitable[Callable[[], None]]]
"""Waits until neither the device nor the scanner of a route is in use; returns what releases both."""


class ChildReader:
    """Starts one child for one reading.

    A reading is returned as soon as the child has sent it; the child then still disconnects, and the
    connection locks are held until it has ended.
    """

    def __init__(self, acquire_locks: AcquireLocks) -> None:
        """Start with nothing under way."""
        self._acquire_locks = acquire_locks
        self._finishing: asyncio.Task[None] | None = None
        self._virtual_registers: dict[int, int] = {}
        """What was written to a virtual device: each child has a new one."""

    async def read(self, route: Route, plan: ReadPlan) -> tuple[Route, Reading]:
        """Take one reading; return it with its route. Raises ReaderError."""
        request = Request(
            id=next(_NUMBERS),
            device=route.device,
            units=plan.units,
            spans=plan.spans,
            look_at=plan.look_at,
            virtual_registers=self._virtual_registers,
            connect_timeout=plan.connect_timeout,
            budget=plan.budget,
            deadline=child_deadline(plan.connect_timeout, plan.budget),
        )
        return route, await self._have_done(route, request, ReaderProcess.reading)

    async def write(self, route: Route, plan: WritePlan) -> tuple[Route, WriteReport]:
        """Change settings; return what has become of them, with the route. Raises ReaderError."""
        request = Request(
            id=next(_NUMBERS),
            op=Operation.WRITE,
            device=route.device,
            units=(plan.unit,),
            changes=plan.changes,
            virtual_registers=self._virtual_registers,
            connect_timeout=plan.connect_timeout,
            budget=plan.budget,
            deadline=child_deadline(plan.connect_timeout, plan.budget),
        )
        report, self._virtual_registers = await self._have_done(
            route, request, ReaderProcess.written
        )
        return route, report

    async def find(self, route: Route, plan: FindPlan) -> list[Finding]:
        """Find units. Raises ReaderError."""
        request = Request(
            id=next(_NUMBERS),
            op=Operation.FIND_ALL if plan.everything else Operation.IDENTIFY,
            device=route.device,
            unit_ids=plan.unit_ids,
            connect_timeout=plan.connect_timeout,
            budget=plan.budget,
            deadline=child_deadline(plan.connect_timeout, plan.budget),
        )
        return await self._have_done(route, request, ReaderProcess.findings)

    async def _have_done[T](
        self, route: Route, request: Request, job: Callable[[ReaderProcess], Awaitable[T]]
    ) -> T:
        """Start a child for a request under the connection locks, and return its answer."""
        release = await self._acquire_locks(route)
        process = ReaderProcess(request)
        try:
            return await job(process)
        finally:
            # nobody waits for the child to disconnect and end but who waits for the locks
            self._finishing = asyncio.create_task(
                self._finish(process, release), name="blupow reader ending"
            )

    async def _finish(self, process: ReaderProcess, release: Callable[[], None]) -> None:
        """See the child end, then release the connection locks."""
        try:
            await process.close()
        finally:
            release()

    async def stop(self) -> None:
        """Wait until the last child has ended; a reading under way is cancelled by its own task."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
