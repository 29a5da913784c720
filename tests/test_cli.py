"""The command line: what it does, what it refuses, and what it never prints.

Commands run in a thread, since each has an event loop of its own.  So they also run
beside an app that is being served, as they may.
"""

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import click
import pytest
from click.testing import CliRunner, Result
from quart import Quart
from quart.cli import ScriptInfo
from quart.testing import QuartClient
from sqlalchemy import func, inspect, select, text, update
from sqlalchemy.engine import make_url

from sched_async import cli
from sched_async.app import create_app
from sched_async.appointments import calendar_changes, changes
from sched_async.database import begin, migrating
from sched_async.ics.derive import derive
from sched_async.models import Appointment, Base, LoginSession, User
from sched_async.testing import signed_in
from sched_async.times import now

from .appointments import add, timed
from .conftest import ALICE_PASSWORD
from .pages import is_signed_in, log_in
from .servers import ROOT, free_port, hypercorn_server

PASSWORD = "seven quiet otters upstream"
COMMAND, QUART = ("sched_async",), ("quart", "--app", "sched_async")
ADA = ("ada@example.org", "--name", "Ada", "--timezone", "Europe/Berlin")
NOBODY = "There is no account with the address nobody@example.org."

only_sqlite = pytest.mark.databases("sqlite")


class Run(Protocol):
    async def __call__(self, *arguments: str, stdin: str | bytes | None = None) -> Result: ...


@pytest.fixture
def environment(settings: dict[str, Any]) -> dict[str, str]:
    return {f"SCHED_{name}": str(value) for name, value in settings.items()}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """``sched-async`` with these arguments; whatever it prints holds no password."""

    async def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        result = await asyncio.to_thread(
            CliRunner(env=environment).invoke,
            cli.main,
            arguments,
            input=stdin,
            obj=ScriptInfo(create_app=create_app),
        )
        secrets = (PASSWORD, ALICE_PASSWORD, "argon2", environment["SCHED_SECRET_KEY"])
        assert not [secret for secret in secrets if secret and secret in result.output]
        return result

    return run


def sh(environment: Mapping[str, str], *command: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """A real process: its exit code, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={"PYTHONWARNINGS": "error", **environment},
        input=stdin,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def done(result: Result) -> str:
    """What it said; nothing went wrong."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def refusal(result: Result) -> str:
    """The one sentence on stderr of a command that did nothing."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("Error: ").rstrip("\n")


async def count(database_url: str, model: type[Base]) -> int:
    async with migrating(database_url) as connection:
        return int(await connection.scalar(select(func.count()).select_from(model)))


async def tables(database_url: str) -> set[str]:
    async with migrating(database_url) as connection:
        names: list[str] = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    return set(names) & set(Base.metadata.tables)


async def add_ada(run: Run) -> None:
    done(await run("user", "add", *ADA, "--password-stdin", stdin=f"{PASSWORD}\n"))


# Calendars


@pytest.fixture
async def two_calendars(app: Quart, alice: User) -> None:
    """Of Alice's, with the dentist in both, and something else in the first."""
    await add(app, alice, timed("Dentist", "2027-01-01T10:00"), timed("Barber", "2027-01-02T10:00"))
    async with app.app_context(), begin() as db:
        work = await calendar_changes.add(db, alice.id, "Work", "moss")
        text = await db.scalar(select(Appointment.ics).where(Appointment.id == 1))
        async with changes.act(db, alice.id, "import") as act:
            act.put(work.id, derive(str(text), now()), is_fresh=True)


async def test_a_calendar_is_exported_to_a_file_or_to_standard_output(
    run: Run, two_calendars: None, tmp_path: Path
) -> None:
    path = tmp_path / "all.ics"
    export = ("export-ics", "--user", "alice@example.org")
    assert done(await run(*export, "--calendar", "work", str(path))) == "Exported 1 appointment.\n"
    result = await run(*export, "--calendar", "Work", "-")
    assert result.stdout_bytes == path.read_bytes()
    assert "\r\nNAME:Work\r\n" in path.read_bytes().decode()
    result = await run(*export, str(path))
    assert result.stdout == "Exported 2 appointments.\n"
    assert result.stderr == "Left out 1 appointment: another calendar has one of the same UID.\n"
    assert path.read_bytes().count(b"BEGIN:VEVENT") == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--calendar", "Home", "-"], "There is no calendar called Home. There are: Personal."),
        (["/no/such/folder/file"], "/no/such/folder/file cannot be written: No such file or"),
    ],
)
async def test_an_export_that_cannot_be_is_refused(
    run: Run, alice: User, arguments: list[str], sentence: str
) -> None:
    said = refusal(await run("export-ics", "--user", "alice@example.org", *arguments))
    assert sentence in said


