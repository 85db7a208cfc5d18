"""Exports a history to a file: CSV, or Parquet where pyarrow is installed."""

from collections.abc import AsyncIterator, Iterator, Mapping
import csv
import json
from pathlib import Path
from typing import Any, Final

from .engine import StoreError
from .history import History, Query, Resolution

FORMATS: Final = ("csv", "parquet")


async def export(history: History, query: Query, path: Path, kind: str) -> int:
    """Write a history to a file; return how many rows it has. Raises StoreError, OSError."""
    rows = [flat(row, query.answered_by) async for row in _all(history, query)]
    columns = ["at", *sorted({key for row in rows for key in row} - {"at"})]
    if kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    else:
        _write_parquet(path, columns, rows)
    return len(rows)


async def _all(history: History, query: Query) -> AsyncIterator[dict[str, Any]]:
    async for row in history.rows(query):
        yield row


def flat(row: Mapping[str, Any], resolution: Resolution) -> dict[str, Any]:
    """Return a row of a history with a column for each value."""
    return {"at": row["at"], **dict(_columns(row["values"], resolution))}


def _columns(values: Mapping[str, Any], resolution: Resolution) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if resolution is Resolution.RAW:
            yield key, json.dumps(value) if isinstance(value, list) else value
        else:
            for measure, number in value.items():
                if number is not None:
                    yield f"{key}_{measure}", number


def _write_parquet(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as err:
        raise StoreError("Parquet needs pyarrow: pip install 'blupow[parquet]'") from err
    data: dict[str, list[Any]] = {}
    for column in columns:
        cells = [row.get(column) for row in rows]
        kinds = {type(cell) for cell in cells if cell is not None}
        mixed = len(kinds) > 1 and not kinds <= {int, float}
        data[column] = [None if cell is None else str(cell) for cell in cells] if mixed else cells
        if kinds == {int, float}:
            data[column] = [None if cell is None else float(cell) for cell in cells]
    parquet.write_table(pa.table(data), path)
