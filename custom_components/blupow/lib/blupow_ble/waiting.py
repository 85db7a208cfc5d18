"""Waits that come to an end."""

import asyncio
from contextlib import suppress


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or until the time is up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def wait_ended(task: asyncio.Task[None], seconds: float) -> None:
    """Wait until a task that was told to stop has done so; one that takes too long is cancelled.

    What a task is cut off from, as a connection that is being made, may be left open.
    """
    _, late = await asyncio.wait((task,), timeout=seconds)
    if late:
        task.cancel()
        await asyncio.wait((task,))
