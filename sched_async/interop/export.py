"""All that is kept of a person, in one zip: JSON for programs, iCalendar for calendars.

However much it is, little of it is in memory: rows are read a batch at a time, during which
alone a connection is held, and written in a thread, to files that move to the disk when they
grow.  It contains nothing that anyone could sign in with.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from ..accounts.activity import EVENTS
from ..accounts.factors import ways_in
from ..database import reading
from ..models import Activity, Appointment, KnownBrowser, LoginSession, User
from ..times import all_zones, now, to_wall
from . import ics

BATCH = 500  # rows
ZONES = all_zones()
IN_MEMORY = 1024 * 1024  # bytes
SESSION_FIELDS = ("created_at", "last_seen_at", "expires_at", "remember", "address", "user_agent")
PROFILE_FIELDS = (
    "name",
    "email",
    "timezone",
    "week_start",
    "clock_hours",
    "start_view",
    "created_at",
    "is_admin",
    "needs_second_factor",
    "has_second_factor",
)
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
        with ZipFile(made, "w", ZIP_DEFLATED) as archive, Events(user) as events:
            with archive.open("account.json", "w", force_zip64=True) as entry:
                await _write_account(entry, user, events)
            with archive.open("appointments.ics", "w", force_zip64=True) as entry:
                await asyncio.to_thread(events.write_to, entry)
        made.seek(0)
    except BaseException:
        made.close()
        raise
    return cast(IO[bytes], made)


class Events:
    """The appointments as events, and what has to stand before them."""

    def __init__(self, user: User) -> None:
        self.file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (closed by __exit__)
        self.zones = {user.timezone}
        self.own_zones: dict[str, str] = {}
        self.first = self.last = to_wall(now(), user.timezone).date()

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def add(self, appointment: Appointment) -> None:
        self.file.write(ics.events(appointment.ics).encode())
        self.first = min(self.first, appointment.start.date())
        self.last = max(self.last, appointment.end.date())
        own = ics.own_zones(appointment.ics)
        self.own_zones |= own
        if appointment.timezone in ZONES:
            self.zones.add(appointment.timezone)

    def write_to(self, entry: IO[bytes]) -> None:
        entry.write(ics.head(self.zones, self.first, self.last))
        for name, block in sorted(self.own_zones.items()):
            if name not in self.zones:
                entry.write(block.encode())
        self.file.seek(0)
        shutil.copyfileobj(self.file, entry)
        entry.write(ics.TAIL)


async def _write_account(entry: IO[bytes], user: User, events: Events) -> None:
    profile = {**_facts(user, PROFILE_FIELDS), "ways_in": ways_in(user)}
    entry.write(b'{\n"profile": ' + _as_json(profile))
    for name, batches, describe in _parts(user.id, events):
        entry.write(f',\n"{name}": ['.encode())
        between = b"\n"
        async for rows in batches:
            await asyncio.to_thread(_write_rows, entry, between, rows, describe)
            between = b",\n"
        entry.write(b"\n]")
    entry.write(b"\n}\n")


def _write_rows(
    entry: IO[bytes], between: bytes, rows: Sequence[Any], describe: Callable[[Any], Facts]
) -> None:
    entry.write(between + b",\n".join(_as_json(describe(row)) for row in rows))


def _parts(user_id: int, events: Events) -> tuple[Part, ...]:
    """Each list with the order of its index, and what is told of a row."""

    def appointment(row: Appointment) -> Facts:
        events.add(row)
        return _facts(row, APPOINTMENT_FIELDS)

    mine = Appointment.readable_by(user_id)
    order = (Appointment.calendar_id, Appointment.id)
    happened = select(Activity).where(Activity.user_id == user_id)
    logins = select(LoginSession).where(LoginSession.user_id == user_id)
    devices = select(KnownBrowser).where(KnownBrowser.user_id == user_id)
    return (
        ("appointments", _batches(mine, *order), appointment),
        ("activity", _batches(happened, Activity.happened_at, Activity.id), _activity),
        ("sessions", _batches(logins, LoginSession.id), _session),
        ("devices", _batches(devices, KnownBrowser.id), _device),
    )


async def _batches(
    query: Select[Any], *order: InstrumentedAttribute[Any]
) -> AsyncIterator[Sequence[Any]]:
    page = query.order_by(*order).limit(BATCH)
    rows = await _read(page)
    while rows:
        yield rows
        last = tuple(getattr(rows[-1], column.key) for column in order)
        rows = await _read(page.where(tuple_(*order) > last)) if len(rows) == BATCH else ()


async def _read(query: Select[Any]) -> Sequence[Any]:
    async with reading() as db:
        return (await db.scalars(query)).all()


def _activity(row: Activity) -> Facts:
    where = _facts(row, ("happened_at", "address", "user_agent"))
    return {"event": EVENTS.get(row.event, row.event), "key": row.event, **where}


def _session(row: LoginSession) -> Facts:
    return _facts(row, SESSION_FIELDS)


def _device(row: KnownBrowser) -> Facts:
    return _facts(row, ("last_used_at", "trusted_until"))


def _facts(row: Any, fields: Sequence[str]) -> Facts:
    return {name: getattr(row, name) for name in fields}


def _as_json(facts: Facts) -> bytes:
    return json.dumps(facts, ensure_ascii=False, default=_in_words).encode()


def _in_words(value: date | datetime) -> str:
    return value.isoformat()