# Accounts


async def test_an_added_person_can_sign_in(app: Quart, client: QuartClient, run: Run) -> None:
    result = await run("user", "add", *ADA, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert done(result) == "Created the account ada@example.org.\n"
    response = await log_in(client, "ada@example.org", PASSWORD)
    assert (response.status_code, response.location) == (303, "/appointments/")


async def test_address_and_zone_are_kept_in_their_usual_form(run: Run) -> None:
    arguments = ("Ada@Example.ORG", "--name", " Ada ", "--timezone", "europe/BERLIN")
    result = await run("user", "add", *arguments, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert done(result) == "Created the account ada@example.org.\n"
    assert (
        done(await run("user", "list"))
        == "ada@example.org\tAda\tEurope/Berlin\tactive\tadministrator\n"
    )


async def test_without_stdin_the_password_is_asked_for_twice_and_not_shown(
    app: Quart, client: QuartClient, run: Run
) -> None:
    result = await run("user", "add", *ADA, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert "Password:" in result.output
    assert "Repeat for confirmation:" in result.output
    assert (await log_in(client, "ada@example.org", PASSWORD)).status_code == 303


async def test_two_passwords_that_differ_are_asked_for_again(run: Run, database_url: str) -> None:
    result = await run("user", "add", *ADA, stdin=f"{PASSWORD}\nsomething else now\n")
    assert result.exit_code == 1
    assert "do not match" in result.output
    assert await count(database_url, User) == 0


@pytest.mark.parametrize(
    ("stdin", "password"),
    [
        (f"  {PASSWORD}  \n", f"  {PASSWORD}  "),
        (f"{PASSWORD}\t\n", f"{PASSWORD}\t"),
        (PASSWORD, PASSWORD),
        (f"{PASSWORD}\r\n", PASSWORD),
        (f"{PASSWORD}\nand more\n", PASSWORD),
        ("zwölf Boxkämpfer 私\n", "zwölf Boxkämpfer 私"),
    ],
    ids=["spaces", "tab", "no newline", "crlf", "second line", "not ascii"],
)
async def test_of_stdin_only_the_newline_is_not_the_password(
    app: Quart, client: QuartClient, run: Run, stdin: str, password: str
) -> None:
    done(await run("user", "add", *ADA, "--password-stdin", stdin=stdin))
    assert (await log_in(client, "ada@example.org", password)).status_code == 303
    for other in {password.strip(), f"{password} ", stdin.rstrip("\n")} - {password}:
        assert (await log_in(app.test_client(), "ada@example.org", other)).status_code == 401


@pytest.mark.parametrize(
    ("changed", "password", "sentence"),
    [
        ({"email": "ada"}, PASSWORD, "email: This is not an email address."),
        ({"email": "ada@example.org\n"}, "", "password: Use at least 12 characters."),
        (
            {"timezone": "Europe/Atlantis"},
            PASSWORD,
            "timezone: Unknown time zone. Try one like Europe/London.",
        ),
        (
            {"timezone": "../../etc/passwd"},
            PASSWORD,
            "timezone: Unknown time zone. Try one like Europe/London.",
        ),
        ({"name": " "}, PASSWORD, "name: Use 1 to 100 characters."),
        ({"name": "a" * 101}, PASSWORD, "name: Use 1 to 100 characters."),
        (
            {"name": "\x1b[2J"},
            PASSWORD,
            "name: This contains a character that can't be used. Remove U+001B.",
        ),
        ({}, "short", "password: Use at least 12 characters."),
        ({}, "a" * 1025, "password: Use at most 1024 characters."),
        ({}, "nul\0in the middle", "password: This contains a character that can't be used."),
        (
            {},
            "ada@example.org!",
            "password: This is too similar to your name or email, or to the name of this site.",
        ),
        (
            {},
            "password1234",
            "password: This password is too common. Choose another.",
        ),
    ],
)
async def test_what_will_not_do_is_refused_with_a_sentence(
    run: Run, database_url: str, changed: dict[str, str], password: str, sentence: str
) -> None:
    given = {"email": "ada@example.org", "name": "Ada", "timezone": "Europe/Berlin"} | changed
    options = ("--name", given["name"], "--timezone", given["timezone"], "--password-stdin")
    result = await run("user", "add", given["email"], *options, stdin=f"{password}\n")
    assert refusal(result) == sentence
    assert await count(database_url, User) == 0


async def test_stdin_that_is_not_utf8_is_refused_with_a_sentence(
    run: Run, database_url: str
) -> None:
    stdin = b"twelve or more \xff\xfe\n"
    refusal(await run("user", "add", *ADA, "--password-stdin", stdin=stdin))
    assert await count(database_url, User) == 0


async def test_an_address_is_added_once_however_it_is_written(run: Run, database_url: str) -> None:
    await add_ada(run)
    again = ("ADA@example.org", "--name", "Other", "--timezone", "UTC", "--password-stdin")
    result = await run("user", "add", *again, stdin=f"{PASSWORD}\n")
    assert refusal(result) == "email: There is already an account with this address."
    assert await count(database_url, User) == 1


async def test_a_printed_set_up_link_is_useless_once_somebody_is_added(
    capsys: pytest.CaptureFixture[str], app: Quart, client: QuartClient, run: Run
) -> None:
    printed = re.search(r"http://localhost(/setup/[^\s/]+/)", capsys.readouterr().out)
    assert printed
    assert (await client.get(printed[1])).status_code == 200
    await add_ada(run)
    assert (await client.get(printed[1])).status_code == 404


async def test_the_list_is_in_order_and_shows_who_is_deactivated(
    run: Run, alice: User, mallory: User
) -> None:
    done(await run("user", "deactivate", "mallory@example.org"))
    assert done(await run("user", "list")).splitlines() == [
        "alice@example.org\tAlice\tEurope/Berlin\tactive\tadministrator",
        "mallory@example.org\tMallory\tAmerica/New_York\tdeactivated",
    ]


async def test_the_list_of_nobody_is_empty_and_names_the_database(
    environment: dict[str, str], run: Run
) -> None:
    """Whoever expected somebody has perhaps given the wrong settings."""
    result = await run("user", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith(" has no accounts.\n")
    assert environment["SCHED_DATABASE_URL"].rpartition("/")[2] in result.stderr


async def test_deactivating_ends_every_session_of_that_person_and_of_nobody_else(
    app: Quart, run: Run, database_url: str, alice: User, mallory: User
) -> None:
    hers = [await signed_in(app, "alice@example.org", remember=keep) for keep in (True, False)]
    other = await signed_in(app, "mallory@example.org")
    assert all([await is_signed_in(client) for client in (*hers, other)])
    assert done(await run("user", "deactivate", "ALICE@example.org ", "--yes")).startswith(
        "alice@example.org has been deactivated"
    )
    assert [await is_signed_in(client) for client in (*hers, other)] == [False, False, True]
    assert await count(database_url, LoginSession) == 1
    refused = await log_in(app.test_client(), "alice@example.org", ALICE_PASSWORD)
    assert refused.status_code == 403


async def test_a_reset_link_is_printed_for_the_operator_to_hand_over(
    app: Quart, run: Run, client: QuartClient, alice: User
) -> None:
    printed = done(await run("user", "reset-link", " ALICE@example.org"))
    link = printed.splitlines()[-1]
    assert link.startswith("http://localhost/password/reset/")
    assert (await client.get(link.removeprefix("http://localhost"))).status_code == 303
    page = await client.get("/password/reset/")
    assert page.status_code == 200
    assert "alice@example.org" in await page.get_data(as_text=True)
    done(await run("user", "reset-link", "alice@example.org"))
    assert (await client.get("/password/reset/")).status_code == 404, "the newer one counts"


async def test_an_address_is_changed_and_links_to_the_old_one_end(
    run: Run, client: QuartClient, alice: User, mallory: User
) -> None:
    link = done(await run("user", "reset-link", "alice@example.org")).splitlines()[-1]
    said = done(await run("user", "change-email", "ALICE@example.org", "Alice@Example.net"))
    assert said == "The email address of ALICE@example.org is now alice@example.net.\n"
    await client.get(link.removeprefix("http://localhost"))
    assert (await client.get("/password/reset/")).status_code == 404
    assert (await log_in(client, "alice@example.net", ALICE_PASSWORD)).status_code == 303
    taken = await run("user", "change-email", "alice@example.net", "mallory@example.org")
    assert refusal(taken) == "email: There is already an account with this address."


async def test_an_invitation_is_printed_for_the_operator_to_hand_over(
    app: Quart, run: Run, environment: dict[str, str], client: QuartClient
) -> None:
    app.config["REGISTRATION"] = environment["SCHED_REGISTRATION"] = "invite"
    link = done(await run("user", "invite", "Bob@example.org")).splitlines()[-1]
    assert (await client.get(link.removeprefix("http://localhost"))).status_code == 303
    page = await client.get("/register/")
    assert page.status_code == 200
    assert "bob@example.org" in await page.get_data(as_text=True)


async def test_nobody_is_invited_where_registration_is_closed(run: Run) -> None:
    sentence = refusal(await run("user", "invite", "bob@example.org"))
    assert sentence.startswith("Registration is closed. Set SCHED_REGISTRATION")


async def test_an_activated_person_signs_in_anew(app: Quart, run: Run, alice: User) -> None:
    before = await signed_in(app, "alice@example.org")
    done(await run("user", "deactivate", "alice@example.org", "--yes"))
    assert done(await run("user", "activate", "alice@example.org")) == (
        "alice@example.org is active again.\n"
    )
    assert not await is_signed_in(before)
    response = await log_in(app.test_client(), "alice@example.org", ALICE_PASSWORD)
    assert response.status_code == 303


async def test_deactivating_deletes_nothing(
    app: Quart, run: Run, database_url: str, alice: User
) -> None:
    await give_appointments(app, alice, 3)
    done(await run("user", "deactivate", "alice@example.org", "--yes"))
    assert await count(database_url, Appointment) == 3
    assert await count(database_url, User) == 1


async def test_a_new_password_ends_every_session_and_the_old_password(
    app: Quart, run: Run, database_url: str, alice: User, mallory: User
) -> None:
    hers = await signed_in(app, "alice@example.org", remember=True)
    other = await signed_in(app, "mallory@example.org")
    command = ("user", "set-password", "alice@example.org", "--password-stdin")
    assert done(await run(*command, stdin=f"{PASSWORD} \n")) == (
        "Changed the password of alice@example.org and ended all its sessions.\n"
    )
    assert [await is_signed_in(client) for client in (hers, other)] == [False, True]
    assert await count(database_url, LoginSession) == 1
    tried = [ALICE_PASSWORD, PASSWORD, f"{PASSWORD} "]
    answers = [await log_in(app.test_client(), "alice@example.org", each) for each in tried]
    assert [answer.status_code for answer in answers] == [401, 401, 303]


async def test_a_new_password_that_will_not_do_changes_nothing(
    app: Quart, run: Run, alice: User
) -> None:
    client = await signed_in(app, "alice@example.org")
    command = ("user", "set-password", "alice@example.org", "--password-stdin")
    result = await run(*command, stdin="Alice@example.org\n")
    assert refusal(result).startswith("password: ")
    assert await is_signed_in(client)
    response = await log_in(app.test_client(), "alice@example.org", ALICE_PASSWORD)
    assert response.status_code == 303


async def test_signing_out_ends_every_session_and_says_how_many(
    app: Quart, run: Run, database_url: str, alice: User, mallory: User
) -> None:
    hers = [await signed_in(app, "alice@example.org") for _ in range(2)]
    other = await signed_in(app, "mallory@example.org")
    said = done(await run("user", "sign-out", "alice@example.org"))
    assert said == "alice@example.org has been signed out everywhere (2 sessions).\n"
    assert [await is_signed_in(client) for client in (*hers, other)] == [False, False, True]
    assert await count(database_url, LoginSession) == 1
    said = done(await run("user", "sign-out", "mallory@example.org"))
    assert said == "mallory@example.org has been signed out everywhere (1 session).\n"
    said = done(await run("user", "sign-out", "mallory@example.org"))
    assert said == "mallory@example.org has been signed out everywhere (0 sessions).\n"


@pytest.mark.parametrize(
    "command", ["deactivate", "activate", "set-password", "sign-out", "reset-link"]
)
async def test_an_unknown_address_is_refused(run: Run, command: str) -> None:
    password = ["--password-stdin"] if command == "set-password" else []
    result = await run("user", command, "nobody@example.org", *password, stdin=f"{PASSWORD}\n")
    assert refusal(result) == NOBODY


# The database


async def give_appointments(app: Quart, owner: User, number: int) -> None:
    many = (timed(f"Number {index}", "2027-01-01T10:00", zone="UTC") for index in range(number))
    await add(app, owner, *many)


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.own_database
async def test_upgrading_makes_the_tables_and_may_be_repeated(run: Run, database_url: str) -> None:
    done(await run("db", "drop", "--yes"))
    assert await tables(database_url) == set()
    for _ in range(2):
        assert done(await run("db", "upgrade")) == "The schema is up to date.\n"
        assert await tables(database_url) == set(Base.metadata.tables)


@only_sqlite
async def test_upgrading_makes_a_missing_file_and_its_folder(
    environment: dict[str, str], run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "not" / "yet"
    environment["SCHED_DATA_DIR"] = str(folder)
    environment["SCHED_DATABASE_URL"] = environment["SCHED_SECRET_KEY"] = ""
    done(await run("db", "upgrade"))
    assert (folder / "sched.db").exists()
    assert (folder / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.own_database
async def test_a_database_that_a_newer_version_made_is_refused(run: Run, database_url: str) -> None:
    async with migrating(database_url) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    for command in (["db", "upgrade"], ["user", "list"], ["db", "drop", "--yes"]):
        assert "was created by a newer version of sched_async" in refusal(await run(*command))
    assert await tables(database_url) == set(Base.metadata.tables)


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.own_database
async def test_check_finds_a_good_database_good(run: Run) -> None:
    said = done(await run("db", "check"))
    assert said == "The database is intact and its schema is up to date.\n"


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE appointment DROP COLUMN location",
        "DROP INDEX ix_login_session_user_id_last_seen_at_id",
        "DROP TABLE one_time_token",
        'ALTER TABLE "user" ADD COLUMN phone TEXT',
    ],
)
@pytest.mark.own_database
async def test_check_notices_a_schema_that_differs(
    run: Run, database_url: str, change: str
) -> None:
    async with migrating(database_url) as connection:
        await connection.execute(text(change))
    result = await run("db", "check")
    assert re.fullmatch(r"The schema is not up to date \(\d+ differences?\)\.", refusal(result))


def overwrite_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_text(path: Path) -> None:
    path.write_text("This is not a database. " * 400)


def lose_an_index_entry(path: Path) -> None:
    """Every page is well-formed, but the index does not know a row."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        where = "WHERE name = 'ix_occurrence_range'"
        row = connection.execute(f"SELECT sql FROM sqlite_schema {where}").fetchone()
        partial = f"{row[0]} WHERE appointment_id > 5"
        connection.execute(f"UPDATE sqlite_schema SET sql = ? {where}", (partial,))
    connection.close()
    with sqlite3.connect(path) as connection:
        connection.execute("REINDEX")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"UPDATE sqlite_schema SET sql = ? {where}", (row[0],))
    connection.close()


@only_sqlite
@pytest.mark.parametrize(
    "damage", [overwrite_a_page, cut_short, replace_by_text, lose_an_index_entry]
)
async def test_check_notices_a_damaged_file(
    run: Run,
    database_url: str,
    settings: dict[str, Any],
    damage: Callable[[Path], None],
) -> None:
    app = create_app(settings)
    async with app.test_app():
        await add_ada(run)
        async with app.app_context(), begin() as db:
            ada = await db.scalar(select(User))
        assert ada
        await give_appointments(app, ada, 300)
    path = Path(make_url(database_url).database or "")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damage(path)
    said = refusal(await run("db", "check"))
    assert "damaged" in said or "malformed" in said or "not a database" in said


@only_sqlite
@pytest.mark.parametrize(
    "command",
    [
        ["db", "check"],
        ["db", "drop", "--yes"],
        ["user", "list"],
        ["user", "add", *ADA, "--password-stdin"],
        ["user", "invite", "ada@example.org"],
        ["user", "deactivate", "ada@example.org"],
        ["user", "set-password", "ada@example.org", "--password-stdin"],
        ["mail", "status"],
        ["import-sched", "pyproject.toml"],
        ["export-ics", "--user", "ada@example.org", "-"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
async def test_a_missing_file_is_said_and_not_made(
    environment: dict[str, str], run: Run, tmp_path: Path, command: list[str]
) -> None:
    """As for whoever runs a command without the settings of the server."""
    folder = tmp_path / "elsewhere"
    environment["SCHED_DATA_DIR"] = str(folder)
    environment["SCHED_DATABASE_URL"] = environment["SCHED_SECRET_KEY"] = ""
    assert refusal(await run(*command, stdin=PASSWORD)) == (
        f"The database {folder}/sched.db has not been created yet. Give this command the "
        "settings that the server has, or create it: sched-async db upgrade"
    )
    assert not folder.exists()


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.own_database
async def test_a_database_without_tables_is_said_and_left_alone(
    environment: dict[str, str], run: Run, database_url: str
) -> None:
    done(await run("db", "drop", "--yes"))
    said = refusal(await run("user", "add", *ADA, "--password-stdin", stdin=PASSWORD))
    assert said.startswith(f"The database {environment['SCHED_DATABASE_URL'].split('///')[-1]} has")
    assert await tables(database_url) == set()


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.own_database
async def test_dropping_needs_yes(run: Run, database_url: str) -> None:
    await add_ada(run)
    assert "--yes" in refusal(await run("db", "drop"))
    assert await count(database_url, User) == 1


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.own_database
async def test_dropping_deletes_everything(run: Run, database_url: str) -> None:
    await add_ada(run)
    assert done(await run("db", "drop", "--yes")) == "Everything has been deleted.\n"
    assert await tables(database_url) == set()
    assert "has not been created yet" in refusal(await run("user", "list"))


@only_sqlite
async def test_a_file_that_is_being_served_is_not_dropped(
    app: Quart, alice: User, run: Run, database_url: str
) -> None:
    assert "Another process is already serving" in refusal(await run("db", "drop", "--yes"))
    assert await count(database_url, User) == 1


@only_sqlite
def test_a_file_that_another_process_serves_is_not_dropped(environment: dict[str, str]) -> None:
    del environment["SCHED_PUBLIC_URL"]
    with hypercorn_server(environment) as server:
        code, out, err = sh(environment, "sched_async", "db", "drop", "--yes")
        assert (code, out) == (1, "")
        assert err.startswith("Error: Another process is already serving")
        assert server.process.poll() is None
    assert sh(environment, "sched_async", "db", "drop", "--yes")[0] == 0


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.own_database
async def test_an_unreachable_server_is_said_without_its_password(
    environment: dict[str, str], run: Run
) -> None:
    environment["SCHED_DATABASE_URL"] = (
        f"postgresql+asyncpg://sched:hunter2hunter2@127.0.0.1:{free_port()}/sched"
    )
    for command in (["user", "list"], ["db", "check"], ["db", "upgrade"]):
        said = refusal(await run(*command))
        assert "cannot be used" in said
        assert "hunter2" not in said


# Usage


def every_command(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every_command(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = list(every_command(cli.main))


def test_these_are_the_commands() -> None:
    assert {" ".join(path) for path, _ in COMMANDS} == {
        "user add",
        "user list",
        "user deactivate",
        "user activate",
        "user set-password",
        "user sign-out",
        "user make-administrator",
        "user require-second-factor",
        "user remove-second-factor",
        "user invite",
        "user change-email",
        "user reset-link",
        "db upgrade",
        "db check",
        "db drop",
        "mail status",
        "mail retry",
        "import-sched",
        "export-ics",
        "import-ics",
    }


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.main, [*path, "--help"])
    assert result.exit_code == 0
    explanation = result.stdout.split("\n\n")[1].strip()
    assert explanation.endswith(".")


@pytest.mark.parametrize(
    "arguments",
    [
        ["users"],
        ["user", "remove", "ada@example.org"],
        ["user", "add"],
        ["user", "add", "ada@example.org", "--timezone", "UTC", "--password-stdin"],
        ["user", "add", "ada@example.org", "--name", "Ada", "--password-stdin"],
        ["user", "add", *ADA, "--password", PASSWORD],
        ["user", "list", "more"],
        ["user", "deactivate"],
        ["user", "deactivate", "a@example.org", "b@example.org"],
        ["db", "drop", "--really"],
        ["import-sched"],
        ["export-ics", "file.ics"],
        ["export-ics", "--user", "ada@example.org"],
        ["import-sched", "/no/such/file"],
    ],
)
def test_wrong_usage_ends_with_2_and_the_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.main, arguments, input=f"{PASSWORD}\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")
    assert "Error: " in result.stderr
    assert PASSWORD not in result.stderr


# Real processes


async def test_a_real_process_lists_the_accounts(environment: dict[str, str], run: Run) -> None:
    """By either name of the command."""
    await add_ada(run)
    listed = await asyncio.to_thread(sh, environment, *COMMAND, "user", "list")
    assert listed == (0, "ada@example.org\tAda\tEurope/Berlin\tactive\tadministrator\n", "")
    assert await asyncio.to_thread(sh, environment, *QUART, "user", "list") == listed
    nobody = ("user", "sign-out", "nobody@example.org")
    refused = await asyncio.to_thread(sh, environment, *QUART, *nobody)
    assert refused == (1, "", f"Error: {NOBODY}\n")


@pytest.mark.parametrize("language", ["C", "C.UTF-8"])  # POSIX is another name of C
async def test_a_real_process_takes_the_bytes_of_a_password_in_any_language(
    environment: dict[str, str], app: Quart, client: QuartClient, language: str
) -> None:
    password = " zwölf Boxkämpfer 私 "
    command = ("sched_async", "user", "add", *ADA, "--password-stdin")
    stdin = f"{password}\n".encode()
    result = await asyncio.to_thread(sh, environment | {"LC_ALL": language}, *command, stdin=stdin)
    assert result == (0, "Created the account ada@example.org.\n", "")
    assert (await log_in(client, "ada@example.org", password)).status_code == 303


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        (COMMAND, "SCHED_DATABASE_URL", "mysql://sched:hunter2hunter2@localhost/sched"),
        (COMMAND, "SCHED_SECRET_KEY", "hunter2"),
        (COMMAND, "SCHED_DATABASE", "sched.db"),
        (QUART, "SCHED_SECRET_KEY", "hunter2"),
    ],
)
def test_a_wrong_setting_ends_with_one_line_that_names_it(
    command: tuple[str, ...], name: str, value: str
) -> None:
    code, out, err = sh({name: value}, *command, "user", "list")
    assert (code, out) == (1, "")
    assert err.startswith(f"sched_async: {name} ")
    assert err.count("\n") == 1
    assert "hunter2" not in err


# What a terminal or a script gives


@only_sqlite
async def test_a_mark_before_everything_is_not_part_of_a_password(
    app: Quart, client: QuartClient, run: Run
) -> None:
    """As Notepad and PowerShell write it."""
    stdin = f"\ufeff{PASSWORD}\r\n".encode()
    done(await run("user", "add", *ADA, "--password-stdin", stdin=stdin))
    assert (await log_in(client, "ada@example.org", PASSWORD)).status_code == 303


@only_sqlite
@pytest.mark.parametrize("option", [["--password-stdin"], []])
async def test_a_closed_standard_input_is_refused_with_a_sentence(
    environment: dict[str, str], database_url: str, option: list[str]
) -> None:
    command = [sys.executable, "-m", "sched_async", "user", "add", *ADA, *option]
    ended = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    said = "Error: There is no standard input to read the password from.\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)
    assert await count(database_url, User) == 0


@only_sqlite
@pytest.mark.parametrize("utf8_mode", ["0", "1"])
async def test_a_real_process_takes_a_name_in_any_language(
    environment: dict[str, str], app: Quart, client: QuartClient, utf8_mode: str
) -> None:
    """In the language C Python may read the arguments as no characters at all."""
    more = {"LC_ALL": "C", "PYTHONUTF8": utf8_mode}
    who = ("zoe@example.org", "--name", "Zo\u00eb \u79c1", "--timezone", "UTC")
    command = ("sched_async", "user", "add", *who, "--password-stdin")
    stdin = ALICE_PASSWORD.encode()
    made = await asyncio.to_thread(sh, environment | more, *command, stdin=stdin)
    assert made == (0, "Created the account zoe@example.org.\n", "")
    listed = await asyncio.to_thread(sh, environment | more, "sched_async", "user", "list")
    assert listed[1].startswith("zoe@example.org\tZo\u00eb \u79c1\tUTC\t")


@only_sqlite
async def test_a_name_in_no_known_bytes_is_refused(run: Run, database_url: str) -> None:
    who = ("zoe@example.org", "--name", "Zo\udceb", "--timezone", "UTC")
    said = refusal(await run("user", "add", *who, "--password-stdin", stdin=PASSWORD))
    assert said == "name: This is not UTF-8 text."
    assert await count(database_url, User) == 0


def test_the_version_is_the_packages() -> None:
    result = CliRunner().invoke(cli.main, ["--version"])
    assert (result.exit_code, result.output) == (0, f"sched_async {version('sched_async')}\n")


# Administrators


@only_sqlite
async def test_the_list_shows_who_is_an_administrator(run: Run, alice: User, mallory: User) -> None:
    alices, mallorys = done(await run("user", "list")).splitlines()
    assert alices == "alice@example.org\tAlice\tEurope/Berlin\tactive\tadministrator"
    assert mallorys == "mallory@example.org\tMallory\tAmerica/New_York\tactive"


LAST = (
    "alice@example.org is the last administrator. Make someone else one first, or pass --yes to "
    "confirm."
)


@pytest.mark.parametrize("command", [["deactivate"], ["make-administrator", "--off"]])
async def test_the_last_administrator_stays_one_unless_somebody_insists(
    run: Run, alice: User, mallory: User, command: list[str]
) -> None:
    end_it = ["user", *command, alice.email]
    before = done(await run("user", "list"))
    assert refusal(await run(*end_it)) == LAST
    assert done(await run("user", "list")) == before
    done(await run("user", "make-administrator", mallory.email))
    done(await run(*end_it))
    done(await run("user", command[0], mallory.email, *command[1:], "--yes"))
    assert "active\tadministrator" not in done(await run("user", "list"))


@only_sqlite
async def test_an_administrator_who_is_going_counts_for_none(
    app: Quart, run: Run, alice: User, mallory: User
) -> None:
    done(await run("user", "make-administrator", mallory.email))
    for going in ({"is_active": False}, {"is_active": True, "delete_at": datetime.now(UTC)}):
        async with app.app_context(), begin() as db:
            await db.execute(update(User).where(User.id == mallory.id).values(going))
        assert refusal(await run("user", "deactivate", alice.email)) == LAST
