"""Writes readings to the database, and keeps them in order while it is away."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any, Final

from blupow_ble.profiles.declaration import Value
from blupow_ble.reader.answers import is_value
from blupow_ble.waiting import wait_at_most, wait_ended
from sqlalchemy.ext.asyncio import AsyncEngine

from .engine import DATABASE_ERRORS, LAST_TRY, first_line, insert_into, refuses_data
from .tables import READINGS

_LOGGER = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000
BATCH: Final = 500
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between two tries to reach a database that is away."""


@dataclass(frozen=True, slots=True)
class Row:
    """A reading of one unit. `at` is milliseconds since 1970."""

    device: str
    unit: str
    at: int
    values: dict[str, Value]


class Writer:
    """Writes rows in the order in which they came. While the database is away they wait, up to 10,000."""

    def __init__(
        self, engine: AsyncEngine, spool: Path, on_written: Callable[[Sequence[Row]], None]
    ) -> None:
        """Prepare to write. `spool` keeps over a restart what could not be written."""
        self._engine = engine
        self._spool = spool
        self._spooled = 0
        """Readings of an earlier run that are still to be written."""
        self._on_written = on_written
        self._waiting: deque[Row] = deque()
        self._there = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.written = 0
        """Since the start."""
        self.lost = 0
        """Readings that were dropped, because too many waited or the database refused them."""
        self._told_lost = False
        self.problem: str | None = None
        """Why nothing can be written; None if it can."""

    @property
    def waiting(self) -> int:
        """How many readings wait to be written."""
        return len(self._waiting)

    async def load(self) -> None:
        """Take what an earlier run has left: it is written first."""
        for row in await asyncio.to_thread(_read_spool, self._spool):
            self.add(row)
        self._spooled = self.waiting

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="store writer")

    async def stop(self) -> None:
        """Write what waits, or keep it for the next start."""
        self._stop.set()
        self._there.set()
        if self._task is not None:
            await wait_ended(self._task, LAST_TRY)
            self._task = None
        # first: a database that is away may take longer than the bridge has
        await asyncio.to_thread(_write_spool, self._spool, tuple(self._waiting))
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_TRY):
                if await self._write_waiting():
                    self._spool.unlink(missing_ok=True)

    def add(self, row: Row) -> None:
        """Take a reading to be written; the oldest is dropped when too many wait."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1
            if not self._told_lost:
                self._told_lost = True
                _LOGGER.warning(
                    "[store] %d readings wait for the database; from now on the oldest are lost",
                    MOST_WAITING,
                )
        self._waiting.append(row)
        self._there.set()

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await self._there.wait()
            self._there.clear()
            if self._stop.is_set():
                return
            if await self._write_waiting():
                pause = FIRST_PAUSE
                continue
            await wait_at_most(self._stop, pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            self._there.set()

    async def _write_waiting(self) -> bool:
        """Write all that waits; return whether the database took it."""
        while self._waiting:
            if self._stop.is_set() and self._task is not None:
                return False  # what is left is kept in a file
            batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
            try:
                await self._write_batch(batch)
            except DATABASE_ERRORS as err:
                self._note_problem(err)
                return False
            self._taken(batch)
        return True

    def _taken(self, batch: Sequence[Row]) -> None:
        """Note that rows were written; those that were dropped meanwhile are not waiting any more."""
        done = {id(row) for row in batch}
        while self._waiting and id(self._waiting[0]) in done:
            self._waiting.popleft()
        self.written += len(batch)
        if self._spooled:
            self._spooled = max(self._spooled - len(batch), 0)
            if not self._spooled:
                self._spool.unlink(missing_ok=True)
        if self.problem is not None:
            self.problem, self._told_lost = None, False
            _LOGGER.info("[store] the database takes readings again; %d are left", self.waiting)
        self._on_written(batch)

    async def _write_batch(self, batch: Sequence[Row]) -> None:
        """Write rows, less those that the database refuses. Raises one of DATABASE_ERRORS."""
        try:
            await self.write(batch)
        except DATABASE_ERRORS as err:
            if not refuses_data(err):
                raise
            for row in batch:
                await self._write_one(row)

    async def write(self, rows: Sequence[Row]) -> None:
        """Write rows at once; those that are there already stay. Raises one of DATABASE_ERRORS."""
        statement = insert_into(self._engine, READINGS).on_conflict_do_nothing()
        async with self._engine.begin() as connection:
            await connection.execute(
                statement,
                [
                    {"device": row.device, "unit": row.unit, "at": row.at, "values": row.values}
                    for row in rows
                ],
            )

    async def _write_one(self, row: Row) -> None:
        """Write a row, or leave it out. Raises one of DATABASE_ERRORS."""
        try:
            await self.write([row])
        except DATABASE_ERRORS as err:
            if not refuses_data(err):
                raise
            self.lost += 1
            reason = first_line(err)
            _LOGGER.warning("[store] the database refuses a reading of %s: %s", row.device, reason)

    def _note_problem(self, err: BaseException) -> None:
        """Log once that the database is away."""
        reason = first_line(err)
        if self.problem is None:
            _LOGGER.warning("[store] the database takes nothing, readings wait: %s", reason)
        self.problem = reason


def _read_spool(path: Path) -> list[Row]:
    """Return what an earlier run has left, and remove it; a line that is no reading is left out."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as err:
        _LOGGER.warning("[store] %s cannot be read: %s", path, err)
        return []
    rows: list[Row] = []
    for line in lines:
        try:
            rows.append(_row(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            _LOGGER.warning("[store] a line of %s is no reading: %s", path, err)
    return rows


def _row(found: dict[str, Any]) -> Row:
    """Return a reading that was kept. Raises what another shape brings."""
    values = dict(found["values"])
    if not all(is_value(value) for value in values.values()):
        raise TypeError("a value is none")
    return Row(str(found["device"]), str(found["unit"]), int(found["at"]), values)


def _write_spool(path: Path, rows: Sequence[Row]) -> None:
    """Keep rows for the next start; a failure to do so is logged."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    lines = (
        json.dumps({"device": row.device, "unit": row.unit, "at": row.at, "values": row.values})
        for row in rows
    )
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(path)
    except OSError as err:
        _LOGGER.warning("[store] %d readings are lost: %s: %s", len(rows), path, err.strerror)
