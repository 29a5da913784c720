"""A database that is busy, full or gone: everybody is asked to try again, nothing is lost."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from pathlib import Path
from typing import Any

import pytest
from quart import Quart, Response
from sqlalchemy import text as sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from sched_async import database, sqlite
from sched_async.accounts.registration.rules import create_account
from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.database import Database, db
from sched_async.testing import Client, signed_in

from .conftest import ALICE_PASSWORD
from .pages import Browser, cookie, log_in, text
from .security import assert_secured
from .servers import free_port

pytestmark = pytest.mark.databases("sqlite", "postgresql")

CREATE = "/appointments/create/"
DENTIST = {"title": "Dentist", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}

only_sqlite = pytest.mark.databases("sqlite")
only_postgresql = pytest.mark.databases("postgresql")


@pytest.fixture
async def hasty(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Quart]:
    """The app, waiting for its database as it always does, only not as long."""
    patient = [pragma for pragma in sqlite.PRAGMAS if "busy_timeout" not in pragma]
    monkeypatch.setattr(sqlite, "PRAGMAS", (*patient, "busy_timeout=50"))
    limits = {"lock_timeout": "50ms", "statement_timeout": "200ms"}
    monkeypatch.setattr(database, "POSTGRESQL_LIMITS", database.POSTGRESQL_LIMITS | limits)
    monkeypatch.setattr(database, "WAIT", 0.1)
    app = create_app(settings)

    @app.route("/slow/")
    @public
    async def slow() -> str:
        await db.execute(sql("SELECT pg_sleep(10)"))
        return "at last"

    async with app.test_app():
        yield app


@pytest.fixture
async def hers(hasty: Quart) -> Client:
    """Alice's browser, in which she is signed in."""
    async with hasty.app_context():
        await create_account(
            name="Alice", email="alice@example.org", password=ALICE_PASSWORD, timezone="UTC"
        )
    return await signed_in(hasty, "alice@example.org")


def engines(app: Quart) -> tuple[AsyncEngine, AsyncEngine]:
    opened: Database = app.extensions["database"]
    return opened.write_engine, opened.read_engine


async def assert_busy(response: Response) -> None:
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "Set-Cookie" not in response.headers
    assert_secured(response)
    page = await text(response)
    assert "Wait a few seconds and try again." in page
    assert "database is " not in page  # as the database says it


@asynccontextmanager
async def locked(app: Quart) -> AsyncIterator[None]:
    """Another program is in the middle of writing."""
    url = app.config["DATABASE_URL"]
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(url.database)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(sql('LOCK TABLE "user", login_session, appointment'))
        yield


@asynccontextmanager
async def no_connection_free(app: Quart) -> AsyncIterator[None]:
    held = []
    with suppress(PoolTimeoutError):
        while True:
            held.append(await engines(app)[0].connect())
    yield
    for connection in held:
        await connection.close()


Trouble = Callable[[Quart], Any]
BUSY = pytest.mark.parametrize("trouble", [locked, no_connection_free])


@BUSY
async def test_whoever_cannot_write_now_is_asked_to_try_again_and_then_can(
    hasty: Quart, hers: Client, trouble: Trouble
) -> None:
    async with trouble(hasty):
        await assert_busy(await hers.post(CREATE, form=DENTIST))
    assert "Dentist" not in await text(await hers.get("/appointments/"))
    assert (await hers.post(CREATE, form=DENTIST)).status_code == 303
    assert "Dentist" in await text(await hers.get("/appointments/"))


@BUSY
async def test_whoever_cannot_sign_in_now_is_asked_to_try_again_and_then_can(
    hasty: Quart, hers: Client, trouble: Trouble
) -> None:
    stranger: Browser = hasty.test_client()
    async with trouble(hasty):
        await assert_busy(await log_in(stranger, "alice@example.org", ALICE_PASSWORD))
    assert cookie(stranger) is None
    assert (await log_in(stranger, "alice@example.org", ALICE_PASSWORD)).status_code == 303


@only_sqlite
async def test_while_another_program_writes_everybody_reads_on(hasty: Quart, hers: Client) -> None:
    async with locked(hasty):
        for path in ("/appointments/", "/appointments/?past=1", CREATE, "/health/ready"):
            assert (await hers.get(path)).status_code == 200


@only_postgresql
async def test_a_question_that_takes_too_long_is_given_up(hasty: Quart, hers: Client) -> None:
    await assert_busy(await hasty.test_client().get("/slow/"))
    assert (await hers.get("/appointments/")).status_code == 200


@only_sqlite
async def test_on_a_full_disk_reading_goes_on_and_writing_too_once_there_is_room(
    hasty: Quart, hers: Client
) -> None:
    async def pages(most: int) -> None:
        async with engines(hasty)[0].connect() as connection:
            await connection.execute(sql(f"PRAGMA max_page_count = {most}"))

    await pages(1)  # SQLite makes it as many as there are
    long = DENTIST | {"description": "x" * 10_000}
    answers = [await hers.post(CREATE, form=long) for _ in range(3)]
    await assert_busy(answers[-1])
    kept = [answer.location or "" for answer in answers if answer.status_code == 303]
    for path in ("/appointments/", "/health/ready", *kept):
        assert (await hers.get(path)).status_code == 200
    await pages(10_000)
    assert (await hers.post(CREATE, form=long)).status_code == 303


