"""All that is kept of a person, in one zip: JSON for programs, iCalendar for calendars.

However much it is, little of it is in memory: rows are read a batch at a time, during which
alone a connection is held, and written in a thread, to files that move to the disk when they
grow.  It contains nothing that anyone could sign in with.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import date, datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import select

from ..accounts.activity import EVENTS
from ..accounts.factors import ways_in
from ..appointments.reading import calendars_of
from ..gently import gently
from ..models import Activity, Appointment, KnownBrowser, LoginSession, User
from . import calendar_file, file_names
from .calendar_file import IN_MEMORY, batches, in_calendars

SESSION_FIELDS = ("created_at", "last_seen_at", "expires_at", "remember", "address", "user_agent")
PROFILE_FIELDS = (
    "name",
    "email",
    "timezone",
    "week_start",
    "clock_hours",
    "start_view",
    "reminders",
    "day_reminders",
    "reminder_hour",
    "created_at",
    "is_admin",
    "needs_second_factor",
    "has_second_factor",
)
CALENDAR_FIELDS = ("name", "color", "is_hidden", "is_followed")
APPOINTMENT_FIELDS = (
    "uid",
    "title",
    "start",
    "end",
    "allday",
    "timezone",
    "location",
    "description",
    "created_at",
    "modified_at",
)

Facts = dict[str, Any]
Part = tuple[str, AsyncIterator[Sequence[Any]], Callable[[Any], Facts]]


async def make(user: User) -> IO[bytes]:
    """The zip, at its beginning; the caller closes it."""
    made = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (it is handed on)
    try:
        with ZipFile(made, "w", ZIP_DEFLATED) as archive:
            await _write_all(archive, user)
        made.seek(0)
    except BaseException:
        made.close()
        raise
    return cast(IO[bytes], made)


async def _write_all(archive: ZipFile, user: User) -> None:
    calendars = await calendars_of(user.id)
    names = file_names.different((one.name for one in calendars), "calendar")
    files = [f"calendars/{name}.ics" for name in names]
    with archive.open("account.json", "w", force_zip64=True) as entry:
        parts = _parts(user.id, [one.id for one in calendars])
        await _write_account(entry, user, _calendars(calendars, files), parts)
    for one, file in zip(calendars, files, strict=True):
        mine = Appointment.readable_by(user.id).where(Appointment.calendar_id == one.id)
        with archive.open(file, "w", force_zip64=True) as entry:
            await calendar_file.write(entry, mine, [one.id], one.name, one.color)


def _calendars(calendars: Sequence[Any], files: Sequence[str]) -> list[Facts]:
    """The default one is the first."""
    return [
        {**_facts(one, CALENDAR_FIELDS), "is_default": one is calendars[0], "file": file}
        for one, file in zip(calendars, files, strict=True)
    ]


async def _write_account(
    entry: IO[bytes], user: User, calendars: list[Facts], parts: Iterable[Part]
) -> None:
    profile = {**_facts(user, PROFILE_FIELDS), "ways_in": ways_in(user)}
    entry.write(b'{\n"profile": ' + _as_json(profile))
    entry.write(b',\n"calendars": ' + _as_json(calendars))
    for name, pages, describe in parts:
        entry.write(f',\n"{name}": ['.encode())
        between = b"\n"
        async for rows in pages:
            await asyncio.to_thread(_write_rows, entry, between, rows, describe)
            between = b",\n"
        entry.write(b"\n]")
    entry.write(b"\n}\n")


def _write_rows(
    entry: IO[bytes], between: bytes, rows: Sequence[Any], describe: Callable[[Any], Facts]
) -> None:
    entry.write(between + b",\n".join(_as_json(describe(row)) for row in gently(rows)))


def _parts(user_id: int, calendar_ids: Sequence[int]) -> tuple[Part, ...]:
    """Each list with the order of its index, and what is told of a row."""
    columns = (getattr(Appointment, name) for name in APPOINTMENT_FIELDS)
    mine = Appointment.readable_by(user_id).with_only_columns(*columns)
    happened = select(*Activity.__table__.c).where(Activity.user_id == user_id)
    logins = select(*LoginSession.__table__.c).where(LoginSession.user_id == user_id)
    devices = select(*KnownBrowser.__table__.c).where(KnownBrowser.user_id == user_id)
    return (
        ("appointments", in_calendars(mine, calendar_ids), _appointment),
        ("activity", batches(happened, Activity.happened_at, Activity.id), _activity),
        ("sessions", batches(logins, LoginSession.id), _session),
        ("devices", batches(devices, KnownBrowser.id), _device),
    )


def _appointment(row: Any) -> Facts:
    return _facts(row, APPOINTMENT_FIELDS)


def _activity(row: Any) -> Facts:
    where = _facts(row, ("happened_at", "address", "user_agent"))
    return {"event": EVENTS.get(row.event, row.event), "key": row.event, **where}


def _session(row: Any) -> Facts:
    return _facts(row, SESSION_FIELDS)


def _device(row: Any) -> Facts:
    return _facts(row, ("last_used_at", "trusted_until"))


def _facts(row: Any, fields: Sequence[str]) -> Facts:
    return {name: getattr(row, name) for name in fields}


def _as_json(facts: Facts | list[Facts]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, default=_in_words).encode()


def _in_words(value: date | datetime) -> str:
    return value.isoformat()
