"""A filled database of an earlier schema, brought to the newest: nothing is lost on the way."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, delete, func, insert, select, text
from sqlalchemy.engine import make_url

from sched_async import migrations
from sched_async.database import migrating, upgrade
from sched_async.errors import StartupError
from sched_async.ics.derive import derive
from sched_async.models import Base

pytestmark = pytest.mark.databases("sqlite", "postgresql")

FIRST, BEFORE = "0001", "0002"
EARLIER = ("0001", "0002", "0003", "0004")
ROWS = 3  # of each table
NUMBERED = [name for name, table in Base.metadata.tables.items() if "id" in table.columns]
only_sqlite = pytest.mark.databases("sqlite")
only_postgresql = pytest.mark.databases("postgresql")
PERSON = {
    "name": "Alice",
    "password_hash": "-",
    "timezone": "Europe/Berlin",
    "is_active": True,
    "is_admin": True,
    "created_at": 1,
    "week_start": 7,
    "clock_hours": 12,
    "needs_second_factor": True,
    "totp_step": 5,
}
APPOINTMENT = {
    "title": "Zahnärztin",
    "start": datetime(2027, 1, 1, 9, 30),
    "end": datetime(2027, 1, 1, 10, 30),
    "allday": False,
    "timezone": "Europe/Berlin",
    "start_utc": 1798792200,
    "end_utc": 1798795800,
    "location": "Markt 1",
    "description": "a\r\nb",
    "created_at": 1,
    "modified_at": 2,
}
# What an appointment may be besides.
KINDS: tuple[dict[str, Any], ...] = (
    {"description": "a\r\nb", "title": "x" * 200 + "; ,\\ é"},
    {"allday": True, "start": datetime(2027, 1, 1), "end": datetime(2027, 2, 2)}
    | {"start_utc": 1798761600, "end_utc": 1801612800, "submission": None},
    {"timezone": "UTC", "start_utc": 1798795800, "end_utc": 1798799400},
)
MAIL = {"recipient": "a@example.org", "subject": "s", "text": "t", "html": "h", "problem": ""}


def row(table: str, number: int) -> dict[str, Any]:
    """One row of the schema of then; the rows of number ``n`` are about the user ``n``."""
    owner, key = {"user_id": number}, f"{table}-{number}"
    seen = {"address": "::1", "user_agent": "Firefox"}
    rows: dict[str, dict[str, Any]] = {
        "user": {"email": key, **PERSON},
        "login_session": owner
        | seen
        | {"token_hash": key, "remember": True, "created_at": 1}
        | {"last_seen_at": 2, "expires_at": 3, "proven_at": 4},
        "one_time_token": owner
        | {"token_hash": key, "purpose": "reset", "expires_at": 1, "email": "a", "data": {"a": 1}},
        "device": owner | {"token_hash": key, "last_used_at": 1, "trusted_until": 2},
        "recovery_code": owner | {"code_hash": key},
        "activity": owner | seen | {"event": "login", "happened_at": number},
        "attempt": {"key": key, "made_at": 1},
        "outgoing_mail": {"message_id": key, "created_at": 1, "tries": 0, **MAIL},
        "appointment": owner | {"submission": key} | APPOINTMENT | KINDS[number % len(KINDS)],
        "zone": {"name": "Europe/Berlin" if number == 1 else key, "fingerprint": ""},
    }
    return rows[table]


@pytest.fixture
async def old_url(empty_url: str) -> str:
    """A database of the schema before numbers were used once, with rows in every table."""
    async with migrating(empty_url) as connection:
        await connection.run_sync(migrations.upgrade, BEFORE)
        await connection.run_sync(fill)
    return empty_url


def tables(connection: Connection) -> list[Table]:
    """As they are in the database, owners first."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def fill(connection: Connection, *, numbered: bool = False) -> None:
    """With rows as that schema has them."""
    for table in tables(connection):
        for number in range(1, ROWS + 1):
            given = {"uid": f"uid-{number}"} | row(table.name, number)
            given |= {"id": number} if numbered else {}
            values = {name: value for name, value in given.items() if name in table.c}
            connection.execute(insert(table).values(values))


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    return {
        table.name: [
            dict(found._mapping) for found in connection.execute(select(table).order_by(table.c[0]))
        ]
        for table in tables(connection)
    }


