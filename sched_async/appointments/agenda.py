"""The list of appointments, a page at a time, in the viewer's own time.

Timed appointments and whole days are two ordered streams: an instant is the same
everywhere, but a day begins when the viewer's clock says so.  Each page reads one
bounded, indexed range of both and merges them.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from werkzeug.exceptions import BadRequest

from ..models import Appointment
from ..times import day_start, now, to_wall
from .display import Day, Item, heading

PAGE = 50
LONGEST = timedelta(days=366)
LAST_ID = 2**63 - 1
FIRST_YEAR, LAST_YEAR = 1900, 2199


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
    def of(cls, appointment: Appointment) -> "Position":
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
    db: AsyncSession,
    user_id: int,
    zone: str,
    hours: int = 24,
    *,
    past: bool,
    after: Position | None,
) -> Page:
    """Appointments that are not over, soonest first; or past ones, latest first."""
    moment = now()
    found: list[tuple[Position, Appointment]] = []
    for allday in (True, False):
        query = _stream(user_id, zone, moment, allday=allday, past=past, after=after)
        rows = await db.scalars(query.limit(PAGE + 1))
        found += [(Position.of(row), row) for row in rows]
    found.sort(key=lambda pair: pair[0].in_merged_list(zone), reverse=past)
    shown = found[:PAGE]
    more = shown[-1][0] if len(found) > PAGE else None
    items = [Item(row, zone, hours) for _, row in shown]
    return Page(_by_day(items, to_wall(moment, zone).date(), past=past), more)


def _stream(
    user_id: int,
    zone: str,
    moment: datetime,
    *,
    allday: bool,
    past: bool,
    after: Position | None,
) -> Select[Appointment]:
    """Whole days or timed ones, in order, from ``after`` on."""
    place = tuple_(Appointment.start_utc, Appointment.id)
    over = _as_index(moment, zone) if allday else moment
    query = Appointment.owned_by(user_id).where(Appointment.allday == allday)
    if past:
        query = query.where(Appointment.end_utc <= over, Appointment.start_utc < over)
        query = query.order_by(Appointment.start_utc.desc(), Appointment.id.desc())
    else:
        # Without the second bound the index would be read from the very first one.
        recent = Appointment.start_utc > over - LONGEST
        query = query.where(Appointment.end_utc > over, recent)
        query = query.order_by(Appointment.start_utc, Appointment.id)
    if after is not None:
        start = _start(after, zone, allday=allday)
        query = query.where(place < start if past else place > start)
    return query


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
