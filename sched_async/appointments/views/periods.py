"""The days of a view, its address and its name; pure."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache

from ...human_dates import long_date
from ..listing import FIRST_YEAR, LAST_YEAR

DAY = timedelta(days=1)
AGENDA_DAYS = 28
DASH = "\N{EN DASH}"
MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)
WEEK = re.compile(r"(\d{4})-W(\d\d)", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class NoDateError(ValueError):
    """What an address names is no day, week or month that can be shown."""


@dataclass(frozen=True)
class Period:
    """Days that are shown together: ``key`` is what the view's address calls them."""

    view: str
    key: str
    first: date
    last: date
    anchor: date
    """The day by which another view is found."""

    @cached_property
    def days(self) -> list[date]:
        return [self.first + number * DAY for number in range((self.last - self.first).days + 1)]

    @property
    def weeks(self) -> list[list[date]]:
        return [self.days[at : at + 7] for at in range(0, len(self.days), 7)]

    def holds(self, day: date) -> bool:
        if self.view == "month":
            return (day.year, day.month) == (self.anchor.year, self.anchor.month)
        return self.first <= day <= self.last


def period(view: str, day: date, week_start: int) -> Period:
    """The one of a view that a day is in."""
    if view == "month":
        return _month(day.replace(day=1), week_start)
    if view == "week":
        return _week(day, week_start)
    length = AGENDA_DAYS if view == "agenda" else 1
    return Period(view, day.isoformat(), day, day + (length - 1) * DAY, day)


def parsed(view: str, key: str, week_start: int) -> Period:
    """The one that an address names; NoDateError for none."""
    try:
        day = _first_day(view, key)
        found = period(view, day, week_start)
    except (ValueError, OverflowError):
        raise NoDateError(key) from None
    if found.key != key or not FIRST_YEAR <= found.anchor.year <= LAST_YEAR:
        raise NoDateError(key)
    return found


def _first_day(view: str, key: str) -> date:
    if view == "month" and (month := MONTH.fullmatch(key)):
        return date(int(month[1]), int(month[2]), 1)
    if view == "week" and (week := WEEK.fullmatch(key)):
        return date.fromisocalendar(int(week[1]), int(week[2]), 1)
    if view in ("day", "agenda") and DATE.fullmatch(key):
        return date.fromisoformat(key)
    raise NoDateError(key)


def neighbours(shown: Period, week_start: int) -> tuple[Period | None, Period | None]:
    """The one before and the one after, None where the years that are shown end."""
    before = shown.anchor - DAY if shown.view == "month" else shown.anchor - _length(shown)
    after = shown.anchor + _length(shown)
    around = (period(shown.view, day, week_start) for day in (before, after))
    first, second = (one if FIRST_YEAR <= one.anchor.year <= LAST_YEAR else None for one in around)
    return first, second


def _length(shown: Period) -> timedelta:
    if shown.view == "month":
        return (shown.anchor.replace(day=28) + 4 * DAY).replace(day=1) - shown.anchor
    return shown.last - shown.first + DAY


def week_first(day: date, week_start: int) -> date:
    return day - (day.isoweekday() - week_start) % 7 * DAY


def iso_week(first: date) -> tuple[int, int]:
    """Year and number of a week by its Monday, whichever day it begins with."""
    monday = first + (8 - first.isoweekday()) % 7 * DAY
    year, number, _ = monday.isocalendar()
    return year, number


def _month(first: date, week_start: int) -> Period:
    last = (first.replace(day=28) + 4 * DAY).replace(day=1) - DAY
    begins, ends = week_first(first, week_start), week_first(last, week_start) + 6 * DAY
    return Period("month", f"{first:%Y-%m}", begins, ends, first)


def _week(day: date, week_start: int) -> Period:
    first = week_first(day, week_start)
    year, number = iso_week(first)
    anchor = first + (8 - first.isoweekday()) % 7 * DAY
    return Period("week", f"{year}-W{number:02}", first, first + 6 * DAY, anchor)


@lru_cache(4096)
def day_name(day: date) -> str:
    """A day of a year that is known, such as “Wednesday 25 November”."""
    return f"{day:%A} {day.day} {day:%B}"


def title(shown: Period) -> str:
    """As the heading of a page."""
    if shown.view == "month":
        return f"{shown.anchor:%B} {shown.anchor.year}"
    if shown.view == "day":
        return long_date(shown.anchor)
    first, last = shown.first, shown.last
    year = "" if first.year == last.year else f" {first.year}"
    month = "" if first.month == last.month else f" {first:%B}"
    return f"{first.day}{month}{year} {DASH} {last.day} {last:%B} {last.year}"
