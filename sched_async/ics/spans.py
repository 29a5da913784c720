"""Dates, times and durations as iCalendar writes them, and from when to when they reach; pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..errors import RefusedError
from .clocks import FLOATING, Clock, Clocks
from .content_lines import Line, Part

DATE = re.compile(r"(\d{4})(\d\d)(\d\d)\Z", re.ASCII)
TIME = re.compile(r"(\d{4})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(\d\d)([Zz]?)\Z", re.ASCII)
DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?\Z"
)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
OUT_OF_RANGE = "Its times are out of range."
ZULU = Clock("UTC", UTC)


@dataclass(frozen=True)
class Moment:
    """A wall-clock time by some clocks, or a date."""

    wall: datetime
    clock: Clock
    is_date: bool = False

    @property
    def instant(self) -> datetime:
        return self.clock.instant(self.wall)


@dataclass(frozen=True)
class Span:
    """From when to when: by the wall clock, and then for some exact time."""

    start: Moment
    by_wall: timedelta
    exact: timedelta
    is_exact: bool = False
    """Whether the exact time comes on top of the wall clock's, as in a duration."""

    def instants(self, wall: datetime) -> tuple[datetime, datetime]:
        """From when to when it is that begins at ``wall``; the end is a second later at least."""
        clock = self.start.clock
        try:
            start, end = clock.instant(wall), clock.instant(wall + self.by_wall)
            if self.is_exact:
                end += self.exact
            elif end <= start:
                end = start + self.exact
            return start, max(end, start + SECOND)
        except OverflowError:
            raise RefusedError(OUT_OF_RANGE) from None

    def last_wall(self) -> datetime:
        """The end as a form shows it: of whole days the last."""
        if self.start.is_date:
            return self.start.wall + self.by_wall - DAY
        if self.is_exact and self.exact:
            return self.start.clock.wall(self.instants(self.start.wall)[1])
        return self.start.wall + max(self.by_wall, timedelta())


def span_of(event: Part, clocks: Clocks) -> Span:
    begin = event.first("DTSTART")
    if begin is None:
        raise RefusedError("It has no start.")
    start, end, duration = moment(begin, clocks), event.first("DTEND"), event.first("DURATION")
    days, exact = _duration(duration.value) if duration and not end else (timedelta(), timedelta())
    if start.is_date:
        if end:
            days = moment(end, clocks).wall.replace(hour=0, minute=0, second=0) - start.wall
        return Span(start, max(days + exact // DAY * DAY, DAY), timedelta())
    if end is None:
        return Span(start, days, exact, is_exact=True)
    until = moment(end, clocks)
    is_same = until.is_date or until.clock in (start.clock, FLOATING)
    wall = until.wall if is_same else start.clock.wall(until.instant)
    exact = (start.clock.instant(wall) if is_same else until.instant) - start.instant
    # Where clocks skip its start, the end may seem to come first.
    return Span(start, wall - start.wall, exact if exact > timedelta() else wall - start.wall)


def moment(line: Line, clocks: Clocks | None) -> Moment:
    """What a property says; RefusedError for what is no date and no time."""
    return _moment(line.value.strip(), line.param("TZID"), clocks)


def moments(event: Part, name: str, clocks: Clocks) -> Iterator[Moment]:
    """All that such properties list; of periods their beginnings."""
    for line in event.all(name):
        for value in line.value.split(","):
            yield _moment(value.strip().partition("/")[0], line.param("TZID"), clocks)


def _moment(value: str, zone: str, clocks: Clocks | None) -> Moment:
    try:
        if found := DATE.match(value):
            year, month, day = map(int, found.groups())
            return Moment(datetime(year, month, day), FLOATING, is_date=True)
        found = TIME.match(value)
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        wall = datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise RefusedError(f"It has a date that cannot be read: {value[:20]}.") from None
    if found[7]:
        return Moment(wall, ZULU)
    return Moment(wall, clocks.named(zone) if zone and clocks else FLOATING)


def _duration(value: str) -> tuple[timedelta, timedelta]:
    """Its days, which are the wall clock's, and its hours, which are exact."""
    sign, days, exact = signed_duration(value)
    return (days, exact) if sign > 0 else (timedelta(), timedelta())


def signed_duration(value: str) -> tuple[int, timedelta, timedelta]:
    """1 or -1, the days and the hours; RefusedError for what is no duration."""
    found = DURATION.match(value.strip().upper())
    if found is None:
        raise RefusedError("Its duration cannot be read.")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -1 if found[1] == "-" else 1, timedelta(weeks=weeks, days=days), exact
