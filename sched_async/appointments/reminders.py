"""Reminds people of their appointments, by email to their own address.

Each appointment that has reminders has one row that says when somebody has to look at it next.
Whoever looks raises ``since`` from what it was, and puts the messages into the outbox in the same
transaction; so each is sent once, also over a restart and with several processes.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, cast
from unicodedata import category
from urllib.parse import urlencode

from quart import current_app
from sqlalchemy import Table, bindparam, case, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .. import mail
from ..database import begin, reading
from ..error_pages import UNREACHABLE
from ..ics.ringing import Ring, rings, worth_ringing
from ..models import Appointment, Calendar, Occurrence, Reminder, User, UtcSeconds
from ..times import now, to_wall
from . import storing
from .acts import Step
from .display import Item, heading
from .expanding import in_thread

EVERY = timedelta(seconds=20)
LATE = timedelta(minutes=5)
"""A reminder that comes later than that comes only while its appointment is not over."""
AROUND = timedelta(days=2)  # so long after an appointment it may still ring
AGAIN = timedelta(days=1)
FAILED = timedelta(hours=1)
MANY = 100
MOST_OCCURRENCES = 1000
reminders = cast(Table, Reminder.__table__)
DUE = (
    select(Reminder.appointment_id, Reminder.since, Reminder.next_at)
    .where(Reminder.next_at <= bindparam("now", type_=UtcSeconds))
    .order_by(Reminder.next_at, Reminder.appointment_id)
    .limit(MANY)
)
ABOUT = (
    select(
        *(Appointment.id, Appointment.calendar_id, Appointment.ics, Appointment.expanded_until),
        *(Appointment.title, Appointment.location, Appointment.timezone, Appointment.rev),
        *(Appointment.start, Appointment.end, Appointment.rrule),
        Calendar.deleted_at,
        User.name,
        User.email,
        User.timezone.label("own_zone"),
        *(User.clock_hours, User.reminder_hour, User.is_active, User.delete_at),
    )
    .join(Calendar, Calendar.id == Appointment.calendar_id)
    .join(User, User.id == Calendar.user_id)
    .where(Appointment.id == bindparam("id"))
)
OCCURRENCES = (
    select(Occurrence)
    .where(
        Occurrence.appointment_id == bindparam("id"),
        Occurrence.end_utc > bindparam("after", type_=UtcSeconds),
    )
    .order_by(Occurrence.start_utc, Occurrence.recurrence_id)
    .limit(MOST_OCCURRENCES)
)
log = logging.getLogger("sched_async.background")


# What is to be looked at


async def keep(db: AsyncSession, user_id: int, steps: Sequence[Step]) -> None:
    """Have a row for each of these that rings, and none for the others; the caller commits.

    What was due in the minute before may not have been seen to yet.
    """
    written = [step for step in steps if step.derived is not None and step.target is not None]
    loud = [step.id for step in written if step.derived and step.derived.rings and not step.silent]
    quiet = {step.id or 0 for step in written if step.before is not None}.difference(loud)
    for some in storing.batches(quiet):
        await db.execute(delete(Reminder).where(Reminder.appointment_id.in_(some)))
    moment = now()
    lately = moment - timedelta(minutes=1)
    values = {"owner": user_id, "now": moment, "lately": lately}
    for some in storing.batches({"of": number, **values} for number in loud):
        await db.execute(_keep(db.get_bind().dialect.name), some)


@cache
def _keep(dialect: str) -> Any:
    moment, lately = (bindparam(name, type_=UtcSeconds) for name in ("now", "lately"))
    values: Any = {
        "appointment_id": bindparam("of"),
        "user_id": bindparam("owner"),
        "since": moment,
        "next_at": moment,
    }
    kept = reminders.c.since
    is_unseen = reminders.c.next_at <= moment  # and stays so
    since = case((is_unseen, kept), (kept > lately, kept), else_=lately)
    again = {"next_at": moment, "since": since}
    query = storing.INSERTS[dialect](reminders).values(values)
    return query.on_conflict_do_update(index_elements=["appointment_id"], set_=again)


# Looking


async def remind() -> None:
    """Send what is due, until nothing is; without a mail server nothing is looked at."""
    while mail.is_configured() and (rows := await _due()):
        for row in rows:
            try:
                await _look(row)
            except UNREACHABLE:
                raise  # soon again, with all of them
            except Exception:
                log.exception("the reminders of appointment %s failed", row.appointment_id)
                await _put_off(row)


async def _due() -> Sequence[Any]:
    async with reading() as db:
        return (await db.execute(DUE, {"now": now()})).all()


async def _look(row: Any) -> None:
    moment = now()
    async with reading() as db:
        about = (await db.execute(ABOUT, {"id": row.appointment_id})).one_or_none()
        its = {"id": row.appointment_id, "after": row.since - AROUND}
        occurrences = (await db.scalars(OCCURRENCES, its)).all()
    if about is None:  # deleted meanwhile
        return
    work = partial(rings, about.ics, occurrences, about.own_zone, about.reminder_hour)
    found = await in_thread(work)
    due = [ring for ring in found if row.since < ring.at <= moment]
    following = next((ring.at for ring in found if ring.at > moment), None)
    if about.expanded_until is not None or len(occurrences) == MOST_OCCURRENCES:
        following = min(following or moment + AGAIN, moment + AGAIN)  # there are more than these
    async with begin() as db:
        if await _claim(db, row, moment, following, about.rev) and _is_wanted(about):
            for ring in worth_ringing(due, moment, LATE):
                await _post(db, about, ring, moment)
    if due:
        mail.send_soon()


def _is_wanted(about: Any) -> bool:
    return about.is_active and about.delete_at is None and about.deleted_at is None


async def _claim(
    db: AsyncSession, row: Any, moment: datetime, following: datetime | None, rev: int | None = None
) -> bool:
    """Whether nobody else has it, and it is still what was looked at."""
    its = Appointment.id == row.appointment_id
    as_seen: list[Any] = [
        Reminder.appointment_id == row.appointment_id,
        Reminder.since == row.since,
        Reminder.next_at == row.next_at,
    ]
    if rev is not None:
        as_seen.append(exists(Appointment.id).where(its, Appointment.rev == rev))
    claimed = update(Reminder).where(*as_seen).values(since=moment, next_at=following)
    return await db.scalar(claimed.returning(Reminder.appointment_id)) is not None


async def _put_off(row: Any) -> None:
    """So that it does not keep the others waiting."""
    async with begin() as db:
        await _claim(db, row, row.since, now() + FAILED)


async def _post(db: AsyncSession, about: Any, ring: Ring, moment: datetime) -> None:
    one = ring.about
    item = Item(_row(about, one), about.own_zone, about.clock_hours)
    day = heading(item.first_day, to_wall(moment, about.own_zone).date())
    await mail.post(
        db,
        about.email,
        "reminder",
        title=_printable(item.title) or "(no title)",
        day=day[0].lower() + day[1:] if day in ("Today", "Tomorrow") else day,
        date=item.day,
        time=item.time,
        elsewhere=item.elsewhere or "",
        location=_printable(item.location),
        name=about.name,
        link=_link(about.id, one.recurrence_id),
    )


def _link(appointment_id: int, on: str) -> str:
    """Without a request there is no ``url_for``."""
    addresses = current_app.url_map.bind("")
    path = addresses.build("appointments.detail", {"appointment_id": appointment_id})
    query = f"?{urlencode({'on': on})}" if on else ""
    return f"{current_app.config['PUBLIC_URL']}{path}{query}"


def _row(about: Any, one: Occurrence) -> Any:
    """As the reader of occurrences has it."""
    its = {name: getattr(one, name) for name in ("recurrence_id", "floating", "allday")}
    times = {"start_utc": one.start_utc, "end_utc": one.end_utc}
    texts = {"title": one.title or about.title, "location": one.location or about.location}
    return SimpleNamespace(**(about._asdict() | its | times | texts))


def _printable(text: str) -> str:
    """In one line, without what nobody sees; that may have joined two letters, or two pictures."""
    shown = (char if char.isprintable() else "" if category(char) == "Cf" else " " for char in text)
    return " ".join("".join(shown).split())[:200]
