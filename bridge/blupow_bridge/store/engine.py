"""Opens the database, and brings its tables to the newest form."""

from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import Table

MIGRATIONS: Final = Path(__file__).with_name("migrations")
DATABASE_ERRORS: Final = (SQLAlchemyError, OSError, TimeoutError)
"""What a database that is away, full or locked may raise."""
BUSY_TIMEOUT: Final = 5.0
"""Seconds that SQLite waits for another program that has the file locked."""


class StoreError(Exception):
    """A database that cannot be used as it is; the text says why."""


def open_engine(url: str | None, folder: Path) -> AsyncEngine:
    """Return the engine of a database; None is a file of SQLite in the folder. Raises StoreError."""
    try:
        parsed = make_url(url or f"sqlite:///{folder / 'blupow.db'}")
    except ArgumentError as err:
        raise StoreError(f"store.url is no database URL: {err}") from err
    if parsed.get_backend_name() == "sqlite":
        engine = create_async_engine(
            parsed.set(drivername="sqlite+aiosqlite"), connect_args={"timeout": BUSY_TIMEOUT}
        )
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        return engine
    return create_async_engine(
        parsed.set(drivername="postgresql+asyncpg"),
        pool_pre_ping=True,
        pool_size=5,
        connect_args={"timeout": 10, "command_timeout": 60},
    )


def _set_pragmas(connection: Any, _: object) -> None:
    """Have readers not wait for writers, and lose nothing but the last moment in a power cut."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def alembic_config(connection: Connection | None = None) -> AlembicConfig:
    """Return the configuration of the migrations."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def migrate(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the tables to a revision. Raises StoreError, or one of DATABASE_ERRORS."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, revision)


def _upgrade(connection: Connection, revision: str) -> None:
    config = alembic_config(connection)
    current = MigrationContext.configure(connection).get_current_revision()
    known = {item.revision for item in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            f"the database was made by a newer release of the bridge (revision {current}); "
            "install that release, or take another database"
        )
    command.upgrade(config, revision)


def insert_into(engine: AsyncEngine, table: Table) -> Any:
    """Return the INSERT of the database at hand, which knows what to do about rows that are there."""
    if engine.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
