"""Find one appointment, or calendar, of the person who asks; whatever else is not found."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from quart import abort
from sqlalchemy import Row, bindparam, func, select

from ..accounts.sessions import current_user
from ..database import fetch
from ..ics.ics_text import Facts
from ..ics.occasions import Occasions
from ..models import Appointment, Calendar, Occurrence
from .acts import ChangedError
from .occurrences import occurrences

NEAR = timedelta(days=2)
COLUMNS = (
    Appointment.id,
    Appointment.calendar_id,
    Appointment.rev,
    Appointment.title,
    Appointment.location,
    Appointment.description,
    Appointment.allday,
    Appointment.start,
    Appointment.end,
    Appointment.timezone,
    Appointment.rrule,
    Appointment.reminders,
    Appointment.is_silent,
)
FIRST = (
    select(func.min(Occurrence.recurrence_id))
    .where(Occurrence.appointment_id == bindparam("id"))
    .scalar_subquery()
)


def _own(which: Any) -> Any:
    """An appointment with one of its occurrences."""
    its = (Occurrence.appointment_id == Appointment.id) & (Occurrence.recurrence_id == which)
    return (
        Appointment.readable_by(bindparam("owner"))
        .where(Appointment.id == bindparam("id"))
        .outerjoin(Occurrence, its)
        .with_only_columns(
            *COLUMNS,
            Calendar.name.label("calendar"),
            Calendar.is_followed,
            Occurrence.recurrence_id,
            Occurrence.floating,
            Occurrence.start_utc,
            Occurrence.end_utc,
            Occurrence.title.label("own_title"),
            Occurrence.location.label("own_location"),
            Occurrence.search.label("own_texts"),
        )
    )


OWN, OWN_ON = _own(FIRST), _own(bindparam("on"))
TEXT = select(Appointment.ics).where(
    Appointment.id == bindparam("id"), Appointment.rev == bindparam("rev")
)
CALENDARS: Any = (
    Calendar.readable_by(bindparam("owner"))
    .with_only_columns(Calendar.id, Calendar.name, Calendar.color, Calendar.is_hidden)
    .add_columns(Calendar.is_followed, Calendar.appointments)
    .order_by(Calendar.position, Calendar.id)
)


async def own_appointment(appointment_id: int) -> Row[Any]:
    return await find_appointment(appointment_id) or abort(404)


async def find_appointment(appointment_id: int) -> Row[Any] | None:
    """With the first of its occurrences."""
    rows = await fetch(OWN, owner=current_user.user_id, id=appointment_id)
    return rows[0] if rows else None


async def own_occurrence(appointment_id: int, on: str) -> Any:
    """The one of a series whose original start that is; 404 where there is none."""
    rows = await fetch(OWN_ON, owner=current_user.user_id, id=appointment_id, on=on)
    if not (rows and on):
        abort(404)
    shown = {
        "title": rows[0].own_title or rows[0].title,
        "location": rows[0].own_location or rows[0].location,
    }
    if rows[0].own_texts is not None:
        text = await text_of(rows[0])
        shown["description"] = Occasions(text).facts(on).description
    if rows[0].recurrence_id is None:
        later = await _later_one(rows[0], on) or abort(404)
        shown = later._asdict()
    return SimpleNamespace(**(rows[0]._asdict() | shown))


async def _later_one(row: Row[Any], on: str) -> Any:
    """One that is not kept, since it lies beyond the horizon."""
    try:
        day = datetime.fromisoformat(on).replace(tzinfo=UTC)
        around = (day - NEAR, day + NEAR)
    except (ValueError, OverflowError):
        return None
    found = await occurrences([row.calendar_id], *around, "UTC")
    mine = (one for one in found if one.id == row.id and one.recurrence_id == on)
    return next(mine, None)


async def own_calendars() -> Sequence[Row[Any]]:
    return await calendars_of(current_user.user_id)


async def calendars_of(user_id: int) -> Sequence[Row[Any]]:
    """All calendars: the default one first, those that follow others last."""
    return sorted(await fetch(CALENDARS, owner=user_id), key=attrgetter("is_followed"))


async def own_calendar(calendar_id: int) -> Row[Any]:
    found = [one for one in await own_calendars() if one.id == calendar_id]
    return found[0] if found else abort(404)


async def text_of(row: Row[Any]) -> str:
    """Raises ChangedError when the appointment has changed since it was read."""
    rows = await fetch(TEXT, id=row.id, rev=row.rev)
    if not rows:
        raise ChangedError({row.id})
    return str(rows[0].ics)


def facts_of(row: Any) -> Facts:
    names = ("title", "start", "end", "allday", "timezone", "location", "description")
    return Facts(**{name: getattr(row, name) for name in names}, reminders=shown_reminders(row))


def shown_reminders(row: Any) -> tuple[int, ...]:
    """Those of its own; what is silent has none."""
    return () if row.is_silent else tuple(row.reminders)


def revision_of(row: Row[Any]) -> str:
    """What an open form was shown: another one when the appointment changes or moves."""
    return f"{row.calendar_id}-{row.rev}"
