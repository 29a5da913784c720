"""Bringing a sched.db of the original over, and signing in with its passwords."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from click.testing import CliRunner, Result
from quart import Quart
from quart.cli import ScriptInfo
from quart.testing import QuartClient
from sqlalchemy import select, update
from werkzeug.security import check_password_hash

from sched_async import cli
from sched_async.accounts.registration.rules import MAX_NAME, setup_link
from sched_async.app import create_app
from sched_async.appointments import changes
from sched_async.appointments.reading import facts_of
from sched_async.database import begin, reading
from sched_async.ics.derive import derive
from sched_async.ics.ics_text import patched
from sched_async.models import Act, Appointment, Calendar, Occurrence, User
from sched_async.times import now

from .pages import csrf_token, log_in, text
from .rows import all_rows

pytestmark = pytest.mark.databases("sqlite", "postgresql")
only_sqlite = pytest.mark.databases("sqlite")

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
PASSWORD = "Tr0ub4dor"  # as short as the original allowed
SCHEMA = """
    CREATE TABLE user (
        id INTEGER PRIMARY KEY, created DATETIME, modified DATETIME,
        name VARCHAR(100), email VARCHAR(100), password VARCHAR(100), active BOOLEAN
    );
    CREATE TABLE appointment (
        id INTEGER PRIMARY KEY, created DATETIME, modified DATETIME,
        user_id INTEGER REFERENCES user (id),
        title VARCHAR(255), start DATETIME, "end" DATETIME, allday BOOLEAN,
        location VARCHAR(255), description TEXT
    );
"""


def werkzeug_hash(password: str) -> str:
    """What the original kept of a password."""
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), b"Vx9qLm2p", 1000)
    return f"pbkdf2:sha1:1000$Vx9qLm2p${key.hex()}"


def account(number: int = 1, **changed: object) -> dict[str, object]:
    values = {"name": "Ada", "email": f"ada{number}@example.org", "active": 1}
    return {"id": number, **values, "password": werkzeug_hash(PASSWORD), **changed}


def appointment(number: int = 1, **changed: object) -> dict[str, object]:
    """An hour of a summer's day, written as SQLAlchemy wrote it."""
    return {
        "id": number,
        "user_id": 1,
        "title": f"Number {number}",
        "start": "2013-07-01 09:30:00.000000",
        "end": "2013-07-01 10:30:00.000000",
        "allday": 0,
        "location": "",
        "description": "",
        **changed,
    }


class Import(Protocol):
    async def __call__(
        self,
        accounts: Sequence[dict[str, object]],
        appointments: Sequence[dict[str, object]] = (),
        *options: str,
    ) -> Result: ...


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return tmp_path / "original" / "sched.db"


