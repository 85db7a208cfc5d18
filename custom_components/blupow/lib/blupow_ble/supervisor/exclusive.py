"""Exclusive access to a device: one job at a time, and each can be interrupted."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..connection_log import ConnectionLog
from ..protocol.errors import ErrorCode, ReaderError


class Interrupted(ReaderError):
    """Something else came first: a reconnect was begun, or the link is given up."""

    def __init__(self) -> None:
        """Set the message."""
        super().__init__(ErrorCode.READER_TIMEOUT, "it was interrupted")


class ExclusiveAccess:
    """Lets one job at a time work with a device. `async with` acquires it; `run` does the job."""

    def __init__(self, log: ConnectionLog) -> None:
        """Start with nothing under way. What a job logs goes to `log`."""
        self._log = log
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[Any] | None = None
        self._closed = False

    async def __aenter__(self) -> None:
        """Acquire it; first come, first served."""
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        """Release it."""
        self._lock.release()

    @property
    def busy(self) -> bool:
        """Whether it is acquired."""
        return self._lock.locked()

    @property
    def closed(self) -> bool:
        """Whether no job is accepted any more."""
        return self._closed

    async def run[T](self, job: Coroutine[Any, Any, T]) -> T:
        """Do a job, while it is acquired. Raises what the job raises, or Interrupted."""
        if self._closed:
            job.close()
            raise Interrupted
        with self._log.bound():
            self._task = task = asyncio.create_task(job, name=f"{self._log.name} reading")
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise Interrupted from None

    def interrupt(self) -> None:
        """Interrupt the job that is under way: it may be what hangs."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Interrupt the job that is under way, wait for its end, and accept no other."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
