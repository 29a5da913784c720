"""Bring accounts and appointments over from the original sched's SQLite file.

Passwords keep their Werkzeug hash until the first login, which rehashes them.  The
original kept naive local times, so the caller names the zone they were meant in.
Importing the same file again adds only what is not here yet; another file of the same
person has appointments of the same numbers, which are told apart by when they were made.
Nothing is left out, cut or changed without being named.
"""

import asyncio
import hashlib
import re
import sqlite3
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .accounts import one_time_links
from .accounts.emails import canonical_email
from .accounts.one_time_links import SETUP
from .accounts.registration.rules import MAX_NAME
from .accounts.users import has_accounts
from .appointments import changes
from .appointments.listing import FIRST_YEAR, LAST_YEAR, LONGEST
from .database import begin
from .errors import RefusedError
from .first_calendar import first_calendar
from .ics.derive import Derived, derive
from .ics.ics_text import Facts, new_text
from .models import Act, Appointment, Calendar, User
from .texts import many_lines, number, one_line, unfit
from .times import SkippedTimeError, now, to_utc

DAY = timedelta(days=1)
USERS = "SELECT id, name, email, password, active FROM user ORDER BY id"
APPOINTMENTS = (
    'SELECT id, user_id, created, title, start, "end", allday, location, description '
    "FROM appointment ORDER BY id"
)
CONTENTS = ("title", "start", "end", "allday", "location", "description")
MAX_LINE = 255
# Of bytes, as a browser sends it: what is longer could not be edited here.
MAX_NOTES = 200_000
BREAKS = re.compile("[\t\n\v\f\r]+")


@dataclass
class Report:
    users: int = 0
    appointments: int = 0
    skipped: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """What has come over, but not quite as it was."""


async def run(path: Path, timezone: str) -> Report:
    """Import everything that can be, in one transaction; raises RefusedError."""
    users, appointments = await asyncio.to_thread(_read, path)
    report = Report()
    async with begin() as session:
        owners = await _add_users(session, users, timezone, report)
        if owners:
            await one_time_links.void(session, SETUP)
        await _add_appointments(session, appointments, owners, timezone, report)
    return report


def _read(path: Path) -> tuple[list[sqlite3.Row], list[sqlite3.Row]]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(USERS).fetchall(), connection.execute(APPOINTMENTS).fetchall()
    except sqlite3.DatabaseError as error:
        raise RefusedError(f"{path} is not a database of the original sched ({error}).") from None
    finally:
        connection.close()


async def _add_users(
    session: AsyncSession, rows: list[sqlite3.Row], timezone: str, report: Report
) -> dict[int, int]:
    """Our user ids by theirs; the first active one, where nobody was yet, is an administrator."""
    owners: dict[int, int] = {}
    firsts: dict[str, int] = {}
    needs_admin = not await has_accounts(session)
    for row in rows:
        try:
            email = _own_address(row, firsts)
        except RefusedError as refused:
            report.skipped.append(f"account {row['id']}: {refused}")
            continue
        user = await session.scalar(select(User).where(User.email == email))
        if user is None:
            texts = Texts(f"account {row['id']}", report)
            name = texts.line("name", row["name"], MAX_NAME) or email[:MAX_NAME]
            user = User(name=name, email=email, timezone=timezone)
            user.password_hash, user.is_active = row["password"] or "", bool(row["active"])
            user.is_admin = needs_admin and user.is_active
            needs_admin = needs_admin and not user.is_admin
            session.add(user)
            await session.flush()
            session.add(first_calendar(user))
            report.users += 1
        owners[row["id"]] = user.id
    return owners


def _own_address(row: sqlite3.Row, firsts: dict[str, int]) -> str:
    """The address of an account; to the original, other capitals were another person."""
    email = canonical_email(row["email"] or "")
    first = firsts.setdefault(email, row["id"])
    if first != row["id"]:
        raise RefusedError(f"Account {first} has the same address, {email}.")
    return email


async def _add_appointments(
    session: AsyncSession,
    rows: list[sqlite3.Row],
    owners: dict[int, int],
    timezone: str,
    report: Report,
) -> None:
    present = await _present(session, set(owners.values()))
    new: dict[int, list[tuple[Derived, str]]] = {}
    for row in rows:
        owner = owners.get(row["user_id"])
        try:
            if owner is None:
                raise ValueError("its owner has not been imported")
            if not _is_here(row, present.get(owner, {})):
                made = derive(_text(row, timezone, report), now())
                new.setdefault(owner, []).append((made, _submission(row)))
                report.appointments += 1
        except ValueError as error:
            report.skipped.append(f"appointment {row['id']}: {error}.")
    for owner, found in new.items():
        await _put(session, owner, found)


async def _put(session: AsyncSession, owner: int, found: list[tuple[Derived, str]]) -> None:
    """Into the person's default calendar, as one act."""
    mine = Calendar.readable_by(owner).order_by(Calendar.position, Calendar.id)
    calendar = (await session.scalars(mine.limit(1))).one()
    async with changes.act(session, owner, "import", "sched.db") as act:
        for made, submission in found:
            act.put(calendar.id, made, submission=submission, is_fresh=True)


