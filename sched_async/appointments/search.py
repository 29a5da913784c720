"""Find appointments by words in their titles, places and descriptions.

A series is one hit, at the next of its occurrences that holds the words, or at its last.
"""

from collections.abc import Sequence
from datetime import UTC
from functools import cache
from typing import Any

from quart import Blueprint, render_template, request
from quart.typing import ResponseReturnValue
from sqlalchemy import BigInteger, Select, bindparam, case, func, select, type_coerce, union
from sqlalchemy.sql.elements import ColumnElement

from ..accounts.sessions import current_user, login_required
from ..database import fetch
from ..models import Appointment, Calendar, Occurrence, UtcSeconds
from ..times import now, to_wall
from .occurrences import OF_OCCURRENCE, with_appointment
from .reading import calendars_of
from .views.entries import Entry
from .words import holding, word_values, words_of

MOST = 50
PARTS = (("Coming up", False), ("Past", True))

blueprint = Blueprint("search", __name__)


@blueprint.route("/search/")
@login_required
async def index() -> ResponseReturnValue:
    """What holds all words of ``?q=``: what is to come, then what is over; hidden calendars too."""
    query = request.args.get("q", "")
    words, user, moment = words_of(query), current_user.known(), now()
    calendars = {one.id: one for one in await calendars_of(user.id)}
    rows: Sequence[Any] = []
    if words:
        wall = to_wall(moment, user.timezone).replace(tzinfo=UTC)
        times = {"owner": user.id, "moment": moment, "wall": wall}
        rows = await fetch(_hits(len(words)), **times, **word_values(words))
    found: dict[bool, list[Entry]] = {False: [], True: []}
    for row in rows:
        found[row.is_over].append(Entry(row, calendars[row.calendar_id], user, moment))
    counts = {row.is_over: row.count for row in rows}
    parts = [(name, counts.get(is_over, 0), found[is_over]) for name, is_over in PARTS]
    return await render_template("calendar/search.html", query=query, words=words, parts=parts)


@cache
def _hits(words: int) -> Select[Any]:
    """The first fifty of either part, with how many there are."""
    near = case((_is_over(), -_seconds()), else_=_seconds())
    order = (_is_over(), near, Occurrence.recurrence_id)
    columns: Any = OF_OCCURRENCE
    each = (
        select(*columns, _is_over().label("is_over"), near.label("near"))
        .add_columns(func.row_number().over(partition_by=columns[0], order_by=order).label("nth"))
        .join(Appointment, Appointment.id == Occurrence.appointment_id)
        .where(Appointment.id.in_(_found(words)))
        .where(holding(func.coalesce(Occurrence.search, Appointment.search), words))
        .subquery()
    )
    part, place = each.c.is_over, (each.c.near, each.c.appointment_id)
    ones = (
        select(each)
        .add_columns(func.row_number().over(partition_by=part, order_by=place).label("place"))
        .add_columns(func.count().over(partition_by=part).label("count"))
        .where(each.c.nth == 1)
        .subquery()
    )
    shown = select(ones).where(ones.c.place <= MOST)
    return with_appointment(shown, "is_over", "count", "place").order_by("is_over", "place")


def _found(words: int) -> Any:
    """The numbers of those that hold the words, or of which an occurrence does."""
    mine = Calendar.readable_by(bindparam("owner")).with_only_columns(Calendar.id)
    whole = select(Appointment.id).where(Appointment.calendar_id.in_(mine))
    parts = select(Occurrence.appointment_id).where(Occurrence.calendar_id.in_(mine))
    return union(
        whole.where(holding(Appointment.search, words)),
        parts.where(Occurrence.search.is_not(None), holding(Occurrence.search, words)),
    )


def _is_over() -> ColumnElement[bool]:
    moment, wall = (bindparam(name, type_=UtcSeconds) for name in ("moment", "wall"))
    return Occurrence.end_utc <= case((Occurrence.floating, wall), else_=moment)


def _seconds() -> ColumnElement[int]:
    return type_coerce(Occurrence.start_utc, BigInteger)
