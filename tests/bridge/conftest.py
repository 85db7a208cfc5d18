"""Fixtures of the bridge's tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from blupow_bridge.store import rollup, writer
from blupow_bridge.store.store import Store
import pytest

from ..helpers.postgres import PostgresServer, postgres


@pytest.fixture(autouse=True)
def _real_sockets(real_sockets: None) -> None:
    """Let a bridge be reached."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Return a real PostgreSQL server."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server.url


@pytest.fixture
async def store(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    """Return a store in such a database."""
    monkeypatch.setattr(writer, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(rollup, "PAUSE", 3600.0)
    found = make_store(store_url, tmp_path)
    await found.start()
    yield found
    await found.stop()


COUNTERS = {"energy_total": False, "energy_today": True}


def make_store(url: str | None, folder: Path, *, raw_days: int = 0, hourly_days: int = 0) -> Store:
    """Return a store whose days are those of Berlin."""
    return Store(
        url=url,
        folder=folder,
        zone=ZoneInfo("Europe/Berlin"),
        counters=lambda device, unit: COUNTERS,
        raw_days=raw_days,
        hourly_days=hourly_days,
    )
