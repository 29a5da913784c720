"""An occurrence as the views show it: by the viewer's clocks, under its calendar's colour."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from ...human_dates import short_date
from ...human_times import short_clock
from ...models import User
from ...texts import isolated
from ...times import day_start, now, to_wall
from ..display import Item
from ..occurrences import occurrences
from ..reading import calendars_of
from .periods import DASH

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MOST = 1000  # entries of one view


class Entry(Item):
    """An ``Item`` that knows its days, its calendar, and whether it is over.

    ``begins_at`` and ``ends_at`` are naive, by the viewer's clocks; whole days end at midnight.
    """

    def __init__(self, row: Any, calendar: Any, user: User, moment: datetime) -> None:
        super().__init__(row, user.timezone, user.clock_hours)
        self.calendar = calendar
        self.begins_at, self.ends_at = self._local
        ends = row.end_utc
        if self.allday:
            self.ends_at += DAY
        self.is_bar: bool = self.allday or ends - row.start_utc >= DAY
        latest = self.ends_at - SECOND
        self.last_day = latest.date() if latest > self.begins_at else self.first_day
        if row.floating:
            ends = day_start(self.last_day + DAY, user.timezone)
        self.is_over: bool = ends <= moment

    @property
    def path(self) -> str:
        """Behind the address of all appointments."""
        return f"{self.id}/?on={quote(self.recurrence_id)}" if self.recurrence_id else f"{self.id}/"

    @property
    def classes(self) -> str:
        over = " over" if self.is_over else ""
        return f"{self.calendar.color}{over}{self.fixed}"

    @property
    def fixed(self) -> str:
        """The class of what cannot be dragged elsewhere."""
        return " fixed" if self.calendar.is_followed else ""

    @property
    def name(self) -> str:
        return self.title or "(no title)"

    def said(self, day: date) -> str:
        """What whoever does not see the page is told after the name."""
        return f", {self.time_under(day)}, {isolated(self.calendar.name)}"

    def days_within(self, first: date, last: date) -> Iterator[date]:
        day = max(self.first_day, first)
        while day <= min(self.last_day, last):
            yield day
            day += DAY

    @property
    def short_start(self) -> str:
        return short_clock(self.begins_at, self._hours)

    @property
    def when(self) -> str:
        """The day, with the time it begins at."""
        day = f"{short_date(self.first_day)} {self.first_day.year}"
        return day if self.allday else f"{day}, {self.short_start}"

    def clock_under(self, day: date) -> str:
        """From when to when on that day, which need not be its first or last."""
        begins = self.short_start if day == self.first_day else ""
        ends = short_clock(self.ends_at, self._hours) if day == self.last_day else ""
        return f"{begins} {DASH} {ends}".strip()

    def part(self, day: date) -> str:
        """Which of its days that is, as “3 of 7”; empty where it has but one."""
        count = (self.last_day - self.first_day).days + 1
        return f"{(day - self.first_day).days + 1} of {count}" if count > 1 else ""


@dataclass(frozen=True)
class Seen:
    """What somebody sees of some days: the entries in order, and all calendars."""

    user: User
    wall: datetime
    """What the viewer's clocks show now."""
    entries: list[Entry]
    calendars: Sequence[Any]
    is_cut: bool
    """Whether there is more than is shown."""

    @property
    def today(self) -> date:
        return self.wall.date()

    def by_day(self, first: date, last: date) -> dict[date, list[Entry]]:
        """Of each day on which something is: whole days and longer ones, then by the clock."""
        found: dict[date, list[Entry]] = defaultdict(list)
        for one in sorted(self.entries, key=lambda one: not one.is_bar):
            for day in one.days_within(first, last):
                found[day].append(one)
        return found


async def see(user: User, first: date, last: date, words: Sequence[str] = ()) -> Seen:
    """All of the calendars that are not hidden, of both days and those between."""
    moment, zone = now(), user.timezone
    calendars = await calendars_of(user.id)
    visible = {one.id: one for one in calendars if not one.is_hidden}
    begin, end = day_start(first, zone), day_start(last + DAY, zone)
    most = None if words else MOST + 1
    rows = await occurrences(list(visible), begin, end, zone, words=words, most=most)
    entries = [Entry(row, visible[row.calendar_id], user, moment) for row in rows[:MOST]]
    return Seen(user, to_wall(moment, zone), entries, calendars, len(rows) > MOST)
