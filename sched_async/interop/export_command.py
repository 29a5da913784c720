"""What ``sched-async export-ics`` does."""

import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

import click

from ..accounts.users import user_by_email
from ..appointments import calendar_changes
from ..appointments.reading import calendars_of
from ..database import reading
from ..errors import RefusedError
from ..models import Appointment
from ..plurals import counted
from . import calendar_file
from .calendar_file import IN_MEMORY

TWICE = "Left out {}: another calendar has one of the same UID."


async def run(path: str, email: str, name: str | None) -> str:
    """Write the file, and say so unless it is standard output.  Raises RefusedError."""
    async with reading() as db:
        user = await user_by_email(db, email)
    calendars = await calendars_of(user.id)
    mine, facts = Appointment.readable_by(user.id), ("", "")
    if name is not None:
        calendars = [_named(calendars, name)]
        mine = mine.where(Appointment.calendar_id == calendars[0].id)
        facts = calendars[0].name, calendars[0].color
    with SpooledTemporaryFile(IN_MEMORY) as made:
        numbers = [one.id for one in calendars]
        count = await calendar_file.write(cast(IO[bytes], made), mine, numbers, *facts)
        await asyncio.to_thread(_save, made, path)
    if twice := sum(one.appointments for one in calendars) - count:
        click.echo(TWICE.format(counted(twice, "appointment")), err=True)
    return "" if path == "-" else f"Exported {counted(count, 'appointment')}."


def _named(calendars: Sequence[Any], name: str) -> Any:
    found = calendar_changes.named(calendars, name)
    if found is None:
        names = ", ".join(one.name for one in calendars)
        raise RefusedError(f"There is no calendar called {name}. There are: {names}.", "calendar")
    return found


def _save(made: Any, path: str) -> None:
    made.seek(0)
    if path == "-":
        shutil.copyfileobj(made, sys.stdout.buffer)
        return
    try:
        with Path(path).open("wb") as file:
            shutil.copyfileobj(made, file)
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}.") from None
