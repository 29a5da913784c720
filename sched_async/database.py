"""The engines, the request's ``db``, and units of work outside a request.

Views reach the request's session as ``db`` and commit it themselves, as the last thing
before they answer.  On GET, HEAD and OPTIONS it cannot write: the database itself
refuses.  What was not committed is rolled back when the request ends.

A statement that is whole by itself, and on the way of every page, is built once and goes
to ``fetch``: no session, no objects, no transaction.  What asks twice asks ``db``, whose
transaction sees one state of the database.
"""

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from quart import Quart, current_app, has_request_context, request
from sqlalchemy import CompoundSelect, Connection, Dialect, Executable, Row, Select, event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, make_transient_to_detached
from sqlalchemy.pool import NullPool, QueuePool
from werkzeug.local import LocalProxy

from . import migrations, sqlite
from .errors import StartupError
from .request_scope import storage

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
GIVEN_BACK_WITHIN = 1  # seconds
WAIT = 10  # seconds for a connection from the pool
NONE_YET = (
    "{} has not been created yet. Give this command the settings that the server has, or create "
    "it: sched-async db upgrade"
)
POSTGRESQL_LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
}


Model = TypeVar("Model", bound=DeclarativeBase)


class Database:
    """The engines of one app and the sessions they give."""

    def __init__(self, url: URL) -> None:
        is_sqlite = url.get_backend_name() == "sqlite"
        engines = sqlite.engines if is_sqlite else _postgresql_engines
        self.write_engine, self.read_engine = engines(url, WAIT)
        self.readers = sqlite.Readers(url, WAIT) if is_sqlite else PostgresqlReaders(url, WAIT)
        self.writing = async_sessionmaker(self.write_engine, expire_on_commit=False)
        self.reading = async_sessionmaker(self.read_engine, expire_on_commit=False)

    async def close(self) -> None:
        await self.readers.close()
        for engine in (self.read_engine, self.write_engine):
            await _given_back(engine)
            await engine.dispose()


async def _given_back(engine: AsyncEngine) -> None:
    """What goes on after its request was cancelled may still have one."""
    pool = cast(QueuePool, engine.pool)
    with suppress(TimeoutError):
        async with asyncio.timeout(GIVEN_BACK_WITHIN):
            while pool.checkedout():  # noqa: ASYNC110 (no event comes after its return)
                await asyncio.sleep(0.001)


def begin() -> AbstractAsyncContextManager[AsyncSession]:
    """A writing unit of work outside a request, or beside one; commits at its end."""
    return _database().writing.begin()


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncSession]:
    """A session that can only read, for a query beside the request's own work."""
    async with _database().reading() as session:
        yield session


async def fetch(
    statement: Select[Any] | CompoundSelect[Any], **parameters: Any
) -> Sequence[Row[Any]]:
    """All rows of one statement that reads; it sees a state of the database of its own.

    Build the statement once, with ``bindparam``, so that SQLAlchemy keeps what it makes of
    it.  A list of fifty takes 0.6 ms of the processor, and took 2.3 in a session.
    """
    return await _database().readers.fetch(statement, parameters)


def detached(model: type[Model], values: Sequence[Any]) -> Model:
    """An object of a fetched row's columns, as if its session were closed: it cannot be saved."""
    instance = model()
    vars(instance).update(zip(model.__table__.columns.keys(), values, strict=True))
    make_transient_to_detached(instance)
    return instance


def _request_db() -> AsyncSession:
    bound = storage()
    if "db" not in bound:
        writes = has_request_context() and request.method not in SAFE_METHODS
        bound["db"] = _database().writing() if writes else _database().reading()
    return cast(AsyncSession, bound["db"])


db = cast(AsyncSession, LocalProxy(_request_db))
"""The session of the current request, opened by its first use."""


def _database() -> Database:
    return cast(Database, current_app.extensions["database"])


def init_app(app: Quart) -> None:
    @app.teardown_request
    @app.teardown_websocket
    async def close_session(error: BaseException | None) -> None:
        session = storage().pop("db", None)
        if session is not None:
            await session.close()


@asynccontextmanager
async def opened(app: Quart) -> AsyncIterator[Database]:
    """The app's database, migrated to the newest schema, for as long as it is needed."""
    url: URL = app.config["DATABASE_URL"]
    await upgrade(url)
    database = app.extensions["database"] = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def upgrade(url: URL | str) -> None:
    """Migrate to the newest schema; when two try at once, one waits for the other.

    Raises StartupError when the database cannot be reached, is none, or was made by a
    newer version.
    """
    async with migrating(url) as connection:
        await connection.run_sync(migrations.upgrade)


