"""The command line: ``sched-async …``, and the same under ``quart --app sched_async …``.

It works directly on the database, whether or not the server is running.  Exit codes:
0 success, 1 refused (reason on stderr), 2 usage error.
"""

import asyncio
import functools
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from quart import Quart, current_app
from quart.cli import ScriptInfo
from sqlalchemy.ext.asyncio import AsyncConnection

from . import database, import_sched, lifespan, migrations
from . import mail as outbox
from .accounts import password_reset
from .accounts.admin import actions
from .accounts.registration import invitations, rules
from .accounts.settings.email import change_for
from .appointments import checking
from .errors import RefusedError, StartupError
from .interop import export_command as to_ics
from .interop import importing
from .models import User
from .plurals import counted
from .times import canonical_zone

SHOWN = 100  # differences
OPPOSITES = {
    "make-administrator": "end-administrator",
    "require-second-factor": "release-second-factor",
}


def init_app(app: Quart) -> None:
    for command in (user, db, mail, import_command, export_command, import_ics_command):
        app.cli.add_command(command)


def on_app(work: Callable[..., Awaitable[str]]) -> Callable[..., None]:
    """Run a coroutine function as a command and print what it returns; it takes the app first."""

    @click.pass_obj
    @functools.wraps(work)
    def run(info: ScriptInfo, *arguments: Any, **options: Any) -> None:
        given = {name: _as_typed(name, value) for name, value in options.items()}
        try:
            said = asyncio.run(_coroutine(work(info.load_app(), *arguments, **given)))
        except (RefusedError, StartupError) as error:
            field = f"{error.field}: " if isinstance(error, RefusedError) and error.field else ""
            raise click.ClickException(f"{field}{error}") from None
        if said:
            click.echo(said)

    return run


def _as_typed(name: str, value: Any) -> Any:
    """In the C locale, Python reads UTF-8 arguments as surrogates."""
    if not isinstance(value, str):
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        try:
            return os.fsencode(value).decode("utf-8")
        except UnicodeError:
            raise click.ClickException(f"{name}: This is not UTF-8 text.") from None
    return value


async def _coroutine(work: Awaitable[str]) -> str:
    return await work


def on_database(work: Callable[..., Awaitable[str]]) -> Callable[..., None]:
    """The same, with the app's database open, and without the app as an argument."""

    @functools.wraps(work)
    async def opened(app: Quart, *arguments: Any, **options: Any) -> str:
        async with lifespan.working(app):
            return await work(*arguments, **options)

    return on_app(opened)


def new_password(context: click.Context, option: click.Parameter, from_stdin: bool) -> str:
    """The first line of stdin, or what is typed twice without being shown."""
    if sys.stdin is None:
        raise click.ClickException("There is no standard input to read the password from.")
    if from_stdin:
        return _first_line()
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _first_line() -> str:
    """Without the mark that some editors put before everything, whatever the language."""
    try:
        return sys.stdin.buffer.readline().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password is not UTF-8 text.") from None
    except OSError as error:
        raise click.ClickException(f"Standard input cannot be read: {error.strerror}.") from None


password_option = click.option(
    "--password-stdin",
    "password",
    is_flag=True,
    callback=new_password,
    help="Read the password from standard input instead of asking.",
)


@click.group()
@click.version_option(package_name="sched_async", message="sched_async %(version)s")
def main() -> None:
    """Manage the accounts, the database and the email of sched_async."""


