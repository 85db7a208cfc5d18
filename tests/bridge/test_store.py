"""The store on real databases: nothing is lost or doubled, whatever the database does."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import shutil
import sqlite3
from typing import Any
from zoneinfo import ZoneInfo

from blupow_bridge.store import rollup as rollup_module, writer as writer_module
from blupow_bridge.store.engine import StoreError, migrate, open_engine
from blupow_bridge.store.export import export
from blupow_bridge.store.history import BadCursor, Query, Resolution
from blupow_bridge.store.store import SPOOL, Store
from blupow_bridge.store.tables import DAILY, HOURLY, READINGS
from blupow_bridge.store.writer import Row
from pyarrow import parquet
import pytest
from sqlalchemy import event, func, select

from ..helpers.postgres import PostgresServer
from .conftest import make_store

START = datetime(2026, 11, 20, 10, tzinfo=UTC)


def row(at: datetime, device: str = "a", unit: str = "", **values: object) -> Row:
    """Return a reading."""
    return Row(device, unit, int(at.timestamp() * 1000), dict(values))  # type: ignore[arg-type]


def rows(count: int, *, every: float = 60.0, start: datetime = START) -> list[Row]:
    """Return readings of a battery that charges."""
    return [
        row(
            start + timedelta(seconds=every * number),
            power=float(number % 10),
            energy_total=1000.0 + number,
            state="charging",
        )
        for number in range(count)
    ]


async def written(store: Store) -> None:
    """Wait until everything was written."""
    async with asyncio.timeout(30):
        while store.writer.waiting:
            await asyncio.sleep(0.01)


async def count(store: Store) -> int:
    """Return how many readings are stored."""
    async with store.engine.connect() as connection:
        found = await connection.execute(select(func.count()).select_from(READINGS))
        return int(found.scalar_one())


def query(**changes: object) -> Query:
    """Return a query for a day."""
    known: dict[str, object] = {
        "device": "a",
        "unit": "",
        "start": START - timedelta(hours=12),
        "end": START + timedelta(hours=12),
    }
    return Query(**(known | changes))  # type: ignore[arg-type]


async def test_readings_come_back(store: Store) -> None:
    """In their order, page by page, each once; only the fields that are asked for."""
    store.add(rows(25))
    store.add([row(START, device="b", power=1), row(START, unit="49", power=2)])
    await written(store)
    page, cursor = await store.history.page(query(limit=20))
    assert len(page) == 20
    assert page[0] == {
        "at": "2026-11-20T10:00:00.000+00:00",
        "values": {"power": 0.0, "energy_total": 1000.0, "state": "charging"},
    }
    rest, end = await store.history.page(
        query(limit=20, cursor=cursor, fields=frozenset({"power"}))
    )
    assert [item["values"] for item in rest] == [{"power": float(n % 10)} for n in range(20, 25)]
    assert end is None
    (other,), _ = await store.history.page(query(unit="49"))
    assert other["values"] == {"power": 2}
    assert [item async for item in store.history.rows(query())] == page + (
        await store.history.page(query(limit=20, cursor=cursor))
    )[0]


async def test_end_is_not_in_it(store: Store) -> None:
    """A span and the one after it share no reading."""
    store.add(rows(3))
    await written(store)
    middle = START + timedelta(seconds=60)
    first, _ = await store.history.page(query(end=middle))
    second, _ = await store.history.page(query(start=middle))
    assert (len(first), len(second)) == (1, 2)


@pytest.mark.parametrize("cursor", ["", "x", "????", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "é"])
async def test_cursor_that_is_none(store: Store, cursor: str) -> None:
    """It is refused."""
    with pytest.raises(BadCursor):
        await store.history.page(query(cursor=cursor))


async def test_same_reading_twice(store: Store) -> None:
    """A reading that is written again, after an answer was lost, is there once."""
    store.add(rows(5))
    store.add(rows(7))
    await written(store)
    assert await count(store) == 7


async def test_hours_and_days(store: Store) -> None:
    """What the readings come to; a local day begins at its own midnight."""
    midnight = datetime(2026, 11, 20, 23, tzinfo=UTC)  # in Berlin
    store.add(
        [
            row(midnight - timedelta(minutes=90), power=100, energy_total=10.0, energy_today=8.0),
            row(midnight - timedelta(minutes=30), power=200, energy_total=11.0, energy_today=9.0),
            row(midnight + timedelta(minutes=10), power=300, energy_total=13.0, energy_today=0.5),
            row(midnight + timedelta(minutes=70), power=500, energy_total=14.0, energy_today=1.5),
        ]
    )
    await written(store)
    await store.round()
    span = {"start": midnight - timedelta(days=2), "end": midnight + timedelta(days=2)}
    hours, _ = await store.history.page(query(resolution=Resolution.HOUR, **span))
    assert [hour["at"][:13] for hour in hours] == [
        "2026-11-20T21",
        "2026-11-20T22",
        "2026-11-20T23",
        "2026-11-21T00",
    ]
    assert hours[2]["values"]["power"] == {
        "min": 300,
        "mean": 300,
        "max": 300,
        "last": 300,
        "samples": 1,
        "added": None,
    }
    assert [hour["values"]["energy_total"]["added"] for hour in hours] == [0, 1, 2, 1]
    assert [hour["values"]["energy_today"]["added"] for hour in hours] == [0, 1, 0.5, 1]
    days, cursor = await store.history.page(
        query(resolution=Resolution.DAY, fields=frozenset({"power", "energy_total"}), **span)
    )
    assert cursor is None
    assert [day["at"] for day in days] == [
        "2026-11-19T23:00:00.000+00:00",
        "2026-11-20T23:00:00.000+00:00",
    ]
    assert days[1]["values"]["power"]["mean"] == 400
    assert [day["values"]["energy_total"]["added"] for day in days] == [1, 3]


async def test_hours_are_worked_out_again(store: Store) -> None:
    """A late reading of an hour changes it; nothing is counted twice."""
    store.add([row(START, power=1, energy_total=5.0), row(START + timedelta(minutes=2), power=3)])
    await written(store)
    await store.round()
    await store.round()
    store.add([row(START + timedelta(minutes=1), power=8, energy_total=6.0)])
    await written(store)
    await store.round()
    (hour,), _ = await store.history.page(query(resolution=Resolution.HOUR))
    assert (hour["values"]["power"]["mean"], hour["values"]["power"]["samples"]) == (4, 3)
    assert hour["values"]["energy_total"]["added"] == 1


async def test_pages_of_hours(store: Store) -> None:
    """A page holds whole hours."""
    store.add(rows(5, every=3600))
    await written(store)
    await store.round()
    first, cursor = await store.history.page(query(resolution=Resolution.HOUR, limit=3))
    second, end = await store.history.page(
        query(resolution=Resolution.HOUR, limit=3, cursor=cursor)
    )
    assert (len(first), len(second), end) == (3, 2, None)
    assert {tuple(hour["values"]) for hour in first + second} == {("energy_total", "power")}


@pytest.mark.parametrize(
    ("days", "resolution"), [(2, Resolution.RAW), (3, Resolution.HOUR), (93, Resolution.DAY)]
)
def test_resolution_by_span(days: int, resolution: Resolution) -> None:
    """The longer the span, the more is in one row."""
    assert query(start=START, end=START + timedelta(days=days)).answered_by is resolution


async def test_retention(store: Store, store_url: str, tmp_path: Path) -> None:
    """What is older than it is kept goes; hours outlive their readings."""
    store.add([*rows(3), *rows(3, start=START - timedelta(days=3))])
    await written(store)
    await store.round()
    await store._rollup.remove_old(START.timestamp())
    assert await count(store) == 6
    keeping = make_store(store_url, tmp_path, raw_days=2)
    await keeping._rollup.remove_old(START.timestamp())
    assert await count(store) == 3
    hours, _ = await store.history.page(
        query(start=START - timedelta(days=9), resolution=Resolution.HOUR)
    )
    assert len(hours) == 2
    keeping_less = make_store(store_url, tmp_path, hourly_days=2)
    await keeping_less._rollup.remove_old(START.timestamp())
    hours, _ = await store.history.page(
        query(start=START - timedelta(days=9), resolution=Resolution.HOUR)
    )
    assert len(hours) == 1
    days, _ = await store.history.page(
        query(start=START - timedelta(days=9), resolution=Resolution.DAY)
    )
    assert len(days) == 2
    for other in (keeping, keeping_less):
        await other.engine.dispose()


async def test_rollup_goes_on_after_a_crash(store_url: str, tmp_path: Path) -> None:
    """Hours that were not worked out before the bridge died are found at its next start."""
    before = make_store(store_url, tmp_path)
    await migrate(before.engine)
    await before.writer.write(rows(130))
    await before.engine.dispose()
    after = make_store(store_url, tmp_path)
    await after.start()
    async with asyncio.timeout(30):
        while True:
            hours, _ = await after.history.page(query(resolution=Resolution.HOUR))
            if len(hours) == 3:
                break
            await asyncio.sleep(0.01)
    await after.stop()
    assert [hour["values"]["power"]["samples"] for hour in hours] == [60, 60, 10]


async def test_server_that_goes_and_comes(
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Readings wait in order while it is away, and are all there afterwards, once."""
    monkeypatch.setattr(writer_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(writer_module, "LONGEST_PAUSE", 0.1)
    postgres_server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    store = make_store(postgres_server.url, tmp_path)
    await store.start()
    all_rows = rows(40)
    store.add(all_rows[:10])
    await written(store)
    await asyncio.to_thread(postgres_server.stop)
    for item in all_rows[10:30]:
        store.add([item])
    async with asyncio.timeout(30):
        while store.writer.problem is None:
            await asyncio.sleep(0.01)
    assert store.writer.waiting == 20
    await asyncio.to_thread(postgres_server.start)
    store.add(all_rows[30:])
    await written(store)
    assert (store.writer.problem, store.writer.lost, store.writer.written) == (None, 0, 40)
    page, _ = await store.history.page(query())
    assert [item["values"]["energy_total"] for item in page] == [1000.0 + n for n in range(40)]
    lines = [line for line in caplog.messages if line.startswith("[store]")]
    assert len(lines) == 1
    assert lines[0].startswith("[store] the database takes nothing, readings wait: ")
    await store.stop()


async def test_server_that_comes_later(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridge that starts before its database reads all the same, and writes when it is there."""
    monkeypatch.setattr("blupow_bridge.store.store.FIRST_PAUSE", 0.01)
    postgres_server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await asyncio.to_thread(postgres_server.stop)
    store = make_store(postgres_server.url, tmp_path)
    try:
        await store.start()
        assert not store.ready
        assert store.writer.problem is not None
        store.add(rows(3))
        assert store.writer.waiting == 3
    finally:
        await asyncio.to_thread(postgres_server.start)
    await written(store)
    assert (store.ready, store.writer.problem, await count(store)) == (True, None, 3)
    await store.stop()


async def test_server_that_stays_away(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """What could not be written before the bridge stops is written after its next start."""
    postgres_server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    store = make_store(postgres_server.url, tmp_path)
    await asyncio.to_thread(postgres_server.stop)
    try:
        await store.start()
        store.add(rows(3))
        await store.stop()
        kept = [json.loads(line) for line in (tmp_path / SPOOL).read_text().splitlines()]
        assert [item["values"]["energy_total"] for item in kept] == [1000.0, 1001.0, 1002.0]
        again = make_store(postgres_server.url, tmp_path)
        await again.start()
        again.add(rows(1, start=START + timedelta(hours=1)))
        assert again.writer.waiting == 4
        await again.stop()
    finally:
        await asyncio.to_thread(postgres_server.start)
    last = make_store(postgres_server.url, tmp_path)
    await last.start()
    await written(last)
    assert await count(last) == 4
    assert not (tmp_path / SPOOL).exists()
    await last.stop()


async def test_spool_of_another_shape(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line that is no reading is told, the others are written."""
    good = {"device": "a", "unit": "", "at": 1, "values": {"x": 1}}
    lines = [json.dumps(good), "{", '{"device": 1}', json.dumps(good | {"values": {"x": {}}})]
    (tmp_path / SPOOL).write_text("\n".join(lines))
    store = make_store(None, tmp_path)
    await store.start()
    await written(store)
    assert await count(store) == 1
    await store.stop()
    assert sum("is no reading" in line for line in caplog.messages) == 3


async def test_file_that_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program has it: readings wait, and are written when it lets go."""
    monkeypatch.setattr(writer_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr("blupow_bridge.store.engine.BUSY_TIMEOUT", 0.05)
    store = make_store(None, tmp_path)
    await store.start()
    other = sqlite3.connect(tmp_path / "blupow.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.add(rows(3))
    async with asyncio.timeout(30):
        while store.writer.problem is None:
            await asyncio.sleep(0.01)
    assert store.writer.problem == "database is locked"
    other.execute("ROLLBACK")
    other.close()
    await written(store)
    assert (await count(store), store.writer.problem) == (3, None)
    await store.stop()


async def test_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Up to 10,000 readings wait; then the oldest are lost, counted, and told once."""
    monkeypatch.setattr(writer_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(writer_module, "MOST_WAITING", 50)
    store = make_store(None, tmp_path)
    limit = 1_000_000

    def limited(connection: Any, *_: object) -> None:
        """Give each connection as many pages as the disk has room for."""
        connection.cursor().execute(f"PRAGMA max_page_count={limit}")

    event.listen(store.engine.sync_engine, "checkout", limited)
    await store.start()
    limit = 1
    store.add([row(START, power=1, state="x" * 100_000)])
    async with asyncio.timeout(30):
        while store.writer.problem is None:
            await asyncio.sleep(0.01)
    assert store.writer.problem == "database or disk is full"
    store.add(rows(55, start=START + timedelta(hours=1)))
    assert (store.writer.waiting, store.writer.lost) == (50, 6)
    limit = 1_000_000
    await written(store)
    assert await count(store) == 50
    page, _ = await store.history.page(query())
    assert page[0]["values"]["energy_total"] == 1005.0
    assert sum("the oldest are lost" in line for line in caplog.messages) == 1
    await store.stop()


async def test_reading_that_is_refused(
    postgres_server: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that the database cannot hold is left out and told; the others are written."""
    postgres_server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    store = make_store(postgres_server.url, tmp_path)
    await store.start()
    store.add([row(START, power=1), Row("a" * 100, "", 5, {}), row(START, unit="2", power=2)])
    await written(store)
    assert (await count(store), store.writer.lost, store.writer.problem) == (2, 1, None)
    await store.stop()
    assert sum("refuses a reading" in line for line in caplog.messages) == 1


async def test_export(store: Store, tmp_path: Path) -> None:
    """To CSV and to Parquet, with a column for each value."""
    store.add([*rows(3), row(START + timedelta(hours=1), faults=["a", "b"], power=5)])
    await written(store)
    await store.round()
    path = tmp_path / "out.csv"
    assert await export(store.history, query(resolution=Resolution.RAW), path, "csv") == 4
    lines = path.read_text().splitlines()
    assert lines[0] == "at,energy_total,faults,power,state"
    assert lines[1] == "2026-11-20T10:00:00.000+00:00,1000.0,,0.0,charging"
    assert lines[4] == '2026-11-20T11:00:00.000+00:00,,"[""a"", ""b""]",5,'
    table = tmp_path / "out.parquet"
    assert await export(store.history, query(resolution=Resolution.RAW), table, "parquet") == 4
    assert parquet.read_table(table).to_pydict()["power"] == [0.0, 1.0, 2.0, 5.0]
    assert await export(store.history, query(resolution=Resolution.HOUR), path, "csv") == 2
    assert "power_mean" in path.read_text().splitlines()[0]


async def test_migrations_up_and_down(store_url: str, tmp_path: Path) -> None:
    """From nothing and from an older store: the readings stay, hours are worked out from them."""
    from alembic import command
    from blupow_bridge.store.engine import alembic_config

    engine = open_engine(store_url, tmp_path)
    await migrate(engine, "0001")
    old = make_store(store_url, tmp_path)
    await old.writer.write(rows(61))
    await old.engine.dispose()
    new = make_store(store_url, tmp_path)
    await new.start()
    async with asyncio.timeout(30):
        while len((await new.history.page(query(resolution=Resolution.HOUR)))[0]) < 2:
            await asyncio.sleep(0.01)
    await new.stop()
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
    async with engine.begin() as connection:
        assert (await connection.execute(select(func.count()).select_from(READINGS))).scalar() == 61
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
    await migrate(engine)
    async with engine.connect() as connection:
        for table in (READINGS, HOURLY, DAILY):
            found = await connection.execute(select(func.count()).select_from(table))
            assert found.scalar() == 0
    await engine.dispose()


async def test_migrations_are_the_tables(store_url: str, tmp_path: Path) -> None:
    """What the migrations make is what the program believes to be there."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext
    from blupow_bridge.store.tables import METADATA

    engine = open_engine(store_url, tmp_path)
    await migrate(engine)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), METADATA)
        )
    assert differences == []
    await engine.dispose()


async def test_store_of_a_newer_release(store_url: str, tmp_path: Path) -> None:
    """It is left alone, and the sentence says what to do."""
    engine = open_engine(store_url, tmp_path)
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store = make_store(store_url, tmp_path)
    with pytest.raises(StoreError, match=r"newer release of the bridge \(revision 9999\)"):
        await store.start()
    await store.engine.dispose()
    await engine.dispose()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Apia", "UTC"])
def test_days_cover_all_hours(zone: str, tmp_path: Path) -> None:
    """Each hour of a year is in one local day, also where clocks change."""
    engine = open_engine(None, tmp_path)
    rollup = rollup_module.Rollup(
        engine, zone=ZoneInfo(zone), counters=lambda *_: {}, raw_days=0, hourly_days=0
    )
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    hours: dict[int, int] = {}
    for hour in range(start, start + 365 * 86_400, 3600):
        day = rollup.day_of(hour)
        assert day <= hour < rollup._day_after(day)
        hours[day] = hours.get(day, 0) + 1
    lengths = set(list(hours.values())[1:-1])
    assert lengths <= {23, 24, 25}


def test_url_that_is_none(tmp_path: Path) -> None:
    """It is told."""
    with pytest.raises(StoreError, match="no database URL"):
        open_engine("postgresql://host:port/name", tmp_path)


def test_pragmas(tmp_path: Path) -> None:
    """A reader of the file does not wait for the writer."""
    store = make_store(None, tmp_path)

    async def use() -> str:
        await store.start()
        async with store.engine.connect() as connection:
            mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
        await store.stop()
        return str(mode)

    assert asyncio.run(use()) == "wal"
    assert shutil.disk_usage(tmp_path).free > 0