async def refuse_missing(url: URL) -> None:
    """Raise StartupError if there is no database yet, as when the settings are missing."""
    refuse_missing_file(url)
    async with migrating(url) as connection:
        if not await connection.run_sync(migrations.is_made):
            raise StartupError(NONE_YET.format(describe(url)))


def refuse_missing_file(url: URL) -> None:
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise StartupError(NONE_YET.format(describe(url)))


@asynccontextmanager
async def migrating(url: URL | str) -> AsyncIterator[Any]:
    """One connection in one transaction that no other migration can enter.

    On SQLite without foreign keys: to rebuild a table there is to drop it, and with them
    that would delete all that refers to it.  Inside a transaction the pragma does nothing.
    """
    url = make_url(url)
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    if url.get_backend_name() == "sqlite":
        sqlite.use(engine, "BEGIN IMMEDIATE", "foreign_keys=OFF")
    try:
        async with _alone(url), engine.begin() as connection:
            if url.get_backend_name() == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(8270)"))
            yield connection
    except migrations.UnknownRevisionError as error:
        raise StartupError(
            f"{describe(url)} was created by a newer version of sched_async."
        ) from error
    except migrations.OrphansError as error:
        raise StartupError(f"{describe(url)} cannot be used: {error}.") from error
    except (DBAPIError, sqlite3.Error, OSError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise StartupError(f"{describe(url)} cannot be used: {reason}.") from error
    finally:
        await engine.dispose()


@asynccontextmanager
async def _alone(url: URL) -> AsyncIterator[None]:
    """Hold a lock beside a SQLite file: to make it one of WAL, SQLite itself does not wait."""
    if url.get_backend_name() != "sqlite":
        yield
        return
    with await asyncio.to_thread(Path(f"{url.database}.migrating").open, "w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        # Where this fails, aiosqlite would leave a thread that outlives the event loop.
        sqlite3.connect(url.database or "", uri=True).close()
        yield


def describe(url: URL) -> str:
    """A database's name for people, without its password."""
    return f"The database {url.database if url.get_backend_name() == 'sqlite' else url}"


class PostgresqlReaders:
    """A few connections for single statements that read, without BEGIN and ROLLBACK."""

    def __init__(self, url: URL, wait: int) -> None:
        self.engine = _postgresql_engine(
            url,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
            pool_size=5,
            max_overflow=0,
            pool_timeout=wait,
        )

        @event.listens_for(self.engine.sync_engine, "connect")
        def only_read(connection: Any, record: object) -> None:
            cursor = connection.cursor()
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            cursor.close()

    async def fetch(self, statement: Executable, parameters: Any) -> Sequence[Row[Any]]:
        async with self.engine.connect() as connection:
            return (await connection.execute(statement, parameters)).all()

    async def close(self) -> None:
        await self.engine.dispose()


def _postgresql_engines(url: URL, wait: int) -> tuple[AsyncEngine, AsyncEngine]:
    engine = _postgresql_engine(url, pool_size=10, max_overflow=5, pool_timeout=wait)
    return engine, engine.execution_options(postgresql_readonly=True)


def _postgresql_engine(url: URL, **pool: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_pre_ping=True,
        pool_recycle=300,
        hide_parameters=True,
        connect_args={
            "timeout": 3,
            "command_timeout": 6,
            "server_settings": POSTGRESQL_LIMITS,
            "target_session_attrs": "read-write",
        },
        **pool,
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Dialect, record: object, arguments: Any, options: Any) -> Any:
        try:
            return dialect.connect(*arguments, **options)
        except OSError as error:  # no such name, no way there: each system has its own
            raise ConnectionError(str(error)) from error

    @event.listens_for(engine.sync_engine, "handle_error")
    def leave_a_demoted_server(context: ExceptionContext) -> None:
        demoted = getattr(context.original_exception, "sqlstate", None) == "25006"
        if demoted and _writes(context.connection):
            context.is_disconnect = True

    return engine


def _writes(connection: Connection | None) -> bool:
    options = connection.get_execution_options() if connection is not None else {}
    return not options.get("postgresql_readonly")