@main.group()
def user() -> None:
    """Manage accounts."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--timezone", required=True, help="An IANA time zone, such as Europe/London.")
@password_option
@on_database
async def add(email: str, name: str, timezone: str, password: str) -> str:
    """Create an account."""
    given = {"name": name, "email": email, "password": password, "timezone": timezone}
    made = await rules.create_account(**given)
    return f"Created the account {made.email}."


@user.command("list")
@on_database
async def list_users() -> str:
    """List all accounts: email address, name, time zone, state, role."""
    users = await actions.all_users()
    if not users:
        where = database.describe(current_app.config["DATABASE_URL"])
        click.echo(f"{where} has no accounts.", err=True)
    return "\n".join(map(_described, users))


def _described(account: User) -> str:
    state = "active" if account.is_active else "deactivated"
    role = ("administrator",) if account.is_admin else ()
    return "\t".join((account.email, account.name, account.timezone, state, *role))


def add_action(name: str, action: actions.Action) -> None:
    """Make a command of an action; one that has an opposite takes it as ``--off``."""

    async def act(email: str, off: bool = False, sure: bool = False) -> str:
        return await actions.act_on(email, OPPOSITES[name] if off else name, sure=sure)

    command = click.argument("email")(on_database(act))
    if name in OPPOSITES:
        command = click.option("--off", is_flag=True, help="Undo it.")(command)
    if {name, OPPOSITES.get(name)} & actions.NOT_TO_ONESELF:
        even = click.option(
            "--yes", "sure", is_flag=True, help="Confirm it for the last administrator."
        )
        command = even(command)
    user.command(name, help=action.__doc__)(command)


for name, action in (actions.ACTIONS | actions.OF_THE_OPERATOR).items():
    if name not in OPPOSITES.values():
        add_action(name, action)


@user.command("set-password")
@click.argument("email")
@password_option
@on_database
async def set_password(email: str, password: str) -> str:
    """Set a new password for an account and end its sessions."""
    await actions.set_password(email, password)
    return f"Changed the password of {email} and ended all its sessions."


@user.command("invite")
@click.argument("email")
@on_database
async def invite(email: str) -> str:
    """Print a link that creates an account, and email it if email is set up."""
    async with database.begin() as work:
        link = await invitations.invite(work, email)
    return f"This link creates an account. It works once, within 7 days:\n{link}"


@user.command("change-email")
@click.argument("email")
@click.argument("new")
@on_database
async def change_email_of(email: str, new: str) -> str:
    """Change the email address of an account; links sent to the old one end."""
    return f"The email address of {email} is now {await change_for(email, new)}."


@user.command("reset-link")
@click.argument("email")
@on_database
async def reset_link(email: str) -> str:
    """Print a link that sets a new password for an account."""
    link = await password_reset.link_for(email)
    return f"This link sets a new password. It works once, within an hour:\n{link}"


@main.group()
def db() -> None:
    """Manage the database."""


@db.command("upgrade")
@on_app
async def upgrade(app: Quart) -> str:
    """Create the database, or upgrade it to the latest schema."""
    async with lifespan.working(app, make=True):
        return "The schema is up to date."


@db.command("check")
@on_app
async def check(app: Quart) -> str:
    """Check the schema, a SQLite file, and that appointments are what their texts say."""
    database.refuse_missing_file(app.config["DATABASE_URL"])
    async with database.migrating(app.config["DATABASE_URL"]) as connection:
        different = await connection.run_sync(migrations.differences)
        unsound = await _unsound(connection)
    if different:
        raise RefusedError(
            f"The schema is not up to date ({counted(len(different), 'difference')})."
        )
    if unsound:
        raise RefusedError(f"The file is damaged: {unsound}. Restore a backup.")
    async with lifespan.working(app):
        await _check_appointments()
    return "The database is intact and its schema is up to date."


async def _check_appointments() -> None:
    wrong = 0
    async for line in checking.differences():
        wrong += 1
        if wrong <= SHOWN:
            click.echo(f"Different: {line}", err=True)
    if wrong:
        raise RefusedError(f"{counted(wrong, 'difference')} between appointments and their texts.")


@db.command("drop")
@click.option("--yes", is_flag=True, help="Confirm that everything is to be deleted.")
@on_app
async def drop(app: Quart, yes: bool) -> str:
    """Delete all accounts and appointments, with their tables."""
    if not yes:
        raise RefusedError("This deletes everyone's appointments. Pass --yes to confirm.")
    database.refuse_missing_file(app.config["DATABASE_URL"])
    url = app.config["DATABASE_URL"]
    with lifespan.only_server(url):
        async with database.migrating(url) as connection:
            await connection.run_sync(migrations.drop)
    return "Everything has been deleted."


@main.group()
def mail() -> None:
    """Manage outgoing email."""


@mail.command("status")
@on_database
async def mail_status() -> str:
    """Show how many messages are waiting, sent and given up, and the last problem."""
    return "\n".join(_mail_lines(await outbox.status(), current_app.config))


def _mail_lines(found: outbox.Status, config: Mapping[str, Any]) -> Iterator[str]:
    if server := config["MAIL_URL"]:
        yield f"Email is sent through {server}, from {config['MAIL_FROM']}."
    else:
        yield "Email is off: SCHED_MAIL_URL is not set."
    since = f", the oldest since {found.oldest:%Y-%m-%d %H:%M} UTC" if found.oldest else ""
    yield f"Waiting: {found.waiting}{since}"
    yield f"Sent in the last {outbox.KEPT_SENT.days} days: {found.sent}"
    yield f"Given up: {found.given_up}"
    if found.problem:
        yield f"Last problem: {found.problem}"


@mail.command("retry")
@on_database
async def mail_retry() -> str:
    """Retry messages that were given up; the running server sends them."""
    due = await outbox.retry()
    return f"{counted(due, 'message')} will be retried."


@main.command("import-sched")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--timezone", default="UTC", help="The time zone of the original's times.")
@on_database
async def import_command(path: Path, timezone: str) -> str:
    """Import accounts and appointments from a sched.db of the original."""
    report = await import_sched.run(path, canonical_zone(timezone))
    for line in report.skipped:
        click.echo(f"Skipped {line}", err=True)
    for line in report.changed:
        click.echo(f"Changed {line}", err=True)
    return f"Imported {report.users} accounts and {report.appointments} appointments."


@main.command("export-ics")
@click.option("--user", "email", required=True, help="The email address of the account.")
@click.option("--calendar", help="The name of one calendar; without it, all of them.")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@on_database
async def export_command(path: str, email: str, calendar: str | None) -> str:
    """Export one calendar of an account, or all in one, as iCalendar; - is standard output."""
    return await to_ics.run(path, email, calendar)


@main.command("import-ics")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--user", "email", required=True, help="The email address of the account.")
@click.option("--calendar", "name", required=True, help="Its name; it is made if need be.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--reminders", is_flag=True, help="Remind the person by email as the file says.")
@on_database
async def import_ics_command(
    path: Path, email: str, name: str, dry_run: bool, reminders: bool
) -> str:
    """Import an iCalendar file (.ics) into a calendar; --dry-run only says what would be done."""
    return await importing.run(path, email, name, dry_run=dry_run, reminding=reminders)


async def _unsound(connection: AsyncConnection) -> str | None:
    if connection.dialect.name != "sqlite":
        return None
    answer = (await connection.exec_driver_sql("PRAGMA integrity_check(1)")).scalar_one()
    return None if answer == "ok" else " ".join(str(answer).split())
