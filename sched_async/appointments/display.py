"""An appointment as its viewer reads it: in their zone, in words."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from ..human_dates import long_date, short_date
from ..human_times import clock
from ..ics.derive import Derived
from ..times import all_zones, happens_twice, to_wall

DAY = timedelta(days=1)
ZONES = all_zones()
ENDS = re.compile(r"\b(COUNT|UNTIL)=", re.IGNORECASE)


class Item:
    """One appointment in the viewer's zone, by a clock of 24 or 12 hours.

    Whole days, and times without a zone, are the same in every zone.  ``row`` is one of
    ``occurrences``, with as much more of its appointment as will be shown.
    """

    def __init__(self, row: Any, zone: str, hours: int = 24) -> None:
        self._row = row
        self._hours = hours
        self.id = row.id
        self.calendar_id = row.calendar_id
        self.recurrence_id: str = row.recurrence_id
        self.title = row.title
        self.location = row.location
        self.timezone = row.timezone
        self.allday = row.allday
        self._wall: tuple[datetime, datetime] = (row.start, row.end)
        if row.recurrence_id:
            self._wall = self._walls()
        self._local = self._wall
        if not row.floating and row.timezone != zone:
            self._local = (to_wall(row.start_utc, zone), to_wall(row.end_utc, zone))
        self.first_day = self._local[0].date()

    @property
    def repeats(self) -> bool:
        return bool(self._row.recurrence_id)

    @property
    def is_endless(self) -> bool:
        """Whether it repeats without end."""
        rule: str | None = self._row.rrule
        return rule is not None and not ENDS.search(rule)

    def _walls(self) -> tuple[datetime, datetime]:
        """One of a series by the clocks of its own zone."""
        row = self._row
        if row.floating or self._zone is None:
            start, end = (one.replace(tzinfo=None) for one in (row.start_utc, row.end_utc))
            return start, end - DAY if row.allday else end
        return to_wall(row.start_utc, self._zone), to_wall(row.end_utc, self._zone)

    @property
    def _zone(self) -> str | None:
        zone: str | None = self._row.timezone
        return zone if zone in ZONES else None

    @property
    def description(self) -> str:
        text: str = self._row.description
        return text

    @property
    def day(self) -> str:
        return long_date(self.first_day)

    @property
    def start(self) -> str:
        """For ``<time datetime>``: a date, or a local date and time."""
        return self._iso(self._local[0])

    @property
    def end(self) -> str:
        return self._iso(self._local[1])

    @property
    def duration_seconds(self) -> int:
        return int((self._row.end_utc - self._row.start_utc).total_seconds())

    @property
    def time(self) -> str:
        """The time of day, “All day”, or with the last day when that is another."""
        if self.allday:
            last = self._local[1].date()
            return "All day" if last == self.first_day else f"All day until {short_date(last)}"
        return span(*self._local, self._hours)

    def time_under(self, day: date) -> str:
        """The same under the heading of a day, with the first day when that was before."""
        if day == self.first_day:
            return self.time
        first = short_date(self.first_day)
        if self.allday:
            return f"All day from {first} until {short_date(self._local[1].date())}"
        return f"{first}, {self.time}"

    @property
    def ambiguous(self) -> list[str]:
        """Which of its times happen twice, since the clocks of its zone go back."""
        if self._row.floating or self._zone is None:
            return []
        return [clock(wall, self._hours) for wall in self._wall if happens_twice(wall, self._zone)]

    @property
    def elsewhere(self) -> str | None:
        """The same in the appointment's own zone, when clocks there show another time."""
        if self._wall == self._local or self._zone is None:
            return None
        begins = self._wall[0].date()
        other_day = "" if begins == self.first_day else f"{short_date(begins)}, "
        return f"{other_day}{span(*self._wall, self._hours)} in {self._zone}"

    def _iso(self, wall: datetime) -> str:
        return wall.date().isoformat() if self.allday else wall.isoformat(timespec="minutes")


def item_of(
    made: Derived, calendar_id: int, zone: str, hours: int, on: str = "", **own: str
) -> Item:
    """One that is not kept, or not yet; of a series the first, or ``on`` with its own texts."""
    rows = {one["recurrence_id"]: one for one in made.occurrences}
    shown = rows.get(on) or rows[min(rows)]
    kept = {**shown, **made.columns, **own, "id": None, "calendar_id": calendar_id}
    return Item(SimpleNamespace(**kept), zone, hours)


@dataclass(frozen=True)
class Day:
    """The appointments under one heading of the list."""

    heading: str
    date: date
    items: list[Item]


@lru_cache(1024)
def heading(day: date, today: date) -> str:
    if day == today:
        return "Today"
    if day == today + DAY:
        return "Tomorrow"
    return f"{day:%A}, {day.day} {day:%B}" if day.year == today.year else long_date(day)


def span(start: datetime, end: datetime, hours: int = 24) -> str:
    last = "" if start.date() == end.date() else f"{short_date(end.date())}, "
    begins, ends = clock(start, hours), clock(end, hours)
    return f"{begins} – {last}{ends}"  # noqa: RUF001 (a dash between times)