def write(path: Path, **tables: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    for table, rows in tables.items():
        for row in rows:
            names = ", ".join(f'"{name}"' for name in row)
            places = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", [*row.values()])
    connection.commit()
    connection.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def run(settings: dict[str, Any], path: Path, *options: str) -> Result:
    """``sched-async import-sched``, in a thread, since it has an event loop of its own."""
    return await asyncio.to_thread(
        CliRunner(env={f"SCHED_{name}": str(value) for name, value in settings.items()}).invoke,
        cli.main,
        ["import-sched", str(path), *options],
        obj=ScriptInfo(create_app=create_app),
    )


@pytest.fixture
def bring_over(settings: dict[str, Any], original: Path) -> Import:
    """Write a sched.db of these rows and import it, into the zone of Berlin unless told."""

    async def bring_over(
        accounts: Sequence[dict[str, object]],
        appointments: Sequence[dict[str, object]] = (),
        *options: str,
    ) -> Result:
        write(original, user=accounts, appointment=appointments)
        return await run(settings, original, *(options or ("--timezone", "europe/berlin")))

    return bring_over


def done(result: Result) -> str:
    """What it said; it did its work."""
    assert result.exception is None, repr(result.exception)
    assert result.exit_code == 0, result.output
    return result.stdout


async def appointments(app: Quart) -> list[Appointment]:
    async with app.app_context(), reading() as db:
        made = Act.appointment_id == Appointment.id
        query = select(Appointment).join(Act, made).order_by(Act.submission)
        return list((await db.scalars(query)).all())


async def span_of(app: Quart, row: Appointment) -> tuple[datetime, datetime]:
    """From when to when it is, as it is indexed."""
    async with app.app_context(), reading() as db:
        (its,) = await db.scalars(select(Occurrence).where(Occurrence.appointment_id == row.id))
        return its.start_utc, its.end_utc


async def owner_of(app: Quart, row: Appointment) -> int:
    async with app.app_context(), reading() as db:
        return (await db.get_one(Calendar, row.calendar_id)).user_id


def wall(value: str) -> datetime:
    return datetime.fromisoformat(value)


def instant(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def test_the_hashes_in_these_tests_are_werkzeugs() -> None:
    assert check_password_hash(werkzeug_hash(PASSWORD), PASSWORD)
    assert not check_password_hash(werkzeug_hash(PASSWORD), PASSWORD.lower())


# What comes over


async def test_accounts_come_over_with_their_state(app: Quart, bring_over: Import) -> None:
    rows = [account(1, email="Ada@Example.org"), account(2, name="Bob", active=0)]
    result = await bring_over(rows)
    assert done(result) == "Imported 2 accounts and 0 appointments.\n"
    assert result.stderr == ""
    ada, bob = await all_rows(app, User)
    assert (ada.name, ada.email, ada.is_active) == ("Ada", "ada@example.org", True)
    assert (bob.name, bob.email, bob.is_active) == ("Bob", "ada2@example.org", False)
    assert {ada.timezone, bob.timezone} == {"Europe/Berlin"}
    assert ada.password_hash == werkzeug_hash(PASSWORD)


async def test_the_first_active_account_becomes_the_administrator(
    app: Quart, bring_over: Import
) -> None:
    done(await bring_over([account(1, active=0), account(2), account(3)]))
    assert [user.is_admin for user in await all_rows(app, User)] == [False, True, False]


async def test_times_are_meant_in_the_given_zone(app: Quart, bring_over: Import) -> None:
    winter = {"start": "2013-01-07 23:30:00.000000", "end": "2013-01-08 00:30:00.000000"}
    rows = [appointment(1, location="Room 5", description="a\nb"), appointment(2, **winter)]
    assert done(await bring_over([account()], rows)).endswith("and 2 appointments.\n")
    first, second = await appointments(app)
    assert (first.title, first.location, first.description) == ("Number 1", "Room 5", "a\nb")
    assert (first.timezone, first.allday) == ("Europe/Berlin", False)
    assert (first.start, first.end) == (wall("2013-07-01T09:30"), wall("2013-07-01T10:30"))
    assert await span_of(app, first) == (
        instant("2013-07-01T07:30"),
        instant("2013-07-01T08:30"),
    )
    assert await span_of(app, second) == (
        instant("2013-01-07T22:30"),
        instant("2013-01-07T23:30"),
    )


async def test_without_a_zone_times_are_utc(
    app: Quart, settings: dict[str, Any], original: Path
) -> None:
    write(original, user=[account()], appointment=[appointment()])
    done(await run(settings, original))
    (only,) = await appointments(app)
    assert (only.timezone, (await span_of(app, only))[0]) == ("UTC", instant("2013-07-01T09:30"))
    assert (await all_rows(app, User))[0].timezone == "UTC"


async def test_seconds_are_dropped(app: Quart, bring_over: Import) -> None:
    row = appointment(start="2013-07-01 09:30:59.999999", end="2013-07-01 10:30:01")
    done(await bring_over([account()], [row]))
    (only,) = await appointments(app)
    assert (only.start, only.end) == (wall("2013-07-01T09:30"), wall("2013-07-01T10:30"))


@only_sqlite
@pytest.mark.parametrize(
    ("start", "end", "last_day", "day_after"),
    [
        ("2013-07-01 00:00:00.000000", "2013-07-01 00:00:00.000000", "2013-07-01", "2013-07-02"),
        ("2013-07-01 09:30:00.000000", "2013-07-03 08:00:00.000000", "2013-07-03", "2013-07-04"),
        ("2013-07-01 09:30:00.000000", "2013-07-01 08:30:00.000000", "2013-07-01", "2013-07-02"),
    ],
)
async def test_whole_days_are_dates_and_never_pass_through_a_zone(
    app: Quart, bring_over: Import, start: str, end: str, last_day: str, day_after: str
) -> None:
    done(await bring_over([account()], [appointment(allday=1, start=start, end=end)]))
    (only,) = await appointments(app)
    assert only.allday is True
    assert (only.start, only.end) == (wall("2013-07-01"), wall(last_day))
    assert await span_of(app, only) == (instant("2013-07-01"), instant(day_after))


async def test_a_time_that_the_clocks_skipped_moves_on_to_the_next(
    app: Quart, bring_over: Import
) -> None:
    rows = [
        appointment(1, start="2013-03-31 02:30:00.000000", end="2013-03-31 04:00:00.000000"),
        appointment(2, start="2013-03-31 01:30:00.000000", end="2013-03-31 02:15:00.000000"),
        appointment(3, start="2013-10-27 02:30:00.000000", end="2013-10-27 03:30:00.000000"),
    ]
    done(await bring_over([account()], rows))
    starts, ends, twice = await appointments(app)
    assert (starts.start, (await span_of(app, starts))[0]) == (
        wall("2013-03-31T03:00"),
        instant("2013-03-31T01:00"),
    )
    assert (ends.end, (await span_of(app, ends))[1]) == (
        wall("2013-03-31T03:00"),
        instant("2013-03-31T01:00"),
    )
    assert (await span_of(app, twice))[0] == instant("2013-10-27T00:30"), (
        "of a time that comes twice the first"
    )


@only_sqlite
@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, "Untitled"), ("  ", "Untitled"), (" a ", "a"), ("é" * 300, "é" * 255)],
)
async def test_a_title_is_made_to_fit(
    app: Quart, bring_over: Import, given: str | None, kept: str
) -> None:
    row = appointment(title=given, location=given and "x" * 300, description=None)
    done(await bring_over([account()], [row]))
    (only,) = await appointments(app)
    assert only.title == kept
    assert only.location == ("x" * 255 if given else "")
    assert only.description == ""


