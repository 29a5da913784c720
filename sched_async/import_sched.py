"""Bring accounts and appointments over from the original sched's SQLite file.

Passwords keep their Werkzeug hash until the first login, which rehashes them.  The
original kept naive local times, so the caller names the zone they were meant in.
Importing the same file again adds only what is not here yet.
"""

import asyncio
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .accounts import one_time_links
from .accounts.emails import canonical_email
from .accounts.one_time_links import SETUP
from .accounts.registration.rules import MAX_NAME
from .accounts.users import has_accounts
from .appointments.agenda import FIRST_YEAR, LAST_YEAR, LONGEST
from .database import begin
from .errors import RefusedError
from .models import Appointment, User
from .times import SkippedTimeError, to_utc

DAY = timedelta(days=1)
USERS = "SELECT id, name, email, password, active FROM user ORDER BY id"
APPOINTMENTS = (
    'SELECT id, user_id, title, start, "end", allday, location, description '
    "FROM appointment ORDER BY id"
)


@dataclass
class Report:
    users: int = 0
    appointments: int = 0
    skipped: list[str] = field(default_factory=list)


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
    owners, needs_admin = {}, not await has_accounts(session)
    for row in rows:
        try:
            email = canonical_email(row["email"] or "")
        except RefusedError as refused:
            report.skipped.append(f"account {row['id']}: {refused}")
            continue
        user = await session.scalar(select(User).where(User.email == email))
        if user is None:
            user = User(name=_line(row["name"], MAX_NAME) or email, email=email, timezone=timezone)
            user.password_hash, user.is_active = row["password"] or "", bool(row["active"])
            user.is_admin = needs_admin and user.is_active
            needs_admin = needs_admin and not user.is_admin
            session.add(user)
            await session.flush()
            report.users += 1
        owners[row["id"]] = user.id
    return owners


async def _add_appointments(
    session: AsyncSession,
    rows: list[sqlite3.Row],
    owners: dict[int, int],
    timezone: str,
    report: Report,
) -> None:
    imported = Appointment.submission.startswith("sched-", autoescape=True)
    query = select(Appointment.user_id, Appointment.submission).where(
        Appointment.user_id.in_(owners.values()), imported
    )
    present = {tuple(row) for row in await session.execute(query)}
    for row in rows:
        submission = f"sched-{row['id']}"
        owner = owners.get(row["user_id"])
        if owner is None:
            report.skipped.append(f"appointment {row['id']}: its owner has not been imported.")
        elif (owner, submission) not in present:
            try:
                session.add(_appointment(row, owner, submission, timezone))
                report.appointments += 1
            except ValueError as error:
                report.skipped.append(f"appointment {row['id']}: {error}.")


def _appointment(row: sqlite3.Row, owner: int, submission: str, timezone: str) -> Appointment:
    start, end, allday = _moment(row["start"]), _moment(row["end"]), bool(row["allday"])
    if not (FIRST_YEAR <= start.year <= end.year <= LAST_YEAR and end - start <= LONGEST):
        raise ValueError("its start and end are too far apart or out of range")
    if allday:
        start, end = (moment.replace(hour=0, minute=0) for moment in (start, end))
    else:
        start, end = _existing(start, timezone), _existing(end, timezone)
    if end < start or (end == start and not allday):
        raise ValueError("it does not end after its start")
    appointment = Appointment(
        user_id=owner,
        submission=submission,
        title=_line(row["title"], 255) or "Untitled",
        location=_line(row["location"], 255),
        description=(row["description"] or "").replace("\0", ""),
    )
    appointment.set_times(start, end, timezone, allday=allday)
    return appointment


def _line(text: str | None, most: int) -> str:
    """What of a text can stand on one line."""
    line = "".join(char for char in " ".join((text or "").split()) if char.isprintable())
    return line[:most].strip()


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text)).replace(second=0, microsecond=0, tzinfo=None)


def _existing(wall: datetime, timezone: str) -> datetime:
    """The wall-clock time, or the next that the clocks do not skip."""
    try:
        to_utc(wall, timezone)
    except SkippedTimeError as skipped:
        return skipped.after
    return wall
