"""Opens the database, and brings its tables to the newest form."""

from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import Table

MIGRATIONS: Final = Path(__file__).with_name("migrations")
DATABASE_ERRORS: Final = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""What a database that is away, full or locked may raise."""
DATA_CLASSES: Final = frozenset({"22", "23"})
"""Classes of SQLSTATE: data that cannot be held, or breaks a constraint."""
LAST_TRY: Final = 5.0
"""Seconds that what is under way may still take when the bridge stops."""
BUSY_TIMEOUT: Final = 5.0
"""Seconds that SQLite waits for another program that has the file locked."""


class StoreError(Exception):
    """A database that cannot be used as it is; the text says why."""


def open_engine(url: str | None, folder: Path) -> AsyncEngine:
    """Return the engine of a database; None is a file of SQLite in the folder. Raises StoreError."""
    try:
        parsed = make_url(url or f"sqlite:///{folder / 'blupow.db'}")
    except (ArgumentError, ValueError) as err:
        raise StoreError(f"store.url is no database URL: {err}") from err
    if parsed.get_backend_name() == "sqlite":
        engine = create_async_engine(
            parsed.set(drivername="sqlite+aiosqlite"), connect_args={"timeout": BUSY_TIMEOUT}
        )
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        return engine
    if (mode := parsed.query.get("sslmode")) is not None:  # as other programs spell it
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": str(mode)})
    if not 0 < (parsed.port or 5432) < 65_536:
        raise StoreError(f"store.url: {parsed.port} is no port")
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
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, revision)
    except TypeError as err:  # of a parameter that the driver does not know
        raise StoreError(f"store.url cannot be used: {err}") from err


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


def refuses_data(err: BaseException) -> bool:
    """Whether an error is about what was to be written, not about the database."""
    if isinstance(err, StatementError) and not isinstance(err, DBAPIError):
        return True
    state = str(getattr(getattr(err, "orig", None), "sqlstate", None) or "")
    return isinstance(err, DataError | IntegrityError) or state[:2] in DATA_CLASSES


def first_line(err: BaseException) -> str:
    """Return what an error says, as one line for people."""
    lines = str(getattr(err, "orig", None) or err).splitlines()
    return lines[0] if lines else type(err).__name__


def insert_into(engine: AsyncEngine, table: Table) -> Any:
    """Return the INSERT of the database at hand, which knows what to do about rows that are there."""
    if engine.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