async def test_the_owner_sees_them_and_nobody_else(
    app: Quart, client: QuartClient, bring_over: Import
) -> None:
    rows = [appointment(1, title="Ada's own"), appointment(2, user_id=2, title="Of another")]
    done(await bring_over([account(1), account(2)], rows))
    assert (await log_in(client, "ada1@example.org", PASSWORD)).status_code == 303
    page = await text(await client.get("/appointments/?past=1"))
    assert "Ada's own" in page
    assert "Of another" not in page


async def test_the_original_file_is_not_touched(
    app: Quart, settings: dict[str, Any], original: Path
) -> None:
    write(original, user=[account()], appointment=[appointment()])
    before = contents(original.parent)
    done(await run(settings, original))
    assert contents(original.parent) == before


async def test_a_file_may_have_any_name(
    app: Quart, settings: dict[str, Any], original: Path
) -> None:
    path = original.with_name("my sched?mode=rwc#50%25.db")
    write(path, user=[account()])
    assert done(await run(settings, path)) == "Imported 1 accounts and 0 appointments.\n"


# Again


async def test_importing_twice_doubles_nothing(app: Quart, bring_over: Import) -> None:
    rows = [appointment(1), appointment(2, allday=1)]
    for said in ("Imported 1 accounts and 2 appointments.\n", "Imported 0 accounts and 0 "):
        assert done(await bring_over([account()], rows)).startswith(said)
        assert len(await all_rows(app, User)) == 1
        assert len(await appointments(app)) == 2


