"""What the database itself promises, whatever a view does."""

import asyncio
import gc
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from quart import Quart
from quart.testing.connections import TestHTTPConnection
from sqlalchemy import (
    Engine,
    delete,
    event,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CheckConstraint

from sched_async import migrations, purging, sqlite
from sched_async.accounts.registration.rules import setup_link
from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.appointments import upkeep
from sched_async.database import Database, begin, db, fetch, migrating, reading, upgrade
from sched_async.errors import StartupError
from sched_async.ics.derive import derive
from sched_async.ics.ics_text import Facts, new_text
from sched_async.models import (
    Act,
    Appointment,
    Base,
    Calendar,
    Change,
    LoginSession,
    Occurrence,
    OneTimeToken,
    User,
    Zone,
)
from sched_async.purging import KEPT
from sched_async.security.csrf import HEADER
from sched_async.testing import Client, signed_in

from .appointments import add, timed
from .conftest import ALICE_PASSWORD
from .pages import csrf_token, log_in
from .pages import text as page_text
from .rows import all_rows

pytestmark = pytest.mark.databases("sqlite", "postgresql")

SAFE = ["GET", "HEAD", "OPTIONS"]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]
WRITES = {
    "insert": "INSERT INTO one_time_token VALUES ('a', 'b', 1)",
    "update": "UPDATE \"user\" SET name = 'Eve'",
    "delete": 'DELETE FROM "user"',
    "create": "CREATE TABLE more (id INTEGER)",
    "alter": 'ALTER TABLE "user" ADD COLUMN phone TEXT',
    "drop": "DROP TABLE one_time_token",
}
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

only_sqlite = pytest.mark.databases("sqlite")
only_postgresql = pytest.mark.databases("postgresql")


def somebody(email: str = "eve@example.org", **more: Any) -> User:
    return User(name="Eve", email=email, password_hash="", timezone="UTC", **more)


def values(calendar_id: int, **changed: object) -> dict[str, object]:
    """The columns of an hour's appointment."""
    facts = Facts("Dentist", datetime(2027, 1, 1, 12), datetime(2027, 1, 1, 13), False, "UTC")
    made = derive(new_text(facts, NOON), NOON)
    return {**made.columns, "ics": made.ics, "rev": 2, "calendar_id": calendar_id, **changed}


def form(**changed: str) -> dict[str, str]:
    span = {"start": "2027-01-01T12:00", "end": "2027-01-01T13:00"}
    return {"title": "Dentist", **span, "timezone": "UTC", **changed}


async def count(app: Quart, model: type[Base]) -> int:
    async with app.app_context(), reading() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


def engines(app: Quart) -> list[AsyncEngine]:
    database: Database = app.extensions["database"]
    return [database.write_engine, database.read_engine]


def all_engines(app: Quart) -> list[Engine]:
    """With those of single statements, in the shape that takes listeners."""
    readers: Any = app.extensions["database"].readers
    if isinstance(readers, sqlite.Readers):
        single = [readers.engine, readers.quick_engine]
    else:
        single = [readers.engine.sync_engine]
    return [*(engine.sync_engine for engine in engines(app)), *single]


def checked_out(app: Quart) -> list[int]:
    """But for the one connection that reads at once, which is kept."""
    return [cast(QueuePool, engine.pool).checkedout() for engine in all_engines(app)[:3]]


def file_of(url: str) -> str:
    return make_url(url).database or ""


# A request's db


