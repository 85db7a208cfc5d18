"""Readings by a child process that talks to BlueZ: what hangs or crashes there ends with it."""

import asyncio
from collections.abc import Callable
from itertools import count
import logging
from typing import Final

from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.messages import Request
from ..lib.blupow_ble.process import ReaderProcess
from ..lib.blupow_ble.resilience import child_deadline
from ..lib.blupow_ble.result import Reading
from . import Path, ReadPlan
from .turns import take_turn

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

    async def read(self, path: Path, plan: ReadPlan) -> Reading:
        """Take one reading. Raises ReaderError."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
        end_turn = await take_turn(self._hass, path)
        process = ReaderProcess(
            Request(
                id=next(_NUMBERS),
                device=path.device,
                profile=plan.profile.key,
                model=plan.model.key if plan.model else None,
                unit=plan.unit,
                blocks=list(plan.blocks),
                span=plan.span,
                connect_timeout=plan.connect_timeout,
                deadline=child_deadline(plan.connect_timeout),
            )
        )
        self._process = process
        try:
            return await process.reading()
        finally:
            # nobody waits for the child to disconnect and end but the adapter's next turn
            self._finishing = asyncio.create_task(
                self._finish(process, end_turn), name="blupow reader ending"
            )

    async def _finish(self, process: ReaderProcess, end_turn: Callable[[], None]) -> None:
        """See the child end, then let the next one have the adapter."""
        try:
            await process.close()
        finally:
            end_turn()
            self._process = None

    async def stop(self) -> None:
        """Wait until the last child has ended; a reading under way is cancelled by its own task."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