@pytest.mark.parametrize("revision", EARLIER)
async def test_every_row_comes_along_as_it_was(empty_url: str, revision: str) -> None:
    async with migrating(empty_url) as connection:
        await connection.run_sync(migrations.upgrade, revision)
        await connection.run_sync(partial(fill, numbered=True))
        before = await connection.run_sync(contents)
    assert {name: len(rows) for name, rows in before.items()} == dict.fromkeys(before, ROWS)
    await upgrade(empty_url)
    async with migrating(empty_url) as connection:
        after = await connection.run_sync(contents)
        assert await connection.run_sync(migrations.differences) == []
    appointments = before.pop("appointment")
    assert {row["name"] for row in after["zone"]} >= {"Europe/Berlin"}
    for name, rows in before.items():
        if name != "zone":
            known = [{column: row[column] for column in rows[0]} for row in after[name]]
            proven = {"proven_at"} & rows[0].keys()
            assert proven or known == rows, name
    check_appointments(appointments, after)
    assert after["change"] == []


def check_appointments(old: list[dict[str, Any]], after: dict[str, list[dict[str, Any]]]) -> None:
    """Each is in its owner's calendar, with one occurrence, and the name of its form."""
    calendars = {row["user_id"]: row for row in after["calendar"]}
    assert sorted(calendars) == list(range(1, ROWS + 1))
    assert len({row["uid"] for row in after["appointment"]}) == len(old)
    columns = ("id", "title", "location", "allday", "start", "end", "created_at", "modified_at")
    for was, now, span in zip(old, after["appointment"], after["occurrence"], strict=True):
        calendar = calendars[was["user_id"]]
        assert [now[name] for name in columns] == [was[name] for name in columns]
        assert now["description"] == was["description"].replace("\r\n", "\n")
        assert now["timezone"] == (None if was["allday"] else was["timezone"])
        assert (now["calendar_id"], now["rev"]) == (calendar["id"], calendar["rev"])
        assert (span["start_utc"], span["end_utc"]) == (was["start_utc"], was["end_utc"])
        assert (calendar["appointments"], calendar["occurrences"]) == (1, 1)
        derived_again(now, span)
    named = {(row["user_id"], row["submission"], row["id"]) for row in old if row["submission"]}
    kept = {(row["user_id"], row["submission"], row["appointment_id"]) for row in after["act"]}
    assert kept == named


def derived_again(row: dict[str, Any], span: dict[str, Any]) -> None:
    """What the migration has written is what follows from its text."""
    made = derive(row["ics"], datetime(2026, 1, 1, tzinfo=UTC))
    stamps = ("created_at", "modified_at")
    for name, value in made.columns.items():
        expected = value.timestamp() if name in stamps else value
        assert row[name] == expected, name
    (one,) = made.occurrences
    for name, value in one.items():
        expected = value.timestamp() if name in ("start_utc", "end_utc") else value
        assert span[name] == expected, name


async def test_the_oldest_account_of_the_first_version_becomes_the_administrator(
    empty_url: str,
) -> None:
    """And whoever was signed in has to prove who they are before what does lasting harm."""
    login = {"expires_at": 3, "remember": True, "created_at": 1, "last_seen_at": 2}
    async with migrating(empty_url) as connection:
        await connection.run_sync(migrations.upgrade, FIRST)
        found = {table.name: table for table in await connection.run_sync(tables)}
        for number in (7, 3, 9):
            person = {name: PERSON[name] for name in PERSON if name in found["user"].c}
            person |= {"id": number, "email": f"{number}@example.org"}
            await connection.execute(insert(found["user"]).values(person))
            session = login | {"user_id": number, "token_hash": str(number)}
            await connection.execute(insert(found["login_session"]).values(session))
    await upgrade(empty_url)
    async with migrating(empty_url) as connection:
        after = await connection.run_sync(contents)
    assert [user["id"] for user in after["user"]] == [3, 7, 9]
    assert [user["id"] for user in after["user"] if user["is_admin"]] == [3]
    assert [session["proven_at"] for session in after["login_session"]] == [0, 0, 0]


