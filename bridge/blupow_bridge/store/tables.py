"""The tables, as the newest migration leaves them."""

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, MetaData, String, Table

METADATA: Final = MetaData()

READINGS: Final = Table(
    "readings",
    METADATA,
    Column("device", String(64), primary_key=True),
    Column("unit", String(64), primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("values", JSON, nullable=False),
    Index("readings_at", "at"),
    sqlite_with_rowid=False,
)
"""Fresh readings of each unit. `at` is milliseconds since 1970, UTC: a reading cannot be there twice."""


def _aggregates(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("device", String(64), primary_key=True),
        Column("unit", String(64), primary_key=True),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        Column("field", String(64), primary_key=True),
        Column("min", Float, nullable=False),
        Column("mean", Float, nullable=False),
        Column("max", Float, nullable=False),
        Column("last", Float, nullable=False),
        Column("samples", Integer, nullable=False),
        Column("added", Float),
        sqlite_with_rowid=False,
    )


HOURLY: Final = _aggregates("hourly")
"""`start` is seconds since 1970, UTC; `added` is what a counter has counted, null for other fields."""
DAILY: Final = _aggregates("daily")
"""As HOURLY, by the days of the bridge's time zone."""
