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
from . import mail as outbox
from .accounts import password_reset
from .accounts.admin import actions
from .accounts.registration import invitations, rules
from .accounts.settings.email import change_for
from .errors import RefusedError, StartupError
from .times import canonical_zone


def init_app(app: Quart) -> None:
    for command in (user, db, mail, import_command):
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
        made = await rules.create_account(
            name=name, email=email, password=password, timezone=timezone
        )
    click.echo(f"Made the account {made.email}.")


@user.command("list")
@on_app
async def list_users(app: Quart) -> None:
    """Show every account: address, name, zone, state."""
    async with lifespan.working(app):
        for account in await actions.all_users():
            state = "active" if account.is_active else "deactivated"
            click.echo("\t".join((account.email, account.name, account.timezone, state)))


@user.command("deactivate")
@click.argument("email")
@on_app
async def deactivate(app: Quart, email: str) -> None:
    """Shut an account, and end its sessions; nothing of it is deleted."""
    async with lifespan.working(app):
        await actions.act_on(email, "deactivate")
    click.echo(f"Deactivated {email}.")


@user.command("activate")
@click.argument("email")
@on_app
async def activate(app: Quart, email: str) -> None:
    """Open a deactivated account again."""
    async with lifespan.working(app):
        await actions.act_on(email, "activate")
    click.echo(f"Activated {email}.")


@user.command("set-password")
@click.argument("email")
@password_option
@on_app
async def set_password(app: Quart, email: str, password: str) -> None:
    """Give an account a new password, and end its sessions."""
    async with lifespan.working(app):
        await actions.set_password(email, password)
    click.echo(f"Changed the password of {email}; all its sessions are ended.")


@user.command("sign-out")
@click.argument("email")
@on_app
async def sign_out(app: Quart, email: str) -> None:
    """End every login session of an account."""
    async with lifespan.working(app):
        ended = await actions.count_and_sign_out(email)
    click.echo(f"Ended {ended} session{'' if ended == 1 else 's'} of {email}.")


@user.command("make-administrator")
@click.argument("email")
@click.option("--off", is_flag=True, help="End it instead.")
@on_app
async def make_administrator(app: Quart, email: str, off: bool) -> None:
    """Let somebody look after all accounts."""
    async with lifespan.working(app):
        await actions.act_on(email, "end-administrator" if off else "make-administrator")
    click.echo(f"{email} is {'no administrator any more' if off else 'an administrator'}.")


@user.command("require-second-factor")
@click.argument("email")
@click.option("--off", is_flag=True, help="Let the account do without one again.")
@on_app
async def require_second_factor(app: Quart, email: str, off: bool) -> None:
    """Let an account do nothing but set up a second factor until it has one."""
    async with lifespan.working(app):
        act = "release-second-factor" if off else "require-second-factor"
        await actions.act_on(email, act)
    click.echo(f"{email} {'may do without' if off else 'must have'} a second factor.")


@user.command("remove-second-factor")
@click.argument("email")
@on_app
async def remove_second_factor(app: Quart, email: str) -> None:
    """Take a lost second factor off an account, and end its sessions."""
    async with lifespan.working(app):
        await actions.remove_second_factor(email)
    click.echo(f"{email} signs in with the password alone now.")


@user.command("invite")
@click.argument("email")
@on_app
async def invite(app: Quart, email: str) -> None:
    """Print a link by which the owner of an address can make an account, and mail it."""
    async with lifespan.working(app), database.begin() as work:
        link = await invitations.invite(work, email)
    click.echo(f"Whoever has this link can make an account, once, within 7 days:\n{link}")


@user.command("change-email")
@click.argument("email")
@click.argument("new")
@on_app
async def change_email_of(app: Quart, email: str, new: str) -> None:
    """Give an account another address; links that were mailed to the old one end."""
    async with lifespan.working(app):
        address = await change_for(email, new)
    click.echo(f"The account {email} is {address} now.")


@user.command("reset-link")
@click.argument("email")
@on_app
async def reset_link(app: Quart, email: str) -> None:
    """Print a link by which the owner of an account can choose a new password."""
    async with lifespan.working(app):
        link = await password_reset.link_for(email)
    click.echo(f"Whoever has this link can set the password, once, within an hour:\n{link}")


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
        await connection.run_sync(migrations.refuse_orphans)
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


@main.group()
def mail() -> None:
    """Messages on their way out."""


@mail.command("status")
@on_app
async def mail_status(app: Quart) -> None:
    """Show how many messages wait, were sent or given up, and what went wrong last."""
    async with lifespan.working(app):
        found = await outbox.status()
    if server := app.config["MAIL_URL"]:
        click.echo(f"Mail goes to {server}, from {app.config['MAIL_FROM']}.")
    else:
        click.echo("No mail is sent: SCHED_MAIL_URL is not set.")
    since = f", the first since {found.oldest:%Y-%m-%d %H:%M} UTC" if found.oldest else ""
    click.echo(f"Waiting: {found.waiting}{since}")
    click.echo(f"Sent in the last {outbox.KEPT_SENT.days} days: {found.sent}")
    click.echo(f"Given up: {found.given_up}")
    if found.problem:
        click.echo(f"Last problem: {found.problem}")


@mail.command("retry")
@on_app
async def mail_retry(app: Quart) -> None:
    """Try once more to send what was given up; whoever serves the app does it."""
    async with lifespan.working(app):
        due = await outbox.retry()
    click.echo(f"{due} message{' is' if due == 1 else 's are'} due again.")


@main.command("import-sched")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--timezone", default="UTC", help="Where the original's times were meant.")
@on_app
async def import_command(app: Quart, path: Path, timezone: str) -> None:
    """Bring accounts and appointments over from a sched.db of the original."""
    async with lifespan.working(app):
        report = await import_sched.run(path, canonical_zone(timezone))
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
