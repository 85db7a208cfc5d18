"""Fixtures of the bridge's tests."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from blupow_bridge.config import Config
from blupow_bridge.http.app import WebServer
from blupow_bridge.http.auth import Token
from blupow_bridge.hub import Hub
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


DEVICES = (
    {"name": "Inverter", "virtual": True, "profile": "inverter", "allow_changes": True},
    {"name": "Battery", "virtual": True, "profile": "battery"},
)


@dataclass
class Served:
    """A bridge that serves in this process."""

    hub: Hub
    token: Token
    secret: str
    port: int
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def ask(
        self, method: str, path: str, *, token: str | None = "", **options: Any
    ) -> tuple[int, Any]:
        """Return the status and the JSON of an answer; `token` None sends none."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.secret}"
        async with self.session.request(
            method, f"{self.url}{path}", headers=headers, **options
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, json.loads(text) if is_json else text

    def socket(self, query: str = "", **options: Any) -> Any:
        """Open the WebSocket."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        return self.session.ws_connect(f"{self.url}/api/v1/ws{query}", headers=headers, **options)

    async def wait_read(self) -> None:
        """Wait until each device was read, as the model that it is."""
        async with asyncio.timeout(60):
            while not all(
                device.supervisor.link.snapshot and device.supervisor.own.model
                for device in self.hub.devices.values()
            ):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def serve(
    folder: Path, devices: Sequence[Any] = DEVICES, **sections: Any
) -> AsyncIterator[Served]:
    """Serve virtual devices that are read once."""
    config = Config(
        name="Van",
        data=folder / "data",
        devices=tuple({"update_interval": 3600, **device} for device in devices),  # type: ignore[arg-type]
        **{"http": {"port": 0, "requests_per_minute": 100_000}, **sections},
    )
    hub = Hub(config)
    token = Token(config.data)
    secret = token.make()
    server = WebServer(hub, token, config.http)
    await hub.start()
    port = await server.start()
    await hub.store.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            yield Served(hub, token, secret, port, session)
    finally:
        await server.stop()
        await hub.stop()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Return a bridge whose two virtual devices were read."""
    async with serve(tmp_path) as found:
        await found.wait_read()
        yield found