@pytest.fixture
async def writing(settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """An app whose views write on every method."""
    app = create_app(settings)
    how: dict[str, Any] = {"methods": [*SAFE, *UNSAFE], "provide_automatic_options": False}

    @app.route("/commit/", **how)
    @public
    async def commit() -> str:
        db.add(somebody())
        await db.commit()
        return "kept"

    @app.route("/forget/", **how)
    @public
    async def forget() -> str:
        db.add(somebody())
        await db.flush()
        return "not committed"

    @app.route("/fail/", **how)
    @public
    async def fail() -> str:
        db.add(somebody())
        await db.flush()
        raise RuntimeError

    @app.route("/sql/<name>/", **how)
    @public
    async def sql(name: str) -> str:
        await db.execute(text(WRITES[name]))
        await db.commit()
        return "done"

    async with app.test_app():
        yield app


@pytest.mark.parametrize("method", SAFE)
async def test_a_request_that_must_not_write_cannot(writing: Quart, method: str) -> None:
    response = await Client(writing).open("/commit/", method=method)
    assert response.status_code >= 500
    assert await count(writing, User) == 0


@pytest.mark.parametrize("method", UNSAFE)
async def test_a_request_that_may_write_can(writing: Quart, method: str) -> None:
    response = await Client(writing).open("/commit/", method=method)
    assert response.status_code == 200
    assert await count(writing, User) == 1


@pytest.mark.own_database
@pytest.mark.parametrize("name", WRITES)
async def test_the_database_refuses_every_kind_of_write_on_get(writing: Quart, name: str) -> None:
    async with writing.app_context(), begin() as session:
        session.add(somebody())
    assert (await Client(writing).get(f"/sql/{name}/")).status_code >= 500
    async with writing.app_context(), begin() as session:
        assert [user.name for user in await session.scalars(select(User))] == ["Eve"]
        assert "a" not in (await session.scalars(select(OneTimeToken.token_hash))).all()
        tables = await (await session.connection()).run_sync(
            lambda sync: inspect(sync).get_table_names()
        )
    assert "more" not in tables


async def test_a_signed_in_person_cannot_write_on_get_either(
    writing: Quart, alice_here: User
) -> None:
    client = await signed_in(writing, "alice@example.org")
    assert (await client.get("/commit/")).status_code >= 500
    assert await count(writing, User) == 1


@pytest.fixture
async def alice_here(writing: Quart) -> User:
    user = somebody("alice@example.org")
    async with writing.app_context(), begin() as session:
        session.add(user)
    return user


async def test_a_refused_write_does_not_hinder_the_next_request(writing: Quart) -> None:
    client = Client(writing)
    for _ in range(20):
        assert (await client.get("/commit/")).status_code >= 500
    assert (await client.get("/health/ready")).status_code == 200
    assert (await client.post("/commit/")).status_code == 200
    assert not any(checked_out(writing))


@pytest.mark.parametrize(("path", "status"), [("/forget/", 200), ("/fail/", 500)])
async def test_what_a_view_did_not_commit_is_rolled_back(
    writing: Quart, path: str, status: int
) -> None:
    client = Client(writing)
    assert (await client.post(path)).status_code == status
    assert await count(writing, User) == 0
    assert not any(checked_out(writing))
    assert (await client.post("/commit/")).status_code == 200
    assert await count(writing, User) == 1


async def test_a_single_statement_cannot_write(app: Quart, alice: User) -> None:
    async with app.app_context():
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            await fetch(cast(Any, delete(User)))
    assert await count(app, User) == 1


async def test_a_slow_statement_holds_up_no_other(app: Quart) -> None:
    """Nor does it hold up what asks for no database at all."""
    one = select(literal(1).label("value")).cte("numbers", recursive=True)
    numbers = one.union_all(select(one.c.value + 1).where(one.c.value < 1_000_000))
    async with app.app_context():
        slow = asyncio.create_task(fetch(select(func.sum(numbers.c.value))))
        await asyncio.sleep(0.01)
        assert (await fetch(select(func.count()).select_from(User))) == [(0,)]
        assert not slow.done()
        assert len(await slow) == 1


async def fail_in_begin() -> None:
    async with begin() as session:
        session.add(somebody())
        await session.flush()
        raise RuntimeError


async def write_while_reading() -> None:
    async with reading() as session:
        session.add(somebody())
        await session.commit()


async def test_what_fails_in_begin_is_rolled_back(app: Quart) -> None:
    async with app.app_context():
        with pytest.raises(RuntimeError):
            await fail_in_begin()
    assert await count(app, User) == 0


async def test_reading_cannot_write(app: Quart) -> None:
    async with app.app_context():
        with pytest.raises(DBAPIError):
            await write_while_reading()
    assert await count(app, User) == 0


# Migrations


async def table_names(url: str) -> set[str]:
    async with migrating(url) as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_migrating_makes_what_the_models_say(database_url: str) -> None:
    async with migrating(database_url) as connection:
        assert await connection.run_sync(migrations.differences) == []
    assert await table_names(database_url) == {*Base.metadata.tables, "alembic_version"}


async def test_migrating_makes_the_check_constraints_of_the_models(database_url: str) -> None:
    """Alembic does not compare these."""
    async with migrating(database_url) as connection:
        for name, table in Base.metadata.tables.items():
            found = await connection.run_sync(
                lambda sync, name=name: inspect(sync).get_check_constraints(name)
            )
            checks = {item.name for item in table.constraints if isinstance(item, CheckConstraint)}
            assert {check["name"] for check in found} == checks, name


@pytest.mark.own_database
async def test_a_difference_is_noticed(database_url: str) -> None:
    async with migrating(database_url) as connection:
        await connection.execute(text("ALTER TABLE appointment DROP COLUMN location"))
        different = await connection.run_sync(migrations.differences)
    assert [change[0] for change in different] == ["add_column"]


@pytest.mark.own_database
async def test_upgrading_again_changes_nothing(database_url: str) -> None:
    async with migrating(database_url) as connection:
        await connection.execute(insert(User).values(name="", email="", **rest_of_a_user()))
    await upgrade(database_url)
    await upgrade(database_url)
    async with migrating(database_url) as connection:
        assert await connection.scalar(select(func.count()).select_from(User)) == 1
        assert await connection.run_sync(migrations.differences) == []


def rest_of_a_user() -> dict[str, object]:
    return {"password_hash": "", "timezone": "UTC", "is_active": True, "created_at": NOON}


@pytest.mark.parametrize("processes", [2, 6])
async def test_several_upgrades_at_once_are_fine(empty_url: str, processes: int) -> None:
    await asyncio.gather(*(upgrade(empty_url) for _ in range(processes)))
    async with migrating(empty_url) as connection:
        assert await connection.run_sync(migrations.differences) == []


@pytest.mark.own_database
async def test_a_database_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    async with migrating(database_url) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartupError, match="was created by a newer version of sched_async"):
        await upgrade(database_url)
    async with migrating(database_url) as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        assert await connection.run_sync(migrations.differences) == []


