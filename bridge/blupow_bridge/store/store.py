"""The store of a bridge: it opens the database, also later, writes, works out, and reads."""

import asyncio
from collections.abc import Sequence
import logging
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from blupow_ble.waiting import wait_at_most, wait_ended
from sqlalchemy.ext.asyncio import AsyncEngine

from .engine import DATABASE_ERRORS, LAST_TRY, StoreError, first_line, migrate, open_engine
from .history import History
from .rollup import Counters, Rollup
from .writer import FIRST_PAUSE, LONGEST_PAUSE, Row, Writer

_LOGGER = logging.getLogger(__name__)

SPOOL: Final = "waiting.jsonl"


class Store:
    """Everything that is kept of the readings."""

    def __init__(
        self,
        *,
        url: str | None,
        folder: Path,
        zone: ZoneInfo,
        counters: Counters,
        raw_days: int,
        hourly_days: int,
    ) -> None:
        """Prepare; nothing is opened yet. Raises StoreError."""
        self.engine: Final[AsyncEngine] = open_engine(url, folder)
        self.history: Final = History(self.engine)
        self._rollup = Rollup(
            self.engine, zone=zone, counters=counters, raw_days=raw_days, hourly_days=hourly_days
        )
        self.writer: Final = Writer(self.engine, folder / SPOOL, self._written)
        self.ready = False
        """Whether the tables are as they must be."""
        self._stop = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the database; where it is away, go on trying. Raises StoreError."""
        await self.writer.load()
        if not await self._open():
            self._opening = asyncio.create_task(self._open_later(), name="store opening")

    async def stop(self) -> None:
        """Write what waits, and close."""
        self._stop.set()
        if self._opening is not None:
            await wait_ended(self._opening, LAST_TRY)
        await self.writer.stop()
        if self.ready:
            await self._rollup.stop()
        await self.engine.dispose()

    def add(self, rows: Sequence[Row]) -> None:
        """Take readings; they are written as soon as the database takes them."""
        for row in rows:
            self.writer.add(row)

    async def round(self) -> None:
        """Work out the hours and days of all that was written."""
        await self._rollup.round()

    async def _open(self) -> bool:
        try:
            await migrate(self.engine)
        except DATABASE_ERRORS as err:
            if self.writer.problem is None:
                reason = first_line(err)
                self.writer.problem = reason
                _LOGGER.warning("[store] the database cannot be opened, readings wait: %s", reason)
            return False
        self.ready = True
        self.writer.start()
        self._rollup.start()
        return True

    async def _open_later(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await wait_at_most(self._stop, pause)
            if self._stop.is_set():
                return
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                opened = await self._open()
            except StoreError as err:
                self.writer.problem = str(err)
                _LOGGER.warning("[store] %s", err)
                return
            if opened:
                self.writer.problem = None
                _LOGGER.info("[store] the database is there")
                return

    def _written(self, rows: Sequence[Row]) -> None:
        self._rollup.note(rows)
