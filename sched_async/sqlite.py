"""SQLite's connections: what each is told first, and one trip to its thread a statement.

There is one connection that writes, every transaction of which is BEGIN IMMEDIATE, and a
few that can only read.  Nothing else keeps both "database is locked" and lost updates away.

Each connection has a thread.  SQLAlchemy's adapter goes there four times for a statement
(cursor, execute, fetch, close) and once more for BEGIN; ours goes once for all of them: 0.13
ms of the processor for a row by its key instead of 0.21, and as much less for BEGIN.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiosqlite
from sqlalchemy import Connection, Dialect, Engine, Executable, Row, create_engine, event
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import await_

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=5000",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
)
READERS = 4
AT_ONCE = 0.003  # seconds of the processor; a busy machine is no reason to begin anew


class OneTripCursor(AsyncAdapt_aiosqlite_cursor):
    """Runs a statement and fetches all its rows in one go."""

    __slots__ = ("_found",)
    _adapt_connection: "OneTripConnection"

    def __init__(self, connection: "OneTripConnection") -> None:
        self._adapt_connection = connection
        self._rows: deque[Any] = deque()
        self._found: Any = None

    @property
    def description(self) -> Any:
        return self._found.description

    @property
    def rowcount(self) -> int:
        return int(self._found.rowcount)

    @property
    def lastrowid(self) -> int:
        return int(self._found.lastrowid)

    def execute(self, operation: Any, parameters: Any = None) -> Any:
        self._go("execute", operation, parameters or ())

    def executemany(self, operation: Any, seq_of_parameters: Any) -> Any:
        self._go("executemany", operation, seq_of_parameters)

    def _go(self, how: str, *statement: Any) -> None:
        connection = self._adapt_connection

        def run(raw: sqlite3.Connection) -> tuple[sqlite3.Cursor, Sequence[Any]]:
            if connection.begin_first is not None:
                raw.rollback()  # nothing, unless the last one went wrong unseen
                raw.execute(connection.begin_first)
                connection.begin_first = None
            cursor = getattr(raw, how)(*statement)
            return cursor, cursor.fetchall() if cursor.description else ()

        self._found, rows = connection.run(run)
        self._rows = deque(rows)

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """There is nothing left to fetch."""


class OneTripConnection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ("begin_first",)
    _cursor_cls = OneTripCursor  # type: ignore[assignment]

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self.begin_first: str | None = None
        """What begins the transaction, once there is a statement in it."""

    def cursor(self, server_side: bool = False) -> Any:
        if server_side:
            raise NotImplementedError("all rows of a statement are fetched at once")
        return super().cursor()

    def run(self, work: Any) -> Any:
        """The result of ``work``, which gets Python's own connection in its thread."""
        try:
            return await_(self._connection._execute(work, self._connection._conn))
        except Exception as error:
            self._handle_exception(error)

    def rollback(self) -> None:
        """Done before whatever comes next, which need not wait for it."""
        if self.begin_first is None and self._connection._connection:
            self._connection._tx.put_nowait((None, self._connection._conn.rollback))
        self.begin_first = None

    def commit(self) -> None:
        if self.begin_first is None:
            super().commit()
        self.begin_first = None


class Readers:
    """Runs single statements that read: at once, and in a thread those that take longer.

    Python lets go of its lock for every row, so beside a busy event loop a thread waits up
    to 5 ms for each of fifty; to read them here takes 0.2 ms.  What has not ended after
    AT_ONCE, or finds the file locked, begins anew in one of a few threads: a slow statement
    holds up nobody, and whoever waits for a thread is served in turn.
    """

    def __init__(self, url: URL, wait: int) -> None:
        self.wait = wait
        self.late = 0.0
        self.threads = ThreadPoolExecutor(READERS, thread_name_prefix="reading")
        self.engine = _readers_engine(url, READERS)
        self.quick_engine = _readers_engine(url, 1, "busy_timeout=0")
        self.quick: Connection | None = None

        @event.listens_for(self.quick_engine, "connect")
        def give_up_when_late(connection: Any, record: object) -> None:
            connection.set_progress_handler(lambda: time.thread_time() > self.late, 1000)

    async def fetch(self, statement: Executable, parameters: Any) -> Sequence[Row[Any]]:
        try:
            return self._at_once(statement, parameters)
        except DBAPIError:  # too late, locked, or worse: the thread will tell
            return await self._in_thread(statement, parameters)

    def _at_once(self, statement: Executable, parameters: Any) -> Sequence[Row[Any]]:
        self.quick = self.quick or self.quick_engine.connect()
        self.late = time.thread_time() + AT_ONCE
        return self.quick.execute(statement, parameters).all()

    async def _in_thread(self, statement: Executable, parameters: Any) -> Sequence[Row[Any]]:
        def run() -> Sequence[Row[Any]]:
            with self.engine.connect() as connection:
                return connection.execute(statement, parameters).all()

        async with asyncio.timeout(self.wait):
            return await asyncio.get_running_loop().run_in_executor(self.threads, run)

    async def close(self) -> None:
        if self.quick is not None:
            self.quick.close()
        self.quick_engine.dispose()
        self.threads.shutdown(wait=True)
        self.engine.dispose()


def _readers_engine(url: URL, connections: int, *more: str) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_reset_on_return=None,
        pool_size=connections,
        hide_parameters=True,
        connect_args={"check_same_thread": False},
    )
    _set_up(engine, "query_only=ON", *more)
    return engine


def engines(url: URL, wait: int) -> tuple[AsyncEngine, AsyncEngine]:
    """For writing, and for reading in a transaction."""
    common: dict[str, Any] = {"pool_timeout": wait, "max_overflow": 0, "hide_parameters": True}
    write = create_async_engine(url, pool_size=1, **common)
    read = create_async_engine(url, pool_size=READERS, **common)
    use(write, "BEGIN IMMEDIATE")
    use(read, "BEGIN", "query_only=ON")
    return write, read


def use(engine: AsyncEngine, begin_statement: str, *more: str) -> None:
    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Dialect, record: object, arguments: Any, options: Any) -> Any:
        connection = aiosqlite.connect(*arguments, **options)
        connection._thread.daemon = True  # a process that fails must be able to end
        return OneTripConnection(dialect.dbapi, await_(connection))

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        raw.begin_first = begin_statement

    _set_up(engine.sync_engine, *more)


def _set_up(engine: Engine, *more: str) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions too late
        connection.create_function("lower", 1, _lower, deterministic=True)
        cursor = connection.cursor()
        for pragma in (*PRAGMAS, *more):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone() != ("wal",):
            raise OperationalError(
                None, None, sqlite3.OperationalError("its disk does not support WAL")
            )
        cursor.close()


def _lower(text: Any) -> Any:
    """SQLite's own knows the capitals of ASCII alone."""
    return text.lower() if isinstance(text, str) else text