@pytest.mark.own_database
async def test_dropping_leaves_no_table_and_upgrading_makes_them_anew(database_url: str) -> None:
    async with migrating(database_url) as connection:
        await connection.execute(insert(User).values(name="", email="", **rest_of_a_user()))
        await connection.run_sync(migrations.drop)
    assert await table_names(database_url) <= {"alembic_version"}
    async with migrating(database_url) as connection:
        if connection.dialect.name == "postgresql":
            assert await connection.run_sync(lambda sync: inspect(sync).get_sequence_names()) == []
    await upgrade(database_url)
    async with migrating(database_url) as connection:
        assert await connection.scalar(select(func.count()).select_from(User)) == 0
        assert await connection.run_sync(migrations.differences) == []


async def drop_and_fail(url: str) -> None:
    async with migrating(url) as connection:
        await connection.run_sync(migrations.drop)
        raise RuntimeError


@pytest.mark.own_database
async def test_a_failed_migration_leaves_everything_as_it_was(database_url: str) -> None:
    with pytest.raises(RuntimeError):
        await drop_and_fail(database_url)
    async with migrating(database_url) as connection:
        assert await connection.run_sync(migrations.differences) == []


@pytest.mark.parametrize("content", [b"This is not a database. " * 400, b"SQLite format 3\0" * 99])
async def test_a_file_that_is_no_database_is_refused_with_its_name(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "sched.db"
    path.write_bytes(content)
    with pytest.raises(StartupError, match=re.escape(f"The database {path} cannot be used: ")):
        await upgrade(f"sqlite+aiosqlite:///{path}")


# SQLite


@only_sqlite
async def test_every_connection_to_sqlite_is_set_up(app: Quart) -> None:
    expected: dict[str, str | int] = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "trusted_schema": 0,
        "cell_size_check": 1,
    }
    for engine, query_only, size in zip(engines(app), (0, 1), (1, 4), strict=True):
        connections = [await engine.connect() for _ in range(size)]
        for connection in connections:
            for pragma, value in {**expected, "query_only": query_only}.items():
                found = await connection.exec_driver_sql(f"PRAGMA {pragma}")
                assert (pragma, found.scalar_one()) == (pragma, value)
        assert cast(QueuePool, engine.sync_engine.pool).size() == size
        for connection in connections:
            await connection.close()
    await fetch_nothing(app)
    readers: sqlite.Readers = app.extensions["database"].readers
    with ExitStack() as opened:
        in_threads = [opened.enter_context(readers.engine.connect()) for _ in range(sqlite.READERS)]
        for raw, patience in [*((raw, 5000) for raw in in_threads), (readers.quick, 0)]:
            assert raw is not None
            for pragma, value in {**expected, "query_only": 1, "busy_timeout": patience}.items():
                assert raw.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value, pragma


