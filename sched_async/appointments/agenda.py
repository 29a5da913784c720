"""The list of appointments, a page at a time, in the viewer's own time.

Timed appointments and whole days are two ordered streams: an instant is the same
everywhere, but a day begins when the viewer's clock says so.  Each page reads one
bounded, indexed range of both and merges them.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import CompoundSelect, Row, Select, bindparam, select, tuple_, union_all
from werkzeug.exceptions import BadRequest

from ..database import fetch
from ..models import Appointment, UtcSeconds
from ..times import day_start, now, to_wall
from .display import Day, Item, heading

PAGE = 50
LONGEST = timedelta(days=366)
LAST_ID = 2**63 - 1
FIRST_YEAR, LAST_YEAR = 1900, 2199
SHOWN = (
    Appointment.id,
    Appointment.title,
    Appointment.start,
    Appointment.end,
    Appointment.allday,
    Appointment.timezone,
    Appointment.start_utc,
    Appointment.end_utc,
    Appointment.location,
)


@dataclass(frozen=True)
class Position:
    """A place in one of the two streams: ``start_utc`` as that keeps it, and the id."""

    start_utc: datetime
    is_timed: bool
    id: int

    def __str__(self) -> str:
        return f"{int(self.start_utc.timestamp())}.{int(self.is_timed)}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read what ``str`` wrote; BadRequest for anything else."""
        try:
            seconds, is_timed, number = (int(part) for part in text.split("."))
            position = cls(datetime.fromtimestamp(seconds, UTC), bool(is_timed), number)
        except (ValueError, OverflowError, OSError):
            raise BadRequest from None
        in_range = FIRST_YEAR - 1 <= position.start_utc.year <= LAST_YEAR + 1
        if str(position) != text or not in_range or not 0 <= number <= LAST_ID:
            raise BadRequest
        return position

    @classmethod
    def of(cls, appointment: Row[Any]) -> "Position":
        return cls(appointment.start_utc, not appointment.allday, appointment.id)

    def begins(self, zone: str) -> datetime:
        return self.start_utc if self.is_timed else day_start(self.start_utc.date(), zone)

    def in_merged_list(self, zone: str) -> tuple[datetime, bool, datetime, int]:
        """Sorts both streams together: whole days stand before what begins with them."""
        return self.begins(zone), self.is_timed, self.start_utc, self.id


@dataclass(frozen=True)
class Page:
    """One page of the list; ``after`` is where the next one starts, None at the end."""

    days: list[Day]
    after: Position | None


async def read_page(
    user_id: int, zone: str, hours: int = 24, *, past: bool, after: Position | None
) -> Page:
    """Appointments that are not over, soonest first; or past ones, latest first."""
    moment = now()
    today = _as_index(moment, zone)
    bounds: dict[str, Any] = {"owner": user_id, "timed_over": moment, "allday_over": today}
    if not past:
        bounds |= {"timed_from": moment - LONGEST, "allday_from": today - LONGEST}
    if after is not None:
        bounds["timed_start"], bounds["timed_id"] = _start(after, zone, allday=False)
        bounds["allday_start"], bounds["allday_id"] = _start(after, zone, allday=True)
    rows = await fetch(_both_streams(past=past, begun=after is not None), **bounds)
    found = [(Position.of(row).in_merged_list(zone), row) for row in rows]
    found.sort(key=itemgetter(0), reverse=past)
    shown = [row for _, row in found[:PAGE]]
    items = [Item(row, zone, hours) for row in shown]
    more = Position.of(shown[-1]) if len(found) > PAGE else None
    return Page(_by_day(items, today.date(), past=past), more)


@cache
def _both_streams(*, past: bool, begun: bool) -> CompoundSelect[Any]:
    """One page of whole days and one of timed ones, in one statement and so of one moment."""
    return union_all(*(_stream(name, past=past, begun=begun) for name in ("allday", "timed")))


def _stream(name: str, *, past: bool, begun: bool) -> Select[Any]:
    """Whole days or timed ones, in order; where the list has ``begun``, from there on."""
    start, end = Appointment.start_utc, Appointment.end_utc
    over = bindparam(f"{name}_over", type_=UtcSeconds)
    query = Appointment.owned_by(bindparam("owner")).with_only_columns(*SHOWN)
    query = query.where(Appointment.allday == (name == "allday"))
    if past:
        query = query.where(end <= over, start < over).order_by(start.desc(), Appointment.id.desc())
    else:
        # Without the second bound the index would be read from the very first one.
        recent = start > bindparam(f"{name}_from")
        query = query.where(end > over, recent).order_by(start, Appointment.id)
    if begun:
        place = tuple_(start, Appointment.id)
        last = tuple_(bindparam(f"{name}_start", type_=UtcSeconds), bindparam(f"{name}_id"))
        query = query.where(place < last if past else place > last)
    return select(query.limit(PAGE + 1).subquery())


def _start(after: Position, zone: str, *, allday: bool) -> tuple[datetime, int]:
    """Where in its own order a stream goes on after a position in the merged list."""
    if after.is_timed != allday:
        return after.start_utc, after.id
    if after.is_timed:
        return _last_begun(after.start_utc, zone), LAST_ID
    return after.begins(zone), 0


def _last_begun(moment: datetime, zone: str) -> datetime:
    """The last day to begin by then, which clocks that go back at midnight may have left."""
    today = _as_index(moment, zone)
    tomorrow = today + timedelta(days=1)
    return tomorrow if day_start(tomorrow.date(), zone) <= moment else today


def _as_index(moment: datetime, zone: str) -> datetime:
    """The viewer's day at a moment, as ``start_utc`` and ``end_utc`` keep whole days."""
    return datetime.combine(to_wall(moment, zone).date(), time(), UTC)


def _by_day(items: list[Item], today: date, *, past: bool) -> list[Day]:
    """What has begun and goes on stands under today."""
    days = groupby(items, lambda item: item.first_day if past else max(item.first_day, today))
    return [Day(heading(day, today), day, list(its)) for day, its in days]