def new_row(name: str, number: int) -> dict[str, Any]:
    """One of the schema of now."""
    if name == "calendar":
        facts = {"name": "", "color": "", "position": 1, "is_hidden": False, "created_at": 1}
        counts = {"rev": 1, "pruned_rev": 0, "appointments": 0, "occurrences": 0}
        return {"user_id": 1, **facts, **counts}
    if name == "act":
        return {"user_id": 1, "kind": "", "title": "", "count": 1, "made_at": 1}
    if name == "appointment":
        texts = dict.fromkeys(("title", "location", "description", "search", "ics", "etag"), "")
        stamps = {"start": datetime(2027, 1, 1), "end": datetime(2027, 1, 1), "allday": False}
        stamps |= {"created_at": 1, "modified_at": 1, "rev": 1, "transparent": False}
        return {"calendar_id": 1, "uid": f"{number}", **texts, **stamps}
    if name == "feed":
        facts = {"calendar_id": 1, "is_busy_only": number % 2 == 0, "created_at": 1}
        return {**facts, "token_hash": f"{number}"}
    fresh = row(name, number)
    return fresh | ({"user_id": 1} if "user_id" in fresh else {})


async def test_no_number_is_given_out_again(old_url: str) -> None:
    """Neither the highest that was there before, nor one that was given out since."""
    await upgrade(old_url)
    async with migrating(old_url) as connection:
        found = {table.name: table for table in await connection.run_sync(tables)}
        for name in NUMBERED:
            table = found[name]
            given = [(await connection.scalar(select(func.max(table.c.id)))) or 0]
            for number in (ROWS + 11, ROWS + 12):
                await connection.execute(delete(table).where(table.c.id == given[-1]))
                fresh = new_row(name, number)
                made = await connection.execute(insert(table).values(fresh).returning(table.c.id))
                given.append(made.scalar_one())
            assert sorted(set(given)) == given, name


async def test_every_number_of_a_row_is_one_that_is_used_once(database_url: str) -> None:
    """Alembic does not compare this."""
    async with migrating(database_url) as connection:
        if connection.dialect.name == "sqlite":
            query = text("SELECT name FROM sqlite_master WHERE sql LIKE '% AUTOINCREMENT%'")
            assert set((await connection.scalars(query)).all()) == set(NUMBERED)
        else:
            for name in NUMBERED:
                sequence = text("SELECT pg_get_serial_sequence(:name, 'id')")
                assert await connection.scalar(sequence, {"name": f'"{name}"'}), name


@only_sqlite
async def test_an_upgrade_that_meets_rows_without_owner_says_so_and_changes_nothing(
    old_url: str,
) -> None:
    path = make_url(old_url).database or ""
    with closing(sqlite3.connect(path)) as connection:  # whose foreign keys are off
        connection.execute('DELETE FROM "user" WHERE id = 2')
        connection.commit()
    with pytest.raises(StartupError, match="rows in act, activity, appointment, device,"):
        await upgrade(old_url)
    async with migrating(old_url) as connection:
        after = await connection.run_sync(contents)
    assert (len(after["user"]), len(after["appointment"])) == (ROWS - 1, ROWS)
    assert "uid" not in after["appointment"][0]


@only_postgresql
async def test_a_sequence_that_is_behind_its_rows_catches_up(old_url: str) -> None:
    async with migrating(old_url) as connection:
        await connection.execute(text("SELECT setval('appointment_id_seq', 1)"))
    await upgrade(old_url)
    async with migrating(old_url) as connection:
        assert await connection.scalar(text("SELECT nextval('appointment_id_seq')")) > ROWS