async def test_importing_again_adds_what_is_new(app: Quart, bring_over: Import) -> None:
    done(await bring_over([account()], [appointment(1)]))
    again = await bring_over([account(), account(2)], [appointment(1), appointment(2)])
    assert done(again) == "Imported 1 accounts and 1 appointments.\n"
    assert [row.title for row in await appointments(app)] == ["Number 1", "Number 2"]


async def test_importing_again_brings_back_what_was_deleted_but_no_change(
    app: Quart, bring_over: Import
) -> None:
    rows = [appointment(1), appointment(2)]
    done(await bring_over([account()], rows))
    async with app.app_context(), begin() as db:
        first, second = await db.scalars(select(Appointment).order_by(Appointment.title))
        (ada,) = await db.scalars(select(User))
        text = patched(
            second.ics, facts_of(second), replace(facts_of(second), title="Changed here"), now()
        )
        async with changes.act(db, ada.id, "edit") as act:
            act.delete(first)
            act.replace(second, derive(text, now()))
        ada.is_active = False
    assert done(await bring_over([account()], rows)) == "Imported 0 accounts and 1 appointments.\n"
    assert [row.title for row in await appointments(app)] == ["Number 1", "Changed here"]
    assert not (await all_rows(app, User))[0].is_active


async def test_an_account_that_is_here_already_keeps_its_name_and_password(
    app: Quart, bring_over: Import, alice: User
) -> None:
    rows = [account(1, email="alice@example.org", name="Not Alice")]
    assert done(await bring_over(rows, [appointment()])).startswith("Imported 0 accounts and 1 ")
    (only,) = await all_rows(app, User)
    assert (only.name, only.password_hash) == ("Alice", alice.password_hash)
    assert [await owner_of(app, row) for row in await appointments(app)] == [alice.id]


async def test_where_there_are_accounts_nobody_who_is_imported_is_an_administrator(
    app: Quart, bring_over: Import, alice: User
) -> None:
    done(await bring_over([account(1), account(2)]))
    assert [user.email for user in await all_rows(app, User) if user.is_admin] == [alice.email]


async def test_a_printed_set_up_link_is_useless_once_accounts_are_imported(
    app: Quart, client: QuartClient, bring_over: Import
) -> None:
    async with app.app_context():
        link = await setup_link()
    assert link
    path = link.removeprefix("http://localhost")
    assert (await client.get(path)).status_code == 200
    done(await bring_over([account()]))
    assert (await client.get(path)).status_code == 404


# What cannot come over


