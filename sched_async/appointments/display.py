"""An appointment as its viewer reads it: in their zone, in words."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from ..human_times import clock
from ..models import Appointment
from ..times import happens_twice, to_wall

DAY = timedelta(days=1)


class Item:
    """One appointment in the viewer's zone, by a clock of 24 or 12 hours.

    Whole days are the same in every zone.  ``row`` is an ``Appointment``, or a row with as
    many of its columns as will be shown.
    """

    def __init__(self, row: Appointment | Row[Any], zone: str, hours: int = 24) -> None:
        self._row = row
        self._hours = hours
        self.id = row.id
        self.title = row.title
        self.location = row.location
        self.allday = row.allday
        self._wall = self._local = (row.start, row.end)
        if not row.allday and row.timezone != zone:
            self._local = (to_wall(row.start_utc, zone), to_wall(row.end_utc, zone))
        self.first_day = self._local[0].date()

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
        walls = () if self.allday else self._wall
        return [
            clock(wall, self._hours) for wall in walls if happens_twice(wall, self._row.timezone)
        ]

    @property
    def elsewhere(self) -> str | None:
        """The same in the appointment's own zone, when clocks there show another time."""
        if self._wall == self._local:
            return None
        begins = self._wall[0].date()
        other_day = "" if begins == self.first_day else f"{short_date(begins)}, "
        return f"{other_day}{span(*self._wall, self._hours)} in {self._row.timezone}"

    def _iso(self, wall: datetime) -> str:
        return wall.date().isoformat() if self.allday else wall.isoformat(timespec="minutes")


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


def short_date(day: date) -> str:
    return f"{day:%a} {day.day} {day:%B}"


def long_date(day: date) -> str:
    return f"{day:%A}, {day.day} {day:%B} {day.year}"