# Gone


@asynccontextmanager
async def gone(app: Quart) -> AsyncIterator[None]:
    """The file is no longer there, or the server lets nobody in; and then all is well again."""
    url = app.config["DATABASE_URL"]
    async with AsyncExitStack() as stack:
        if url.get_backend_name() == "sqlite":
            stack.enter_context(file_away(url))
        else:
            await stack.enter_async_context(server_refuses(url))
        for engine in engines(app):
            await engine.dispose()  # what is open already would outlive the file
        yield


@contextmanager
def file_away(url: URL) -> Iterator[None]:
    path = Path(url.database or "")
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    yield
    path.rmdir()
    path.with_suffix(".away").rename(path)


@asynccontextmanager
async def server_refuses(url: URL) -> AsyncIterator[None]:
    engine = create_async_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sql(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false"))
        others = "pid <> pg_backend_pid() AND datname = :name"
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
        await connection.execute(sql(end), {"name": url.database})
        yield
        await connection.execute(sql(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true"))
    await engine.dispose()


@asynccontextmanager
async def no_server_at(app: Quart, host: str) -> AsyncIterator[None]:
    before = app.extensions["database"]
    url = make_url(f"postgresql+asyncpg://sched@{host}:{free_port()}/sched")
    app.extensions["database"] = Database(url)
    yield
    app.extensions["database"] = before


def nobody_listens(app: Quart) -> AbstractAsyncContextManager[None]:
    return no_server_at(app, "127.0.0.1")


def nobody_listens_at_any_address_of_the_name(app: Quart) -> AbstractAsyncContextManager[None]:
    return no_server_at(app, "localhost")


def nobody_knows_the_name(app: Quart) -> AbstractAsyncContextManager[None]:
    return no_server_at(app, "database.invalid")


GONE = pytest.mark.parametrize(
    "trouble",
    [
        gone,
        nobody_listens,
        nobody_listens_at_any_address_of_the_name,
        nobody_knows_the_name,
    ],
)


@pytest.mark.own_database
@GONE
async def test_without_a_database_nobody_gets_in_and_everybody_learns_why(
    hasty: Quart, hers: Client, trouble: Trouble
) -> None:
    stranger: Browser = hasty.test_client()
    async with trouble(hasty):
        for path in ("/appointments/", CREATE, "/nowhere/"):
            await assert_busy(await hers.get(path))
        await assert_busy(await hers.post(CREATE, form=DENTIST))
        await assert_busy(await log_in(stranger, "alice@example.org", ALICE_PASSWORD))
    assert cookie(hers), "nobody is signed out for it"
    assert (await hers.get("/appointments/")).status_code == 200
    assert (await log_in(stranger, "alice@example.org", ALICE_PASSWORD)).status_code == 303


@pytest.mark.own_database
@GONE
async def test_without_a_database_the_server_is_alive_but_not_ready(
    hasty: Quart, trouble: Trouble
) -> None:
    client = hasty.test_client()
    async with trouble(hasty):
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/login/")).status_code == 200
        response = await client.get("/health/ready", headers={"Accept": "application/json"})
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert (await response.get_json())["status"] == "Service Unavailable"
    assert (await client.get("/health/ready")).status_code == 200


@pytest.mark.own_database
@GONE
async def test_without_a_database_errors_of_other_kinds_are_still_told(
    hasty: Quart, hers: Client, trouble: Trouble
) -> None:
    """Nobody can say who asks, but they are not told to sign in either."""
    other_host = {"headers": {"Host": "evil.example"}}
    async with trouble(hasty):
        for code, path, given in ((404, "/static/nowhere.css", {}), (421, "/", other_host)):
            response = await hers.get(path, **given)
            assert response.status_code == code
            assert_secured(response)
            assert "Set-Cookie" not in response.headers
            assert ">Your appointments</a>" in await text(response)
    assert (await hers.get("/appointments/")).status_code == 200


def overwrite(url: URL) -> None:
    Path(url.database or "").write_text("This is not a database. " * 400)


@only_sqlite
async def test_a_file_that_was_overwritten_is_not_ready(hasty: Quart, hers: Client) -> None:
    for engine in engines(hasty):
        await engine.dispose()
    overwrite(hasty.config["DATABASE_URL"])
    assert (await hasty.test_client().get("/health/ready")).status_code == 503
    await assert_busy(await hers.get("/appointments/"))


async def test_the_log_says_what_the_trouble_was_and_for_whom(
    hasty: Quart, hers: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with locked(hasty):
        response = await hers.post(CREATE, form=DENTIST)
    (line,) = (line for line in caplog.messages if "unavailable" in line)
    assert line.startswith(f"id={response.headers['X-Request-ID']} unavailable: ")
    assert line.endswith((" SQLITE_BUSY", " 55P03"))
    assert "Dentist" not in caplog.text
