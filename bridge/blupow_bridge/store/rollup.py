"""Keeps the hours and days up to date with the readings, and removes what is too old."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
import logging
from time import time
from typing import Any, Final
from zoneinfo import ZoneInfo

from blupow_ble.waiting import wait_at_most, wait_ended
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import Table

from .aggregates import HOUR, Aggregate, of_hours, of_readings
from .engine import DATABASE_ERRORS, LAST_TRY, insert_into
from .tables import DAILY, HOURLY, READINGS
from .writer import Row

_LOGGER = logging.getLogger(__name__)

PAUSE: Final = 60.0
"""Seconds between two rounds."""
RETENTION_PAUSE: Final = 3600.0
DAY: Final = 86_400
READINGS_BEFORE: Final = 10
"""Readings before an hour among which a counter's last value is looked for."""
_MEASURES: Final = ("min", "mean", "max", "last", "samples", "added")

type Hour = tuple[str, str, int]
"""Device, unit, and start (seconds since 1970)."""
type Counters = Callable[[str, str], Mapping[str, bool]]
"""Returns the counters of a device's unit, with whether they begin anew each day."""


class Rollup:
    """Works out hours and days from the readings: the same result however often."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        zone: ZoneInfo,
        counters: Counters,
        raw_days: int,
        hourly_days: int,
    ) -> None:
        """Prepare. 0 days is for ever."""
        self._engine = engine
        self._zone = zone
        self._counters = counters
        self._raw_days = raw_days
        self._hourly_days = hourly_days
        self._dirty: set[Hour] = set()
        self._task: asyncio.Task[None] | None = None
        self._failed = False
        self._stop = asyncio.Event()
        self._working = asyncio.Lock()

    def start(self) -> None:
        """Begin, with what an earlier run has not worked out."""
        self._task = asyncio.create_task(self._run(), name="store rollup")

    async def stop(self) -> None:
        """Work out what is new, and stop."""
        self._stop.set()
        if self._task is not None:
            await wait_ended(self._task, LAST_TRY)
            self._task = None
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_TRY):
                    await self.round()

    def note(self, rows: Iterable[Row]) -> None:
        """Note readings that were written."""
        self._dirty.update((row.device, row.unit, row.at // 1000 // HOUR * HOUR) for row in rows)

    async def _run(self) -> None:
        begun, removed_at = False, float("-inf")
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            begun = begun or await self._guarded(self._find_left())
            if begun:
                await self.round()
                if loop.time() - removed_at >= RETENTION_PAUSE:
                    removed_at = loop.time()
                    await self._guarded(self.remove_old(time()))
            await wait_at_most(self._stop, PAUSE)

    async def round(self) -> None:
        """Work out the hours with new readings, and their days; what fails is left for the next round."""
        async with self._working:
            await self._round()

    async def _round(self) -> None:
        dirty, self._dirty = self._dirty, set()
        days: set[tuple[str, str, int]] = set()
        done: set[Hour] = set()

        async def work() -> None:
            for hour in sorted(dirty):
                async with self._engine.begin() as connection:
                    await self._work_out_hour(connection, hour)
                done.add(hour)
                days.add((hour[0], hour[1], self.day_of(hour[2])))
            for day in sorted(days):
                async with self._engine.begin() as connection:
                    await self._work_out_day(connection, day)

        if not await self._guarded(work()):
            self._dirty |= dirty  # days of hours that are done must be done as well

    async def _guarded(self, work: Any) -> bool:
        """Do something with the database; return whether it went well. The writer tells of a loss."""
        try:
            await work
        except DATABASE_ERRORS as err:
            if not self._failed:
                _LOGGER.debug("[store] hours and days wait for the database: %s", err)
            self._failed = True
            return False
        self._failed = False
        return True

    async def _find_left(self) -> None:
        """Note the hours whose readings are newer than what was worked out."""
        async with self._engine.connect() as connection:
            newest = (await connection.execute(select(func.max(HOURLY.c.start)))).scalar()
            since = (newest - HOUR) * 1000 if newest is not None else 0
            hour = READINGS.c.at // (HOUR * 1000)
            left = select(READINGS.c.device, READINGS.c.unit, hour).where(READINGS.c.at >= since)
            for device, unit, number in await connection.execute(left.distinct()):
                self._dirty.add((device, unit, int(number) * HOUR))

    async def _work_out_hour(self, connection: AsyncConnection, hour: Hour) -> None:
        device, unit, start = hour
        of_unit = select(READINGS.c["values"]).where(
            READINGS.c.device == device, READINGS.c.unit == unit
        )
        within = of_unit.where(
            READINGS.c.at >= start * 1000, READINGS.c.at < (start + HOUR) * 1000
        ).order_by(READINGS.c.at)
        readings = list((await connection.execute(within)).scalars())
        earlier = (
            of_unit.where(READINGS.c.at < start * 1000)
            .order_by(READINGS.c.at.desc())
            .limit(READINGS_BEFORE)
        )
        before = list((await connection.execute(earlier)).scalars())[::-1]
        counters = self._counters(device, unit)
        found = await asyncio.to_thread(of_readings, readings, before, counters)
        await self._put(connection, HOURLY, hour, found)

    def day_of(self, start: int) -> int:
        """Return when the local day of an hour begins."""
        local = datetime.fromtimestamp(start, self._zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return int(midnight.astimezone(UTC).timestamp())

    def _day_after(self, start: int) -> int:
        local = datetime.fromtimestamp(start, self._zone) + timedelta(days=1)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return int(midnight.astimezone(UTC).timestamp())

    async def _work_out_day(self, connection: AsyncConnection, day: Hour) -> None:
        device, unit, start = day
        rows = await connection.execute(
            select(HOURLY)
            .where(
                HOURLY.c.device == device,
                HOURLY.c.unit == unit,
                HOURLY.c.start >= start,
                HOURLY.c.start < self._day_after(start),
            )
            .order_by(HOURLY.c.start)
        )
        hours: dict[str, list[Aggregate]] = {}
        for row in rows.mappings():
            measures = {name: row[name] for name in _MEASURES}
            hours.setdefault(row["field"], []).append(Aggregate(**measures))
        found = {field: of_hours(members) for field, members in hours.items()}
        await self._put(connection, DAILY, day, found)

    async def _put(
        self,
        connection: AsyncConnection,
        table: Table,
        of: Hour,
        found: Mapping[str, Aggregate],
    ) -> None:
        """Write what an hour or a day came to, in place of what was there."""
        if not found:
            return
        device, unit, start = of
        rows: Sequence[dict[str, Any]] = [
            {"device": device, "unit": unit, "start": start, "field": field, **asdict(aggregate)}
            for field, aggregate in found.items()
        ]
        insert = insert_into(self._engine, table)
        statement = insert.on_conflict_do_update(
            index_elements=["device", "unit", "start", "field"],
            set_={name: insert.excluded[name] for name in _MEASURES},
        )
        await connection.execute(statement, rows)

    async def remove_old(self, now: float) -> None:
        """Remove readings and hours that are older than they are kept. `now` is seconds since 1970."""
        async with self._engine.begin() as connection:
            if self._raw_days:
                oldest = int(now - self._raw_days * DAY) * 1000
                await connection.execute(delete(READINGS).where(READINGS.c.at < oldest))
            if self._hourly_days:
                oldest = int(now - self._hourly_days * DAY)
                await connection.execute(delete(HOURLY).where(HOURLY.c.start < oldest))
