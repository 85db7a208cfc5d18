"""Waits that come to an end."""

import asyncio

from custom_components.blupow.lib.blupow_ble.waiting import wait_at_most, wait_ended


async def test_wait_at_most() -> None:
    """Until the event, or until the time is up, which is no error."""
    event = asyncio.Event()
    await wait_at_most(event, 0.0)
    assert not event.is_set()
    asyncio.get_running_loop().call_soon(event.set)
    await wait_at_most(event, 30.0)
    assert event.is_set()


async def test_wait_ended() -> None:
    """A task that ends by itself is not cancelled; one that does not is."""
    stop = asyncio.Event()

    async def work() -> None:
        await stop.wait()

    task = asyncio.create_task(work())
    asyncio.get_running_loop().call_soon(stop.set)
    await wait_ended(task, 30.0)
    assert not task.cancelled()
    stop.clear()
    stuck = asyncio.create_task(work())
    await wait_ended(stuck, 0.0)
    assert stuck.cancelled()
