"""The command that imports a calendar file; its messages."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ..accounts.users import user_by_email
from ..appointments import calendar_changes
from ..appointments.reading import calendars_of
from ..database import begin, reading
from ..ics.foreign import Found
from ..plurals import counted
from .import_ics import MOST_BYTES, Plan, Reading, left_out, planned, read_file, summary, take_in


async def run(path: Path, email: str, name: str, *, dry_run: bool, reminding: bool = False) -> str:
    """Take in what the file holds, or only say what that would be; raises RefusedError.

    A calendar that is not there yet is made.
    """
    async with reading() as db:
        user = await user_by_email(db, email)
    data = await asyncio.to_thread(_read, path)
    events = data.upper().count(b"BEGIN:VEVENT")
    with click.progressbar(length=events, label="Reading", file=sys.stderr) as bar:
        heard = await read_file(data, tell=lambda count: bar.update(count - bar.pos))
        bar.update(events - bar.pos)  # of a series, each changed date is an event as well
    calendars = await calendars_of(user.id)
    into = calendar_changes.named(calendars, name)
    plan = await planned(user.id, into.id if into else 0, heard)
    for line in _remarks(heard):
        click.echo(line, err=True)
    if plan and not dry_run:
        async with begin() as db:
            if into is None:
                made = await calendar_changes.add_for_import(
                    db, user.id, name, calendars, heard.color
                )
                plan.calendar_id = made.id
            await take_in(db, user.id, plan, reminding=reminding)
    return f"{_summary(plan, heard)}{' Nothing has been changed.' if dry_run else ''}"


def _read(path: Path) -> bytes:
    """A byte more than is allowed, so that what is too large is known by its length."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _summary(plan: Plan, heard: Reading) -> str:
    said = ", ".join(f"{count} {name}" for name, count in summary(plan, heard).items())
    return f"{counted(len(heard.found), 'appointment')} in the file: {said}."


def _remarks(heard: Reading) -> Iterator[str]:
    for one in heard.found:
        if one.refused:
            yield f"{_place(one)}: refused. {one.refused}"
        elif one.changed:
            yield f"{_place(one)}: {' '.join(one.changed)}"
    if others := left_out(heard):
        yield others


def _place(one: Found) -> str:
    title = f", “{one.title}”" if one.title else ""
    return f"Line {one.line}{title}"
