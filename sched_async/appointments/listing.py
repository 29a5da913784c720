"""The list of appointments, a page at a time, in the viewer's own time.

Timed and floating ones are two ordered streams (see ``occurrences``), of which each page has
the first ones, merged as the viewer's clocks have them.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from werkzeug.exceptions import BadRequest

from ..times import now, to_wall
from .display import Day, Item, heading
from .occurrences import LAST_KEY, Found, first_ones, last_begun, wall_begins
from .reading import calendars_of

PAGE = 50
LONGEST = timedelta(days=366)
LAST_ID = 2**63 - 1
PLACE = ("start", "id", "key")
FIRST_YEAR, LAST_YEAR = 1900, 2199


@dataclass(frozen=True)
class Position:
    """A place in one of the two streams: ``start_utc`` as that keeps it, and whose it is."""

    start_utc: datetime
    is_timed: bool
    id: int
    key: str = ""

    def __str__(self) -> str:
        end = f".{self.key}" if self.key else ""
        return f"{int(self.start_utc.timestamp())}.{int(self.is_timed)}.{self.id}{end}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read what ``str`` wrote; BadRequest for anything else."""
        *numbers, key = text.split(".") if text.count(".") == 3 else [*text.split("."), ""]
        try:
            seconds, is_timed, number = (int(part) for part in numbers)
            position = cls(datetime.fromtimestamp(seconds, UTC), bool(is_timed), number, key)
            if key:
                datetime.fromisoformat(key)
        except (ValueError, OverflowError, OSError):
            raise BadRequest from None
        in_range = FIRST_YEAR - 1 <= position.start_utc.year <= LAST_YEAR + 1
        if str(position) != text or not in_range or not 0 <= number <= LAST_ID:
            raise BadRequest
        return position

    @classmethod
    def of(cls, row: Found) -> "Position":
        return cls(row.start_utc, not row.floating, row.id, row.recurrence_id)

    def begins(self, zone: str) -> datetime:
        return self.start_utc if self.is_timed else wall_begins(self.start_utc, zone)


@dataclass(frozen=True)
class Page:
    """One page of the list; ``after`` is where the next one starts, None at the end.

    ``calendars`` are all of the person's, by number, also those that are left out.
    """

    days: list[Day]
    after: Position | None
    calendars: dict[int, Any]

    @property
    def items(self) -> list[Item]:
        return [item for day in self.days for item in day.items]


async def read_page(
    user_id: int, zone: str, hours: int = 24, *, past: bool, after: Position | None
) -> Page:
    """Appointments that are not over, soonest first; or past ones, latest first."""
    moment = now()
    wall = to_wall(moment, zone)
    bounds: dict[str, Any] = {"timed_over": moment, "floating_over": wall.replace(tzinfo=UTC)}
    if after is not None:
        bounds |= _start(after, zone, "timed") | _start(after, zone, "floating")
    calendars = {one.id: one for one in await calendars_of(user_id)}
    visible = [one.id for one in calendars.values() if not one.is_hidden]
    rows = await first_ones(visible, PAGE + 1, past=past, bounds=bounds)
    found = [(_in_merged_list(row, zone), row) for row in rows]
    found.sort(key=itemgetter(0), reverse=past)
    shown = [row for _, row in found[:PAGE]]
    items = [Item(row, zone, hours) for row in shown]
    more = Position.of(shown[-1]) if len(found) > PAGE else None
    return Page(_by_day(items, wall.date(), past=past), more, calendars)


def _in_merged_list(row: Found, zone: str) -> tuple[datetime, bool, datetime, int, str]:
    """Sorts both streams together: whole days stand before what begins with them."""
    start = row.start_utc
    first = wall_begins(start, zone) if row.floating else start
    return first, not row.floating, start, row.id, row.recurrence_id


def _start(after: Position, zone: str, name: str) -> dict[str, Any]:
    """Where in its own order a stream goes on after a position in the merged list."""
    if after.is_timed == (name == "timed"):
        place = (after.start_utc, after.id, after.key)
    elif after.is_timed:
        place = (last_begun(after.start_utc, zone), LAST_ID, LAST_KEY)
    else:
        place = (after.begins(zone), 0, "")
    return {f"{name}_{part}": value for part, value in zip(PLACE, place, strict=True)}


def _by_day(items: list[Item], today: date, *, past: bool) -> list[Day]:
    """What has begun and goes on stands under today."""
    days = groupby(items, lambda item: item.first_day if past else max(item.first_day, today))
    return [Day(heading(day, today), day, list(its)) for day, its in days]