async def fetch_nothing(app: Quart) -> None:
    async with app.app_context():
        assert await fetch(select(User)) == []


@only_sqlite
async def test_a_writing_transaction_takes_the_file_at_its_first_statement(
    app: Quart, database_url: str
) -> None:
    with closing(sqlite3.connect(file_of(database_url), timeout=0)) as other:
        async with app.app_context(), begin() as session:
            await session.scalar(select(User))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            assert other.execute('SELECT COUNT(*) FROM "user"').fetchone() == (0,)
        other.execute("BEGIN IMMEDIATE")


async def write_somebody(app: Quart) -> None:
    async with app.app_context(), begin() as session:
        session.add(somebody())


@only_sqlite
async def test_a_second_writer_waits_and_readers_do_not(app: Quart, database_url: str) -> None:
    connect = sqlite3.connect(file_of(database_url), isolation_level=None)
    with closing(connect) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(write_somebody(app))
        done, _ = await asyncio.wait([waiting], timeout=0.4)
        assert not done
        assert await count(app, User) == 0
        other.execute("COMMIT")
        await asyncio.wait_for(waiting, 5)
    assert await count(app, User) == 1


@only_sqlite
async def test_no_update_is_lost(app: Quart) -> None:
    """Each reads a number and writes the next one."""
    async with app.app_context(), begin() as session:
        user = somebody()
        user.name = "0"
        session.add(user)

    async def add_one() -> None:
        async with app.app_context(), begin() as session:
            same = await session.get_one(User, user.id)
            await asyncio.sleep(0)
            same.name = str(int(same.name) + 1)

    await asyncio.gather(*(add_one() for _ in range(40)))
    async with app.app_context(), reading() as session:
        assert (await session.get_one(User, user.id)).name == "40"


# PostgreSQL


@only_postgresql
async def test_postgresql_ends_what_takes_too_long(app: Quart) -> None:
    limits = {
        "statement_timeout": "5s",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "10s",
    }
    for opened in (begin, reading):
        async with app.app_context(), opened() as session:
            for name, value in limits.items():
                assert await session.scalar(text(f"SHOW {name}")) == value


# Constraints