@only_sqlite
@pytest.mark.parametrize(
    "changed",
    [
        {"email": "not an address"},
        {"email": ""},
        {"email": None},
        {"email": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.org"},
    ],
    ids=["no address", "empty", "null", "too long"],
)
async def test_an_account_without_an_address_is_skipped_and_named(
    app: Quart, bring_over: Import, changed: dict[str, object]
) -> None:
    rows = [appointment(1), appointment(2, user_id=2)]
    result = await bring_over([account(1), account(2, **changed)], rows)
    assert done(result) == "Imported 1 accounts and 1 appointments.\n"
    assert result.stderr.splitlines() == [
        "Skipped account 2: This is not an email address.",
        "Skipped appointment 2: its owner has not been imported.",
    ]
    assert [user.email for user in await all_rows(app, User)] == ["ada1@example.org"]


@only_sqlite
@pytest.mark.parametrize(
    "changed",
    [
        {"name": None},
        {"name": ""},
        {"name": "a" * 200},
        {"name": "nul\0in the middle"},
        {"name": "two\nlines"},
        {"password": None},
        {"active": None},
    ],
    ids=lambda changed: str(changed)[:40],
)
async def test_an_odd_account_is_imported_or_named_and_stops_nothing(
    app: Quart, bring_over: Import, changed: dict[str, object]
) -> None:
    result = await bring_over([account(1, **changed), account(2)], [appointment(1, user_id=2)])
    done(result)
    here = {user.email: user for user in await all_rows(app, User)}
    assert "ada2@example.org" in here
    assert len(await appointments(app)) == 1
    assert ("ada1@example.org" in here) != ("Skipped account 1: " in result.stderr)
    for user in here.values():
        assert 1 <= len(user.name) <= 100
        assert user.name.isprintable()


@only_sqlite
@pytest.mark.parametrize(
    "changed",
    [
        {"user_id": 77},
        {"user_id": None},
        {"start": None},
        {"start": "soon"},
        {"end": ""},
        {"end": "2013-13-01 10:00:00.000000"},
        {"end": "2013-07-01 09:30:00.000000"},
        {"end": "2013-07-01 08:30:00.000000"},
        {"end": "2015-07-01 08:30:00.000000"},
        {"allday": 1, "end": "2013-06-30 00:00:00.000000"},
        {"start": "2013-03-31 02:10:00.000000", "end": "2013-03-31 02:50:00.000000"},
        {"start": "0001-01-01 00:00:00.000000", "end": "0001-01-01 01:00:00.000000"},
        {"allday": 1, "start": "9999-12-31 00:00:00", "end": "9999-12-31 00:00:00"},
    ],
    ids=str,
)
async def test_an_appointment_that_cannot_be_is_skipped_and_named(
    app: Quart, bring_over: Import, changed: dict[str, object]
) -> None:
    result = await bring_over([account()], [appointment(1, **changed), appointment(2)])
    assert done(result) == "Imported 1 accounts and 1 appointments.\n"
    assert result.stderr.startswith("Skipped appointment 1: ")
    assert result.stderr.count("\n") == 1
    assert [row.title for row in await appointments(app)] == ["Number 2"]


@only_sqlite
@pytest.mark.parametrize(
    "changed",
    [
        {"title": "nul\0in the middle"},
        {"location": "nul\0in the middle"},
        {"description": "nul\0in the middle"},
        {"description": "x" * 100_000},
        {"allday": None},
    ],
    ids=lambda changed: str(changed)[:40],
)
async def test_an_odd_appointment_is_imported_or_named_and_stops_nothing(
    app: Quart, bring_over: Import, changed: dict[str, object]
) -> None:
    result = await bring_over([account()], [appointment(1, **changed), appointment(2)])
    done(result)
    here = await appointments(app)
    assert here[-1].title == "Number 2"
    assert (len(here) == 2) != ("Skipped appointment 1: " in result.stderr)


def write_other_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cookies (name, value)")
    connection.commit()
    connection.close()


def write_half_of_it(path: Path) -> None:
    write(path, user=[account()])
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE appointment DROP COLUMN allday")
    connection.commit()
    connection.close()


@only_sqlite
@pytest.mark.parametrize(
    "make",
    [
        Path.touch,
        lambda path: path.write_text("This is not a database. " * 400),
        write_other_database,
        write_half_of_it,
    ],
    ids=["empty", "text", "other", "half"],
)
async def test_what_is_no_sched_db_is_refused(
    app: Quart, settings: dict[str, Any], original: Path, make: Any
) -> None:
    original.parent.mkdir()
    make(original)
    result = await run(settings, original)
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {original} is not a database of the original sched")
    assert result.stderr.count("\n") == 1
    assert await all_rows(app, User) == []


async def test_a_folder_and_a_missing_file_are_wrong_usage(
    settings: dict[str, Any], original: Path
) -> None:
    original.parent.mkdir()
    for path in (original, original.parent):
        assert (await run(settings, path)).exit_code == 2


async def test_an_unknown_zone_is_refused(app: Quart, bring_over: Import) -> None:
    result = await bring_over([account()], [], "--timezone", "Europe/Atlantis")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: timezone: Unknown time zone.")
    assert await all_rows(app, User) == []


# Signing in


@pytest.mark.real_hashing
async def test_the_original_password_works_and_is_rehashed_at_the_first_login(
    app: Quart, bring_over: Import
) -> None:
    done(await bring_over([account()]))
    hashes = []
    for _ in range(2):
        response = await log_in(app.test_client(), "ada1@example.org", PASSWORD)
        assert (response.status_code, response.location) == (303, "/appointments/")
        hashes.append((await all_rows(app, User))[0].password_hash)
    assert hashes[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashes[1] == hashes[0]
    done(await bring_over([account()]))
    (again,) = await all_rows(app, User)
    assert again.password_hash == hashes[0], "importing again leaves it alone"


@only_sqlite
@pytest.mark.parametrize("wrong", [PASSWORD.lower(), f"{PASSWORD} ", "something else"])
async def test_a_wrong_password_leaves_the_hash_as_it_was(
    app: Quart, bring_over: Import, wrong: str
) -> None:
    done(await bring_over([account()]))
    assert (await log_in(app.test_client(), "ada1@example.org", wrong)).status_code == 401
    assert (await all_rows(app, User))[0].password_hash == werkzeug_hash(PASSWORD)


async def test_a_deactivated_account_cannot_sign_in(app: Quart, bring_over: Import) -> None:
    done(await bring_over([account(active=0)]))
    assert (await log_in(app.test_client(), "ada1@example.org", PASSWORD)).status_code == 403
    assert (await all_rows(app, User))[0].password_hash == werkzeug_hash(PASSWORD)


@only_sqlite
@pytest.mark.parametrize(
    "kept",
    [
        "",
        "Tr0ub4dor",
        "plain$$Tr0ub4dor",
        # What Werkzeug wrote until 0.8, and no longer reads.
        f"sha1$Vx9qLm2p${hashlib.sha1(b'Vx9qLm2pTr0ub4dor').hexdigest()}",
        "md5$Vx9qLm2p$d41d8cd98f00b204e9800998ecf8427e",
        "pbkdf2:sha1:many$Vx9qLm2p$00",
        "pbkdf2:sha1:0$Vx9qLm2p$00",
        "pbkdf2:sha999:1000$Vx9qLm2p$00",
        "pbkdf2:sha1:1000$$00",
        "scrypt:1:2$Vx9qLm2p$00",
        "$argon2id$v=19$m=19456,t=2,p=1$nonsense",
    ],
)
async def test_a_hash_that_cannot_be_read_fits_no_password(
    app: Quart, bring_over: Import, kept: str
) -> None:
    await bring_over([account(password=kept)])
    assert (await log_in(app.test_client(), "ada1@example.org", PASSWORD)).status_code == 401


# Another file, and what the forms would not take


async def test_another_file_of_the_same_person_comes_over_as_well_and_each_of_them_once(
    app: Quart, bring_over: Import
) -> None:
    """Numbers begin anew in each file; where no time of making is kept, contents tell."""
    first = [appointment(1), appointment(2, created="2013-01-01 08:00:00.000000")]
    other = [
        appointment(1, title="Other"),
        appointment(2, created="2014-01-01 08:00:00.000000"),
    ]
    for rows, new in ((first, 2), (other, 2), (first, 0), (other, 0)):
        result = await bring_over([account()], rows)
        assert done(result).endswith(f"and {new} appointments.\n")
        assert result.stderr == ""
    titles = sorted(row.title for row in await appointments(app))
    assert titles == ["Number 1", "Number 2", "Number 2", "Other"]


async def test_what_has_changed_in_the_original_since_is_named_and_not_doubled(
    app: Quart, bring_over: Import
) -> None:
    made = {"created": "2013-01-01 08:00:00.000000"}
    done(await bring_over([account()], [appointment(1, **made)]))
    result = await bring_over([account()], [appointment(1, title="Later", **made)])
    assert done(result) == "Imported 0 accounts and 0 appointments.\n"
    assert result.stderr.startswith("Skipped appointment 1: it was imported before, and has chang")
    assert [row.title for row in await appointments(app)] == ["Number 1"]


@pytest.mark.parametrize(
    ("changed", "here", "new", "named"),
    [
        ({}, {}, 0, False),
        ({}, {"title": "Changed here"}, 0, True),
        ({"title": "Other"}, {}, 1, False),
        ({"start": "2013-06-01 09:30:00", "end": "2013-06-01 10:00:00"}, {}, 1, False),
    ],
    ids=str,
)
async def test_what_an_earlier_version_imported_is_known_again(
    app: Quart,
    bring_over: Import,
    changed: dict[str, object],
    here: dict[str, object],
    new: int,
    named: bool,
) -> None:
    """It kept the number alone."""
    done(await bring_over([account()], [appointment(1)]))
    later = {"modified_at": instant("2030-01-01T00:00"), **here} if here else {}
    async with app.app_context(), begin() as db:
        created = {"modified_at": Appointment.created_at} | later
        await db.execute(update(Appointment).values(created))
        made = Act.appointment_id.is_not(None)
        await db.execute(update(Act).where(made).values(submission="sched-1"))
    for count in (new, 0):
        result = await bring_over([account()], [appointment(1, **changed)])
        assert done(result).endswith(f"and {count} appointments.\n")
        assert ("Skipped appointment 1: one of this number" in result.stderr) == named
    assert len(await appointments(app)) == 1 + new


async def test_two_accounts_that_differ_in_capitals_are_not_one_person(
    app: Quart, bring_over: Import
) -> None:
    people = [account(1, email="ada@example.org"), account(2, email="Ada@Example.org", name="Bob")]
    for said in ("Imported 1 accounts and 1 ", "Imported 0 accounts and 0 "):
        result = await bring_over(people, [appointment(1), appointment(2, user_id=2)])
        assert done(result).startswith(said)
        assert result.stderr.splitlines() == [
            "Skipped account 2: Account 1 has the same address, ada@example.org.",
            "Skipped appointment 2: its owner has not been imported.",
        ]
    assert [row.title for row in await appointments(app)] == ["Number 1"]


@only_sqlite
@pytest.mark.parametrize(
    ("given", "kept", "named", "times"),
    [
        (FAMILY, FAMILY, "", 0),
        ("علی\u200cرضا", "علی\u200cرضا", "", 0),  # noqa: RUF001
        ("\U0001fae9 new", "\U0001fae9 new", "", 0),
        ("田中\u3000太郎", "田中 太郎", "", 0),
        ("two\r\nlines", "two lines", "", 0),
        ("a\x07b\u202e\x07", "ab", "U+0007, U+202E left out of its", 4),
        ("é" * 300, "é" * MAX_NAME, "is cut to", 3),
    ],
    ids=ascii,
)
async def test_what_the_forms_take_is_kept_and_what_they_do_not_is_named(
    app: Quart, bring_over: Import, given: str, kept: str, named: str, times: int
) -> None:
    rows = [appointment(1, title=given, location=given, description=given[:200])]
    result = await bring_over([account(1, name=given)], rows)
    done(result)
    (ada,), (only,) = await all_rows(app, User), await appointments(app)
    assert (ada.name, only.title[:MAX_NAME], only.location[:MAX_NAME]) == (kept, kept, kept)
    said = result.stderr.splitlines()
    assert len(said) == times
    for line in said:
        assert line.startswith(("Changed account 1: ", "Changed appointment 1: "))
        assert named in line


async def test_notes_of_any_length_come_over_and_can_be_edited(
    app: Quart, client: QuartClient, bring_over: Import
) -> None:
    """But for what no form could send: that is cut, and named."""
    rows = [appointment(1, description="x" * 150_000), appointment(2, description="漢" * 50_000)]
    result = await bring_over([account()], rows)
    done(result)
    assert result.stderr == "Changed appointment 2: its description is cut to 22222 characters.\n"
    await log_in(client, "ada1@example.org", PASSWORD)
    for row in await appointments(app):
        address = f"/appointments/{row.id}/edit/"
        form = {"title": "New", "start": f"{row.start}", "end": f"{row.end}"}
        form |= {"timezone": row.timezone or "", "description": row.description}
        form["csrf_token"] = await csrf_token(client, address)
        assert (await client.post(address, form=form)).status_code == 303
    assert [row.title for row in await appointments(app)] == ["New", "New"]
    assert len((await appointments(app))[0].description) == 150_000