async def _present(session: AsyncSession, owners: set[int]) -> dict[int, dict[str, Any]]:
    """What was imported before, by its owner here and by what it was in the original."""
    columns = ("start", "end", "title", "created_at", "modified_at")
    query = (
        select(Act.user_id, Act.submission, *(getattr(Appointment, name) for name in columns))
        .join(Appointment, Appointment.id == Act.appointment_id)
        .join(Calendar, Calendar.id == Appointment.calendar_id)
        .where(
            Act.user_id.in_(owners),
            Act.submission.startswith("sched-", autoescape=True),
            Calendar.deleted_at.is_(None),
        )
    )
    found: dict[int, dict[str, Any]] = {owner: {} for owner in owners}
    for row in await session.execute(query):
        found[row.user_id]["-".join(row.submission.split("-")[:3])] = row
    return found


def _is_here(row: sqlite3.Row, present: dict[str, Any]) -> bool:
    """Whether it was imported before; ValueError where that is not all that is to say."""
    origin, version = _origin(row), _digest(row, CONTENTS)
    if kept := present.get(origin):
        if kept.submission != f"{origin}-{version}":
            raise ValueError("it was imported before, and has changed in the original since")
        return True
    early = present.get(f"sched-{row['id']}")  # by a version that knew only the number
    return early is not None and _is_same(row, early)


def _is_same(row: sqlite3.Row, early: Any) -> bool:
    """Compare what has come over; that version dropped what was not printable from titles."""
    start, end = _moment(row["start"]), _moment(row["end"])
    title = one_line("".join(filter(str.isprintable, str(row["title"] or ""))))
    kept = "".join(filter(str.isprintable, early.title))
    days = (start.date(), end.date()) == (early.start.date(), early.end.date())
    if days and (title or "Untitled").split() == kept.split():
        return True
    if early.modified_at - early.created_at > timedelta(seconds=2):
        raise ValueError("one of this number was imported before, and has been changed here since")
    return False


def _origin(row: sqlite3.Row) -> str:
    """The same for a row of the original and its copies, whatever is changed in it."""
    made = ("created",) if row["created"] else CONTENTS
    return f"sched-{row['id']}-{_digest(row, made)}"


def _digest(row: sqlite3.Row, columns: tuple[str, ...]) -> str:
    values = repr([row[column] for column in columns])
    return hashlib.sha256(values.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _submission(row: sqlite3.Row) -> str:
    return f"{_origin(row)}-{_digest(row, CONTENTS)}"


def _text(row: sqlite3.Row, timezone: str, report: Report) -> str:
    start, end, allday = _moment(row["start"]), _moment(row["end"]), bool(row["allday"])
    if not (FIRST_YEAR <= start.year <= end.year <= LAST_YEAR and end - start <= LONGEST):
        raise ValueError("its start and end are too far apart or out of range")
    if allday:
        start, end = (moment.replace(hour=0, minute=0) for moment in (start, end))
    else:
        start, end = _existing(start, timezone), _existing(end, timezone)
    if end < start or (end == start and not allday):
        raise ValueError("it does not end after its start")
    texts = Texts(f"appointment {row['id']}", report)
    facts = Facts(
        title=texts.line("title", row["title"], MAX_LINE) or "Untitled",
        location=texts.line("location", row["location"], MAX_LINE),
        description=texts.notes("description", row["description"]),
        start=start,
        end=end,
        timezone=timezone,
        allday=allday,
    )
    return new_text(facts, now())


class Texts:
    """The texts of one row as the forms would take them; what that costs is reported."""

    def __init__(self, row: str, report: Report) -> None:
        self.row = row
        self.report = report

    def line(self, name: str, text: Any, most: int) -> str:
        kept = self._fit(name, BREAKS.sub(" ", str(text or "")), one_line)
        return self._cut(name, kept, most).rstrip()

    def notes(self, name: str, text: Any) -> str:
        kept = self._fit(name, str(text or ""), many_lines, lines=True)
        if len(quote_plus(kept)) <= MAX_NOTES:
            return kept
        sizes = range(len(kept))
        most = bisect_right(sizes, MAX_NOTES, key=lambda size: len(quote_plus(kept[:size]))) - 1
        return self._cut(name, kept, most)

    def _fit(self, name: str, text: str, read: Callable[[str], str], *, lines: bool = False) -> str:
        if odd := unfit(text, lines=lines):
            left_out = ", ".join(number(char) for char in odd)
            self.report.changed.append(f"{self.row}: {left_out} left out of its {name}.")
        return read("".join(char for char in text if char not in odd))

    def _cut(self, name: str, text: str, most: int) -> str:
        if len(text) > most:
            self.report.changed.append(f"{self.row}: its {name} is cut to {most} characters.")
        return text[:most]


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text)).replace(second=0, microsecond=0, tzinfo=None)


def _existing(wall: datetime, timezone: str) -> datetime:
    """The wall-clock time, or the next that the clocks do not skip."""
    try:
        to_utc(wall, timezone)
    except SkippedTimeError as skipped:
        return skipped.after
    return wall