async def test_deleting_a_person_deletes_what_is_theirs_and_no_more(
    app: Quart, alice: User, mallory: User
) -> None:
    for person in (alice, mallory):
        await signed_in(app, person.email)
        await add(app, person, timed("Dentist", "2027-01-01T12:00"))
    async with app.app_context(), begin() as session:
        await session.execute(text('DELETE FROM "user" WHERE id = :id'), {"id": alice.id})
    async with app.app_context(), reading() as session:
        logins = (await session.scalars(select(LoginSession.user_id))).all()
        owned = select(Calendar.user_id).join(Appointment, Appointment.calendar_id == Calendar.id)
        owners = (await session.scalars(owned)).all()
    assert (logins, owners) == ([mallory.id], [mallory.id])
    for model in (Occurrence, Change, Act):
        assert await count(app, model) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"uid": "the-first"}, {"href": "1.ics"}, {"title": None}, {"ics": None}, {"calendar_id": 404}],
    ids=str,
)
async def test_the_database_refuses_an_appointment_that_cannot_be(
    app: Quart, alice: User, wrong: dict[str, Any]
) -> None:
    """As SQL, so that nothing of ours stands before it."""
    (calendar,) = await all_rows(app, Calendar)
    first = values(calendar.id, uid="the-first", href="1.ics")
    async with app.app_context(), begin() as session:
        await session.execute(insert(Appointment).values(**first))
    with pytest.raises(IntegrityError):
        async with app.app_context(), begin() as session:
            await session.execute(insert(Appointment).values(**(values(calendar.id) | wrong)))
    assert await count(app, Appointment) == 1


async def test_a_form_is_remembered_once_for_each_person(
    app: Quart, alice: User, mallory: User
) -> None:
    facts = {"kind": "create", "title": "", "count": 1}
    async with app.app_context(), begin() as session:
        for submission in ("one", None, None):
            session.add(Act(user_id=alice.id, submission=submission, **facts))
        session.add(Act(user_id=mallory.id, submission="one", **facts))
    with pytest.raises(IntegrityError):
        async with app.app_context(), begin() as session:
            session.add(Act(user_id=alice.id, submission="one", **facts))
    assert await count(app, Act) == 4


async def test_an_address_has_one_account(app: Quart, alice: User) -> None:
    with pytest.raises(IntegrityError):
        async with app.app_context(), begin() as session:
            session.add(somebody(alice.email))
    assert await count(app, User) == 1


async def test_a_token_has_one_login_session(app: Quart, alice: User, mallory: User) -> None:
    await signed_in(app, alice.email)
    async with app.app_context(), reading() as session:
        hers = await session.scalar(select(LoginSession))
    assert hers
    copy = {"token_hash": hers.token_hash, "expires_at": hers.expires_at}
    with pytest.raises(IntegrityError):
        async with app.app_context(), begin() as session:
            session.add(LoginSession(user_id=mallory.id, remember=False, **copy))
    assert await count(app, LoginSession) == 1


async def test_instants_come_back_in_utc_to_the_second(app: Quart, alice: User) -> None:
    await add(app, alice, timed("Dentist", "2027-01-01T12:00", zone="UTC"))
    (kept,) = await all_rows(app, Occurrence)
    assert (kept.start_utc, kept.start_utc.tzinfo) == (NOON, UTC)


async def test_an_instant_without_a_zone_is_refused(app: Quart, alice: User) -> None:
    with pytest.raises(Exception, match="an instant needs a time zone"):
        async with app.app_context(), begin() as session:
            session.add(somebody("late@example.org", delete_at=datetime(2027, 1, 1)))


# Query plans


@contextmanager
def statements(app: Quart) -> Iterator[dict[str, Any]]:
    """Everything that the app asks of its database meanwhile, with the values."""
    seen: dict[str, Any] = {}

    def note(connection: object, cursor: object, statement: str, given: Any, *more: object) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE"):
            seen[statement] = given

    for engine in all_engines(app):
        event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in all_engines(app):
        event.remove(engine, "before_cursor_execute", note)


