"""Reads the history of a unit: its readings, or what they come to by hour or day."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
import binascii
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from .tables import DAILY, HOURLY, READINGS

DEFAULT_LIMIT: Final = 1000
LONGEST_PAGE: Final = 5000
RAW_SPAN: Final = timedelta(days=2)
HOUR_SPAN: Final = timedelta(days=92)
"""By itself, a longer span is answered by hours, a still longer one by days."""

type Page = tuple[list[dict[str, Any]], str | None]


class Resolution(StrEnum):
    """How much of the history is in one row."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"


class BadCursor(Exception):
    """A cursor that no answer of this bridge has held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for. `end` itself is not in it; no fields are all of them."""

    device: str
    unit: str
    start: datetime
    end: datetime
    fields: frozenset[str] = frozenset()
    resolution: Resolution | None = None
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None

    @property
    def answered_by(self) -> Resolution:
        """The resolution, by the length of the span where none is asked for."""
        if self.resolution is not None:
            return self.resolution
        span = self.end - self.start
        if span <= RAW_SPAN:
            return Resolution.RAW
        return Resolution.HOUR if span <= HOUR_SPAN else Resolution.DAY


class History:
    """Answers queries, page by page, the oldest row first."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Read from a database."""
        self._engine = engine

    async def page(self, query: Query) -> Page:
        """Return rows, and the cursor of the next page; None if there is none.

        Raises BadCursor, or one of DATABASE_ERRORS.
        """
        if query.answered_by is Resolution.RAW:
            return await self._readings(query)
        return await self._aggregates(query)

    async def rows(self, query: Query) -> AsyncIterator[dict[str, Any]]:
        """Go through all rows. Raises one of DATABASE_ERRORS."""
        cursor: str | None = None
        while True:
            page, cursor = await self.page(
                Query(
                    device=query.device,
                    unit=query.unit,
                    start=query.start,
                    end=query.end,
                    fields=query.fields,
                    resolution=query.answered_by,
                    limit=LONGEST_PAGE,
                    cursor=cursor,
                )
            )
            for row in page:
                yield row
            if cursor is None:
                return

    async def _readings(self, query: Query) -> Page:
        first = max(_milliseconds(query.start), _after(query.cursor))
        statement = (
            select(READINGS.c.at, READINGS.c["values"])
            .where(
                READINGS.c.device == query.device,
                READINGS.c.unit == query.unit,
                READINGS.c.at >= first,
                READINGS.c.at < _milliseconds(query.end),
            )
            .order_by(READINGS.c.at)
            .limit(query.limit + 1)
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(statement)).all()
        rows = [
            {"at": _moment(at / 1000), "values": _chosen(values, query.fields)}
            for at, values in found[: query.limit]
        ]
        return rows, _cursor(found[query.limit][0]) if len(found) > query.limit else None

    async def _aggregates(self, query: Query) -> Page:
        table = HOURLY if query.answered_by is Resolution.HOUR else DAILY
        first = max(-(-_milliseconds(query.start) // 1000), _after(query.cursor))
        of_unit = (
            table.c.device == query.device,
            table.c.unit == query.unit,
            table.c.start >= first,
            table.c.start < -(-_milliseconds(query.end) // 1000),
            *([table.c.field.in_(query.fields)] if query.fields else []),
        )
        starts = (
            select(table.c.start)
            .where(*of_unit)
            .distinct()
            .order_by(table.c.start)
            .limit(query.limit + 1)
        )
        async with self._engine.connect() as connection:
            found: Sequence[int] = (await connection.execute(starts)).scalars().all()
            if not found:
                return [], None
            shown = found[: query.limit]
            statement = (
                select(table)
                .where(*of_unit, table.c.start <= shown[-1])
                .order_by(table.c.start, table.c.field)
            )
            by_start: dict[int, dict[str, Any]] = {start: {} for start in shown}
            for row in (await connection.execute(statement)).mappings():
                by_start[row["start"]][row["field"]] = {
                    name: row[name] for name in ("min", "mean", "max", "last", "samples", "added")
                }
        rows = [{"at": _moment(start), "values": values} for start, values in by_start.items()]
        return rows, _cursor(found[query.limit]) if len(found) > query.limit else None


def _chosen(values: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not fields or key in fields}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _cursor(position: int) -> str:
    return urlsafe_b64encode(str(position).encode()).decode()


def _after(cursor: str | None) -> int:
    """Return where a page begins. Raises BadCursor."""
    if cursor is None:
        return -(2**62)
    try:
        position = int(urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, binascii.Error) as err:
        raise BadCursor from err
    if abs(position) >= 2**62:
        raise BadCursor
    return position
