"""The one reader: what happens when, for everything that shows appointments.

Timed ones and floating ones (whole days, and times without a zone) are two ordered streams of
each calendar: an instant is the same everywhere, but a day begins when the viewer's clock says
so.  Each is read by a bounded range of one index, those that last over 31 days by a range of
their own: they are few, and nothing else has to be looked for that far back.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    CompoundSelect,
    Row,
    Select,
    bindparam,
    func,
    select,
    tuple_,
    union_all,
)

from ..database import fetch
from ..ics.derive import AHEAD, LONG
from ..models import Appointment, Occurrence, UtcSeconds
from ..times import changes, first_instant, now, to_wall
from . import expanding
from .words import holding, word_values

WIDEST = timedelta(hours=14)  # from UTC to any clock
ALWAYS_KEPT = AHEAD - timedelta(days=31)  # the daily job may be late
STREAMS = (True, False)  # floating, and timed
LAST_KEY = "~"  # behind every recurrence_id


class Shown(NamedTuple):
    """An occurrence with what is shown of it; rows of the database have the same names."""

    id: int
    recurrence_id: str
    calendar_id: int
    floating: bool
    allday: bool
    start_utc: datetime
    end_utc: datetime
    title: str
    location: str
    start: datetime
    end: datetime
    timezone: str | None
    rrule: str | None
    status: str | None
    transparent: bool


Found = Row[Any] | Shown
OF_OCCURRENCE = (
    Occurrence.appointment_id,
    Occurrence.recurrence_id,
    Occurrence.calendar_id,
    Occurrence.floating,
    Occurrence.start_utc,
    Occurrence.end_utc,
)
OF_APPOINTMENT = (
    Appointment.start,
    Appointment.end,
    Appointment.timezone,
    Appointment.rrule,
    Appointment.status,
    Appointment.transparent,
)
UNFINISHED = (
    select(Appointment.id, Appointment.ics, Appointment.calendar_id, Appointment.expanded_until)
    .add_columns(Appointment.title, Appointment.location, Appointment.search, *OF_APPOINTMENT)
    .where(Appointment.calendar_id.in_(bindparam("calendars", expanding=True)))
    .where(Appointment.expanded_until < bindparam("until", type_=UtcSeconds))
)


async def occurrences(
    calendars: Sequence[int],
    a: datetime,
    b: datetime,
    zone: str,
    *,
    words: Sequence[str] = (),
    most: int | None = None,
) -> list[Found]:
    """What happens between two instants, to somebody in ``zone``, in order.

    With ``words`` only what holds each of them (see ``words``).

    What only touches either of them does not count, but for what begins there and takes no time
    by the viewer's clocks, since they skip it.  Floating ones are read 14 hours further, and then
    cut by these clocks.  ``most`` is how many of each range are read, the first ones.
    """
    if not calendars:
        return []
    bounds = {
        "timed_a": a,
        "timed_b": b,
        "timed_from": a - LONG,
        "floating_a": a - WIDEST,
        "floating_b": b + WIDEST,
        "floating_from": a - WIDEST - LONG,
    }
    values = _calendar_values(calendars) | bounds | word_values(words)
    found: list[Found] = list(await fetch(_between(len(calendars), len(words), most), **values))
    found += await _later(calendars, b + WIDEST, words)
    inside = [
        (begin, not row.floating, row.id, row.recurrence_id, row)
        for row in found
        if (begin := begins(row, zone)) < b and (begin >= a or ends(row, zone) > a)
    ]
    return [row for *_, row in sorted(inside, key=itemgetter(0, 1, 2, 3))]


def begins(row: Found, zone: str) -> datetime:
    return wall_begins(row.start_utc, zone) if row.floating else row.start_utc


def ends(row: Found, zone: str) -> datetime:
    return wall_begins(row.end_utc, zone) if row.floating else row.end_utc


def wall_begins(wall: datetime, zone: str) -> datetime:
    """The first instant at which the clocks of a zone show a time, or a later one."""
    naive = wall.replace(tzinfo=None)
    instant = first_instant(naive, zone)
    if to_wall(instant, zone) == naive:
        return instant
    gap = changes(zone, instant - timedelta(days=2), instant)
    return max(gap, default=instant)


def last_begun(moment: datetime, zone: str) -> datetime:
    """The last time that the clocks of a zone have shown by then, which may have gone back."""
    wall = to_wall(moment, zone)
    if first_instant(wall, zone) == moment:
        return wall.replace(tzinfo=UTC)
    back = max(changes(zone, moment - timedelta(days=2), moment), default=moment)
    second = timedelta(seconds=1)
    before = to_wall(back - second, zone)
    return max(wall, before).replace(tzinfo=UTC)


async def _later(calendars: Sequence[int], until: datetime, words: Sequence[str]) -> list[Found]:
    """What series without end have beyond the rows that are kept; nothing is written.

    These reach so far that nobody has to ask for a day in the next year (see ``derive``).
    """
    if until < now() + ALWAYS_KEPT:
        return []
    found: list[Found] = []
    for row in await fetch(UNFINISHED, calendars=list(calendars), until=until):
        for one in await expanding.later(row.ics, row.expanded_until, until):
            if not all(word in (one["search"] or row.search) for word in words):
                continue
            title, location = one["title"] or row.title, one["location"] or row.location
            times = (one["floating"], one["allday"], one["start_utc"], one["end_utc"])
            of_it = [getattr(row, column.key) for column in OF_APPOINTMENT]
            key = (row.id, one["recurrence_id"], row.calendar_id)
            found.append(Shown(*key, *times, title, location, *of_it))
    return found


@cache
def _between(count: int, words: int, most: int | None) -> CompoundSelect[Any]:
    """All streams of so many calendars, in one statement and so of one moment."""
    return union_all(
        *(
            with_appointment(_range(number, floating, is_long, most), words=words)
            for number in range(count)
            for floating in STREAMS
            for is_long in (False, True)
        )
    )


def _range(number: int, floating: bool, is_long: bool, most: int | None) -> Select[Any]:
    name = "floating" if floating else "timed"
    start, end = Occurrence.start_utc, Occurrence.end_utc
    query = _stream(number, floating, is_long).where(
        start < bindparam(f"{name}_b", type_=UtcSeconds),
        end > bindparam(f"{name}_a", type_=UtcSeconds),
    )
    if not is_long:
        query = query.where(start >= bindparam(f"{name}_from", type_=UtcSeconds))
    return query if most is None else query.order_by(start).limit(most)


def _stream(number: int, floating: bool, is_long: bool) -> Select[Any]:
    columns: Any = OF_OCCURRENCE
    return select(*columns).where(
        Occurrence.calendar_id == bindparam(f"calendar_{number}"),
        Occurrence.floating == floating,
        Occurrence.long == is_long,
    )


def with_appointment(
    query: Select[Any] | CompoundSelect[Any], *more: str, words: int = 0
) -> Select[Any]:
    """The same rows with what is shown of them; texts of an occurrence go before the series'.

    ``more`` are names of further columns of the query.
    """
    keys = query.subquery()
    shown = Occurrence.__table__.alias("shown")
    its = (shown.c.appointment_id == keys.c.appointment_id) & (
        shown.c.recurrence_id == keys.c.recurrence_id
    )
    found = (
        select(
            keys.c.appointment_id.label("id"),
            keys.c.recurrence_id,
            keys.c.calendar_id,
            keys.c.floating,
            shown.c.allday,
            keys.c.start_utc,
            keys.c.end_utc,
            func.coalesce(shown.c.title, Appointment.title).label("title"),
            func.coalesce(shown.c.location, Appointment.location).label("location"),
            *OF_APPOINTMENT,
            *(keys.c[name] for name in more),
        )
        .join_from(keys, shown, its)
        .join(Appointment, Appointment.id == keys.c.appointment_id)
    )
    texts = func.coalesce(shown.c.search, Appointment.search)
    return found.where(holding(texts, words)) if words else found


def _calendar_values(calendars: Sequence[int]) -> dict[str, Any]:
    return {f"calendar_{at}": number for at, number in enumerate(calendars)}


# The list


async def first_ones(
    calendars: Sequence[int], size: int, *, past: bool, bounds: dict[str, Any]
) -> Sequence[Found]:
    """The first ``size`` of either stream: what is not over, or backwards what is.

    ``bounds`` has for each stream what is ``_over`` by now; where the list has begun, also
    ``_start``, ``_id`` and ``_key``, behind which it goes on.
    """
    if not calendars:
        return []
    statement = _list(len(calendars), size, past, "timed_start" in bounds)
    values = dict(bounds)
    if not past:
        values |= {f"{name}_from": bounds[f"{name}_over"] - LONG for name in ("timed", "floating")}
    return await fetch(statement, **_calendar_values(calendars), **values)


@cache
def _list(count: int, size: int, past: bool, begun: bool) -> CompoundSelect[Any]:
    return union_all(*(_first(count, floating, size, past, begun) for floating in STREAMS))


def _first(count: int, floating: bool, size: int, past: bool, begun: bool) -> Select[Any]:
    """Of each calendar the first ones, and of these the first."""
    each = union_all(
        *(
            select(_in_order(number, floating, is_long, past, begun).limit(size).subquery())
            for number in range(count)
            for is_long in (False, True)
        )
    ).subquery()
    order = [each.c.start_utc, each.c.appointment_id, each.c.recurrence_id]
    merged = select(each).order_by(*(column.desc() if past else column for column in order))
    return with_appointment(merged.limit(size))


def _in_order(number: int, floating: bool, is_long: bool, past: bool, begun: bool) -> Select[Any]:
    name = "floating" if floating else "timed"
    start, end = Occurrence.start_utc, Occurrence.end_utc
    over = bindparam(f"{name}_over", type_=UtcSeconds)
    query = _stream(number, floating, is_long)
    place = (start, Occurrence.appointment_id, Occurrence.recurrence_id)
    if past:
        query = query.where(end <= over, start < over)
    else:
        query = query.where(end > over)
        if not is_long:  # without this the index would be read from the very first one
            query = query.where(start > bindparam(f"{name}_from", type_=UtcSeconds))
    if begun:
        after = tuple_(
            bindparam(f"{name}_start", type_=UtcSeconds),
            bindparam(f"{name}_id"),
            bindparam(f"{name}_key"),
        )
        query = query.where(tuple_(*place) < after if past else tuple_(*place) > after)
    return query.order_by(*(column.desc() if past else column for column in place))