async def plan(app: Quart, statement: str, given: Any) -> list[str]:
    """How the database would answer, a line for each step."""
    async with engines(app)[0].connect() as connection:
        if connection.dialect.name == "sqlite":
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            return [str(row["detail"]) for row in rows.mappings()]
        for costs_little in ("seqscan", "bitmapscan", "sort"):  # while there is so little to read
            await connection.exec_driver_sql(f"SET LOCAL enable_{costs_little} = off")
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", given)
        return [str(step) for step in rows.scalars()]


def uses_indexes(steps: list[str]) -> bool:
    """But for sorting the few rows that a LIMIT has left."""
    wrong = re.compile(r"\bSCAN (?!CONSTANT|anon_\d)|TEMP B-TREE|Seq Scan|\bSort\b(?! Key)")
    merged = re.sub(r"SCAN anon_\d+\nUSE TEMP B-TREE FOR ORDER BY\n", "", "\n".join(steps) + "\n")
    return bool(steps) and not wrong.search(merged)


@pytest.fixture
async def full(app: Quart, alice: User, mallory: User) -> Client:
    """Alice's browser, with thousands of appointments, past and to come, hers and others'."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    facts = []
    for index in range(-600, 600):
        start = now + index * 7 * HOUR
        facts.append(Facts("Dentist", start, start + HOUR, False, "UTC"))
        facts.append(Facts("Fair", start.replace(hour=0), start.replace(hour=0), True, None))
    for owner in (alice, mallory):
        await add(app, owner, *facts)
    async with app.app_context(), begin() as session:
        if (await session.connection()).dialect.name == "postgresql":
            await session.execute(text("ANALYZE"))
    return await signed_in(app, "alice@example.org")


@pytest.mark.own_database
@pytest.mark.parametrize("path", ["/appointments/?", "/appointments/?past=1&"])
async def test_each_page_of_the_list_reads_an_index_in_its_order(
    app: Quart, full: Client, path: str
) -> None:
    with statements(app) as first:
        page = await page_text(await full.get(path))
    cursor = re.search(r"after=([\d.]+)", page)
    assert cursor
    with statements(app) as second:
        assert (await full.get(f"{path}after={cursor[1]}")).status_code == 200
    found = {**first, **second}
    lists = [statement for statement in found if "ORDER BY occurrence" in statement]
    assert lists
    for statement, given in found.items():
        steps = await plan(app, statement, given)
        assert uses_indexes(steps), (statement, steps)
        if statement in lists:
            assert "ix_occurrence_range" in "\n".join(steps)


@pytest.mark.own_database
async def test_the_trash_walks_by_what_was_only_made_or_imported(
    app: Quart, alice: User, hers: Client
) -> None:
    """Of these a person can have a hundred thousand."""
    kinds = [*["remembered", "create"] * 400, *["delete"] * 60]
    async with app.app_context(), begin() as session:
        acts = [{"user_id": alice.id, "kind": kind, "title": "", "count": 1} for kind in kinds]
        await session.execute(insert(Act), acts)
    with statements(app) as found:
        page = await page_text(await hers.get("/trash/"))
        path = re.search(r'href="(/trash/[?]after=\d+)"', page)
        assert path
        assert (await hers.get(path[1])).status_code == 200
    lists = [one for one in found.items() if "ORDER BY act.made_at" in one[0]]
    assert lists
    for statement, given in lists:
        steps = await plan(app, statement, given)
        assert uses_indexes(steps), (statement, steps)
        assert "ix_act_trash" in "\n".join(steps)


@pytest.mark.own_database
async def test_nothing_that_people_do_reads_a_whole_table(
    app: Quart, full: Client, alice: User
) -> None:
    client = app.test_client()
    with statements(app) as found:
        for submission in ("one", "one"):
            response = await full.post("/appointments/create/", form=form(submission=submission))
            assert response.status_code == 303
        path = response.location or ""
        for page in ("", "edit/", "delete/"):
            assert (await full.get(path + page)).status_code == 200
        assert (await full.post(f"{path}edit/", form=form(title="New"))).status_code == 303
        assert (await full.delete(f"{path}delete/")).status_code == 200
        await full.get("/calendars/")
        for undo in re.findall(r"/undo/\d+/", await page_text(await full.get("/trash/"))):
            assert (await full.post(undo)).status_code == 303
        assert (await log_in(client, "alice@example.org", ALICE_PASSWORD)).status_code == 303
        sign_out = {"csrf_token": await csrf_token(client, "/logout/")}
        assert (await client.post("/logout/", form=sign_out)).status_code == 303
        assert (await client.get("/setup/made-up/")).status_code == 404
    for name in ("login_session", "one_time_token", "appointment", "user"):
        assert any(name in statement for statement in found), name
    for statement, given in found.items():
        steps = await plan(app, statement, given)
        assert uses_indexes(steps), (statement, steps)


@pytest.mark.own_database
async def test_neither_calendars_nor_the_daily_work_read_a_whole_table(
    app: Quart, hers: Client, alice: User
) -> None:
    await add(app, alice, timed("Dentist", "2030-01-01T09:00"), timed("Fair", "2030-01-02T09:00"))
    async with app.app_context(), begin() as session:
        first = update(Appointment).where(Appointment.id == 1)
        await session.execute(first.values(expanded_until=datetime.now(UTC)))
        long_ago = datetime.now(UTC) - KEPT - HOUR
        await session.execute(update(Act).where(Act.id == 1).values(made_at=long_ago))
        await session.execute(delete(Zone).where(Zone.name == upkeep.VERSION))
    with statements(app) as found:
        for path in ("create/", "1/hide/", "1/show/", "1/default/", "1/edit/", "1/delete/"):
            answer = await hers.post(f"/calendars/{path}", form={"name": path, "color": "rose"})
            assert answer.status_code == 303, path
        for undo in re.findall(r"/undo/\d+/", await page_text(await hers.get("/trash/"))):
            assert (await hers.post(undo)).status_code == 303
        async with app.app_context():
            async with begin() as session:
                gone = update(Calendar).where(Calendar.id == 2)
                await session.execute(gone.values(deleted_at=long_ago))
            for work in (upkeep.work_off_version, upkeep.move_horizon, purging.purge):
                await work()
    for statement, given in found.items():
        steps = await plan(app, statement, given)
        assert uses_indexes(steps), (statement, steps)


@pytest.mark.own_database
async def test_the_plans_of_these_tests_tell_a_scan_from_an_index(app: Quart, full: Client) -> None:
    column = "timezone"
    scan = f"SELECT id FROM appointment ORDER BY {column}"
    assert not uses_indexes(await plan(app, scan, ()))
    assert not uses_indexes(await plan(app, f"SELECT * FROM appointment WHERE {column} = 'x'", ()))
    assert uses_indexes(await plan(app, "SELECT * FROM appointment WHERE id = 1", ()))


@pytest.mark.own_database
async def test_a_setup_link_is_looked_up_by_index(app: Quart) -> None:
    async with app.app_context():
        link = await setup_link()
    assert link
    with statements(app) as found:
        response = await app.test_client().get(link.removeprefix("http://localhost"))
    assert response.status_code == 200
    assert found
    for statement, given in found.items():
        assert uses_indexes(await plan(app, statement, given)), statement


# Many at once


async def test_a_connection_that_is_given_back_late_is_closed_as_well(database_url: str) -> None:
    """What goes on after its request has been cancelled may end when all else has."""
    database = Database(make_url(database_url))
    begun = asyncio.Event()

    async def work() -> None:
        async with database.writing.begin() as session:
            await session.execute(text("SELECT 1"))
            begun.set()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(work())
    await begun.wait()
    await database.close()
    await task
    gc.collect()  # a connection that is still open warns when it is forgotten


async def test_two_hundred_at_once_all_get_their_appointment(
    app: Quart, alice: User, mallory: User
) -> None:
    emails = [alice.email, mallory.email] * 100
    clients = await asyncio.gather(*(signed_in(app, email) for email in emails))
    answers = await asyncio.gather(
        *(
            client.post("/appointments/create/", form=form(title=f"Number {index}"))
            for index, client in enumerate(clients)
        )
    )
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 200
    async with app.app_context(), reading() as session:
        rows = (await session.scalars(select(Appointment))).all()
        theirs = (await session.scalars(select(Calendar).where(Calendar.user_id == alice.id))).one()
    assert {row.title for row in rows} == {f"Number {index}" for index in range(200)}
    assert len(rows) == 200
    assert sum(row.calendar_id == theirs.id for row in rows) == 100
    assert not any(checked_out(app))


async def test_one_form_sent_many_times_at_once_makes_one_appointment(
    app: Quart, alice: User
) -> None:
    clients = [await signed_in(app, "alice@example.org") for _ in range(20)]
    answers = await asyncio.gather(
        *(
            client.post("/appointments/create/", form=form(submission="the-same"))
            for client in clients
        )
    )
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert await count(app, Appointment) == 1


# People who leave


async def leave(client: Client, method: str, path: str, after: float) -> bool:
    """Ask for something and close the connection; whether there was an answer by then."""
    headers = {HEADER: await client.csrf_token()}
    body = b"" if method == "GET" else urlencode(form()).encode()
    if body:
        headers |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
        }
    async with client.request(path, method=method, headers=headers) as connection:
        await connection.send(body)
        await connection.send_complete()
        await asyncio.sleep(after)
        await connection.disconnect()
    return cast(TestHTTPConnection, connection).status_code is not None


@pytest.fixture
async def collected() -> AsyncIterator[None]:
    """Has what was abandoned collected here, and not during a later test."""
    yield
    await asyncio.sleep(0.3)  # a connection that was being opened is open by now
    gc.collect()


def leaves_connections(test: Any) -> Any:
    """Where opening one is cancelled, nobody has it to close: since 3.13 sqlite3 says so."""
    quiet = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    return quiet(pytest.mark.usefixtures("collected")(test))


@asynccontextmanager
async def all_done() -> AsyncIterator[None]:
    """At its end everything has ended that was begun inside, requests of the gone included."""
    before = asyncio.all_tasks()
    yield
    while late := asyncio.all_tasks() - before:
        done, _ = await asyncio.wait(late, timeout=20)
        assert done, "something hangs"


@leaves_connections
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/account/activity/"),
        ("POST", "/appointments/create/"),
        ("GET", "/health/ready"),
    ],
)
async def test_whoever_leaves_takes_no_connection_along(
    app: Quart, alice: User, method: str, path: str
) -> None:
    clients = [await signed_in(app, "alice@example.org") for _ in range(20)]
    answered = []
    async with all_done():
        for steps in range(0, 30, 3):
            leaving = [
                leave(client, method, path, (steps + index / 20) / 1000)
                for index, client in enumerate(clients)
            ]
            answered += await asyncio.gather(*leaving)
    assert not all(answered), "nobody left early"
    assert not any(checked_out(app))
    response = await clients[0].post("/appointments/create/", form=form())
    assert response.status_code == 303


@leaves_connections
async def test_cancelled_work_takes_no_connection_along(app: Quart) -> None:
    # When all is over, asyncpg complains of each connection that it had to cut off.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

    async def write(email: str) -> None:
        async with app.app_context(), begin() as session:
            session.add(somebody(email))

    async def read() -> None:
        async with app.app_context(), reading() as session:
            await session.scalar(select(User))

    async with all_done():
        for steps in range(20):
            tasks = [asyncio.create_task(write(f"{steps}.{index}")) for index in range(10)]
            tasks += [asyncio.create_task(read()) for _ in range(10)]
            await asyncio.sleep(steps / 1000)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert not any(checked_out(app))
    before = await count(app, User)
    await write_somebody(app)
    assert await count(app, User) == before + 1
