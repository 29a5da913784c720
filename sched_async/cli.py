"""The command line: ``sched-async …``, and the same under ``quart --app sched_async …``.

It works on the database itself, so also while nothing is served.  Exit codes: 0 done,
1 refused with a sentence on stderr, 2 wrong usage.
"""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
from quart import Quart
from quart.cli import ScriptInfo
from sqlalchemy.ext.asyncio import AsyncConnection

from . import database, import_sched, lifespan, migrations
from .accounts import administration, registration
from .errors import RefusedError, StartupError


def init_app(app: Quart) -> None:
    for command in (user, db, import_command):
        app.cli.add_command(command)


def on_app(work: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a coroutine function as a command; its first argument is the app."""

    @click.pass_obj
    @functools.wraps(work)
    def run(info: ScriptInfo, *arguments: Any, **options: Any) -> None:
        try:
            asyncio.run(_coroutine(work(info.load_app(), *arguments, **options)))
        except (RefusedError, StartupError) as error:
            field = f"{error.field}: " if isinstance(error, RefusedError) and error.field else ""
            raise click.ClickException(f"{field}{error}") from None

    return run


async def _coroutine(work: Awaitable[None]) -> None:
    await work


def new_password(context: click.Context, option: click.Parameter, from_stdin: bool) -> str:
    """The first line of stdin, or what is typed twice without being shown."""
    if from_stdin:
        try:
            return sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.ClickException("The password is not text in UTF-8.") from None
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


password_option = click.option(
    "--password-stdin",
    "password",
    is_flag=True,
    callback=new_password,
    help="Read the password from standard input instead of asking.",
)


@click.group()
def main() -> None:
    """Look after sched_async: its accounts and its database."""


@main.group()
def user() -> None:
    """Accounts."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--timezone", required=True, help="An IANA name like Europe/Berlin.")
@password_option
@on_app
async def add(app: Quart, email: str, name: str, timezone: str, password: str) -> None:
    """Make an account."""
    async with lifespan.working(app):
        made = await registration.create_account(
            name=name, email=email, password=password, timezone=timezone
        )
    click.echo(f"Made the account {made.email}.")


@user.command("list")
@on_app
async def list_users(app: Quart) -> None:
    """Show every account: address, name, zone, state."""
    async with lifespan.working(app):
        for account in await administration.all_users():
            state = "active" if account.is_active else "deactivated"
            click.echo("\t".join((account.email, account.name, account.timezone, state)))


@user.command("deactivate")
@click.argument("email")
@on_app
async def deactivate(app: Quart, email: str) -> None:
    """Shut an account, and end its sessions; nothing of it is deleted."""
    async with lifespan.working(app):
        await administration.set_active(email, False)
    click.echo(f"Deactivated {email}.")


@user.command("activate")
@click.argument("email")
@on_app
async def activate(app: Quart, email: str) -> None:
    """Open a deactivated account again."""
    async with lifespan.working(app):
        await administration.set_active(email, True)
    click.echo(f"Activated {email}.")


@user.command("set-password")
@click.argument("email")
@password_option
@on_app
async def set_password(app: Quart, email: str, password: str) -> None:
    """Give an account a new password, and end its sessions."""
    async with lifespan.working(app):
        await administration.set_password(email, password)
    click.echo(f"Changed the password of {email}; all its sessions are ended.")


@user.command("sign-out")
@click.argument("email")
@on_app
async def sign_out(app: Quart, email: str) -> None:
    """End every login session of an account."""
    async with lifespan.working(app):
        ended = await administration.sign_out(email)
    click.echo(f"Ended {ended} session{'' if ended == 1 else 's'} of {email}.")


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@on_app
async def upgrade(app: Quart) -> None:
    """Make the database, or bring it to the newest schema."""
    async with lifespan.working(app):
        click.echo("The schema is the newest.")


@db.command("check")
@on_app
async def check(app: Quart) -> None:
    """Say whether schema and models agree, and whether a SQLite file is sound."""
    _refuse_missing(app)
    async with database.migrating(app.config["DATABASE_URL"]) as connection:
        different = await connection.run_sync(migrations.differences)
        unsound = await _unsound(connection)
    if different:
        raise RefusedError(f"The schema is not the newest ({len(different)} differences).")
    if unsound:
        raise RefusedError(f"The file is damaged: {unsound}. Restore a backup.")
    click.echo("The database is sound, and its schema is the newest.")


@db.command("drop")
@click.option("--yes", is_flag=True, help="Really delete everything.")
@on_app
async def drop(app: Quart, yes: bool) -> None:
    """Delete every account and appointment, with their tables."""
    if not yes:
        raise RefusedError("This deletes everybody's appointments. Say --yes if you mean it.")
    _refuse_missing(app)
    url = app.config["DATABASE_URL"]
    with lifespan.only_server(url):
        async with database.migrating(url) as connection:
            await connection.run_sync(migrations.drop)
    click.echo("Everything is deleted.")


@main.command("import-sched")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--timezone", default="UTC", help="Where the original's times were meant.")
@on_app
async def import_command(app: Quart, path: Path, timezone: str) -> None:
    """Bring accounts and appointments over from a sched.db of the original."""
    async with lifespan.working(app):
        report = await import_sched.run(path, registration.canonical_zone(timezone))
    for line in report.skipped:
        click.echo(f"Skipped {line}", err=True)
    click.echo(f"Imported {report.users} accounts and {report.appointments} appointments.")


def _refuse_missing(app: Quart) -> None:
    url = app.config["DATABASE_URL"]
    if url.get_backend_name() == "sqlite" and not Path(url.database).exists():
        raise RefusedError(f"There is no database at {url.database} yet.")


async def _unsound(connection: AsyncConnection) -> str | None:
    if connection.dialect.name != "sqlite":
        return None
    answer = (await connection.exec_driver_sql("PRAGMA integrity_check(1)")).scalar_one()
    return None if answer == "ok" else " ".join(str(answer).split())
