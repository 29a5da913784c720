"""From an iCalendar text to the columns and occurrences that are kept of it; pure.

The wall clock and the zone that were meant are the truth.  An occurrence in the hour that a
change of the clocks skips stands at the offset from before it, one in the hour that happens
twice is the first.  It ends by the wall clock too, unless that were before its start; and never
less than a second after it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from heapq import merge
from itertools import takewhile
from typing import Any

from ..errors import RefusedError
from ..texts import searchable
from .alarms import reminders_of
from .clocks import FLOATING, Clock, Clocks, by_its_rules
from .content_lines import NOT_A_CALENDAR, Line, Part, read
from .recurrence import Rule, parsed
from .spans import OUT_OF_RANGE, Moment, Span, moment, moments, span_of

VERSION = 2
"""Raise it whenever the same text would be derived differently."""
MOST_TEXT = 256 * 1024
MOST_OCCURRENCES = 10_000
MOST_A_YEAR = 2000
MOST_UID = 1000
NO_DATES = "It has no dates: its rule ends before it begins, or all of them are left out."
LONG = timedelta(days=31)
AHEAD = timedelta(days=2 * 366)
MOST_OF_A_PERSON = 300_000  # occurrences
FAR = timedelta(days=20 * 366)
AT_LEAST = 10
YEAR, DAY = timedelta(days=365), timedelta(days=1)
TEXTS = ("SUMMARY", "LOCATION", "DESCRIPTION")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Derived:
    """A text, and what follows from it."""

    ics: str
    columns: dict[str, Any]
    occurrences: list[dict[str, Any]] = field(repr=False)
    zones: frozenset[str] = frozenset()
    """IANA's zones by whose rules the instants are."""
    rings: bool = False
    """Whether it has reminders at all, plain ones or others."""


def derive(text: str, now: datetime, make_zone: Callable[[str], tzinfo] = by_its_rules) -> Derived:
    """All that is kept of one appointment; RefusedError for what cannot be kept.

    ``now`` decides how far a series without end is followed.
    """
    try:
        series = Series(text, make_zone)
        occurrences, until = series.occurrences(now)
    except OverflowError:
        raise RefusedError(OUT_OF_RANGE) from None
    if not occurrences:
        raise RefusedError(NO_DATES)
    columns = series.columns() | {"expanded_until": until}
    return Derived(text, columns, occurrences, frozenset(series.clocks.used), series.rings)


def later(text: str, after: datetime, until: datetime, now: datetime) -> list[dict[str, Any]]:
    """The occurrences of a series without end that are not kept: from ``after`` to ``until``."""
    return Series(text).beyond(after, until, now)


class Series:
    """One appointment: its master, and those of its occurrences that differ."""

    def __init__(self, text: str, make_zone: Callable[[str], tzinfo] = by_its_rules) -> None:
        self.text = text
        self.calendar = _calendar(text)
        self.clocks = Clocks(self.calendar, make_zone)
        events = self.calendar.parts("VEVENT")
        self.changed = [event for event in events if event.first("RECURRENCE-ID")]
        masters = [event for event in events if not event.first("RECURRENCE-ID")]
        _check(events, masters)
        self.master = (masters or self.changed)[0]
        self.rules = [parsed(line.value) for line in masters[0].all("RRULE")] if masters else []
        if len(self.rules) > 1:
            raise RefusedError("It has more than one rule of repetition.")
        self.has_master = bool(masters)
        self.span = span_of(self.master, self.clocks)
        self.repeats = bool(self.changed or self.rules or self.master.all("RDATE"))

    @property
    def rings(self) -> bool:
        return any(event.parts("VALARM") for event in (self.master, *self.changed))

    @property
    def clock(self) -> Clock:
        return self.span.start.clock

    def columns(self) -> dict[str, Any]:
        master, start = self.master, self.span.start
        title, location, description = (master.text(name) for name in TEXTS)
        rule = master.first("RRULE")
        status = master.text("STATUS").upper()
        stamps = [_stamp(master, name) for name in ("CREATED", "DTSTAMP", "LAST-MODIFIED")]
        created, stamp, modified = stamps
        return {
            "uid": master.text("UID"),
            "etag": sha256(self.text.encode()).hexdigest(),
            "title": title,
            "location": location,
            "description": description,
            "search": searchable("\n".join((title, location, description))),
            "allday": start.is_date,
            "start": start.wall,
            "end": self.span.last_wall(),
            "timezone": None if start.is_date else start.clock.name,
            "rrule": rule.value if rule and self.has_master else None,
            "reminders": list(reminders_of(master, start.is_date)),
            "status": status or None,
            "transparent": master.text("TRANSP").upper() == "TRANSPARENT",
            "created_at": created or stamp or modified or EPOCH,
            "modified_at": modified or stamp or created or EPOCH,
        }

    def occurrences(self, now: datetime) -> tuple[list[dict[str, Any]], datetime | None]:
        """Those to keep, and until when these are all; None when there are no others."""
        if not self.repeats:
            return [self._row("", self.span, self.span.start.wall)], None
        changed = Changed(self)
        rows, until = [], None
        if self.has_master:
            kept, until = self._kept(now)
            rows = [row for wall in kept if (row := self._unchanged(wall, changed)) is not None]
        return [*rows, *changed.rows()], until

    def beyond(self, after: datetime, until: datetime, now: datetime) -> list[dict[str, Any]]:
        changed = Changed(self)
        until = min(until, self._begin(now) + FAR)
        walls = takewhile(lambda wall: self.clock.instant(wall) < until, self.walls())
        late = (wall for wall in walls if self.clock.instant(wall) >= after)
        return [row for wall in late if (row := self._unchanged(wall, changed)) is not None]

    def _unchanged(self, wall: datetime, changed: "Changed") -> dict[str, Any] | None:
        """The row of one by the rule; None where it is left out, or another stands for it."""
        return None if changed.takes(wall) else self._row(self.key(wall), self.span, wall)

    def key(self, wall: datetime) -> str:
        if self.span.start.is_date:
            return wall.date().isoformat()
        return wall.isoformat(timespec="seconds" if wall.second else "minutes")

    def _kept(self, now: datetime) -> tuple[list[datetime], datetime | None]:
        is_endless = bool(self.rules and self.rules[0].is_endless)
        soon, far = (self._begin(now) + span for span in (AHEAD, FAR))
        near = self.clock.wall(soon) - 2 * DAY  # to ask the clocks for each would take long
        walls: list[datetime] = []
        for wall in self.walls():
            if is_endless and wall >= near:
                instant = self.clock.instant(wall)
                if instant >= far or (instant >= soon and len(walls) >= AT_LEAST):
                    return walls, min(instant, far)
            walls.append(wall)
            self._refuse_too_many(walls, is_endless)
        return walls, None

    def _begin(self, now: datetime) -> datetime:
        return max(now, self.clock.instant(self.span.start.wall))

    def _refuse_too_many(self, walls: list[datetime], is_endless: bool) -> None:
        if not is_endless and len(walls) > MOST_OCCURRENCES:
            raise RefusedError(f"It repeats more than {MOST_OCCURRENCES:,} times.")
        if is_endless and len(walls) > MOST_A_YEAR and walls[-1] - walls[-MOST_A_YEAR - 1] < YEAR:
            raise RefusedError(
                f"It repeats without end and more than {MOST_A_YEAR:,} times a year."
            )

    def walls(self) -> Iterator[datetime]:
        """The original starts in order, each once, without those that are left out."""
        rule = self.ruled()
        added = sorted(self.own_wall(one) for one in moments(self.master, "RDATE", self.clocks))
        before = None
        for one in merge(rule, added):
            wall = self._whole(one)
            if wall != before:
                before = wall
                yield wall

    def _whole(self, wall: datetime) -> datetime:
        """Whole days have no hours, also where a rule counts these."""
        return wall.replace(hour=0, minute=0, second=0) if self.span.start.is_date else wall

    def ruled(self) -> Iterator[datetime]:
        """The original starts without those that are added one by one."""
        start = self.span.start.wall
        return self._until(self.rules[0], start) if self.rules else iter((start,))

    def _until(self, rule: Rule, start: datetime) -> Iterator[datetime]:
        if not rule.until:
            return rule.walls(start)
        until = moment(Line("UNTIL", "", rule.until), self.clocks)
        if self.span.start.is_date:
            return takewhile(lambda wall: wall.date() <= until.wall.date(), rule.walls(start))
        if until.is_date:
            return takewhile(lambda wall: wall.date() <= until.wall.date(), rule.walls(start))
        if until.clock == FLOATING:
            return takewhile(lambda wall: wall <= until.wall, rule.walls(start))
        if self.clock.place is None:
            return takewhile(lambda wall: wall <= until.wall, rule.walls(start))
        return takewhile(lambda wall: self.clock.instant(wall) <= until.instant, rule.walls(start))

    def own_wall(self, one: Moment) -> datetime:
        """A time by the clocks of the series, wherever it was written."""
        if self.span.start.is_date:
            return self._whole(one.wall)
        if one.is_date:
            return datetime.combine(one.wall.date(), self.span.start.wall.time())
        if one.clock in (self.clock, FLOATING) or self.clock.place is None:
            return one.wall
        return self.clock.wall(one.instant)

    def _row(
        self, key: str, span: Span, wall: datetime, event: Part | None = None
    ) -> dict[str, Any]:
        start, end = span.instants(wall)
        row = {
            "recurrence_id": key,
            "floating": span.start.is_date or span.start.clock.place is None,
            "allday": span.start.is_date,
            "long": end - start > LONG,
            "start_utc": start,
            "end_utc": end,
        }
        return row | self._texts(event)

    def _texts(self, event: Part | None) -> dict[str, str | None]:
        """What an occurrence has of its own; None where it is as in the master."""
        own: dict[str, str | None] = {"title": None, "location": None, "search": None}
        if event is None or event is self.master:
            return own
        texts = [event.text(name) for name in TEXTS]
        usual = [self.master.text(name) for name in TEXTS]
        if texts == usual:
            return own
        differing = [one if one != other else None for one, other in zip(texts, usual, strict=True)]
        own["title"], own["location"], _ = differing
        return own | {"search": searchable("\n".join(texts))}


class Changed:
    """The occurrences that a text leaves out, or changes; each stands for its original."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.instants: dict[datetime, Part] = {}
        self.days: dict[Any, Part] = {}
        self.originals: dict[int, str] = {}
        for event in series.changed:
            line = event.first("RECURRENCE-ID")
            original = moment(line, series.clocks) if line else series.span.start
            if original.is_date and not series.span.start.is_date:
                self.days.setdefault(original.wall.date(), event)
            else:
                instant = series.clock.instant(series.own_wall(original))
                self.instants.setdefault(instant, event)
            self.originals[id(event)] = series.key(series.own_wall(original))
        left_out = list(moments(series.master, "EXDATE", series.clocks))
        self.left_out = {series.clock.instant(series.own_wall(one)) for one in left_out}
        self.left_out_days = {
            one.wall.date() for one in left_out if one.is_date or series.span.start.is_date
        }
        self.is_none = not (series.changed or left_out)

    def takes(self, wall: datetime) -> bool:
        """Whether the original is not shown; the one that stands for it learns its key."""
        if self.is_none:
            return False
        instant = self.series.clock.instant(wall)
        event = self.instants.get(instant) or self.days.get(wall.date())
        if event is not None:
            self.originals[id(event)] = self.series.key(wall)
            return True
        return instant in self.left_out or wall.date() in self.left_out_days

    def rows(self) -> Iterator[dict[str, Any]]:
        seen = set()
        for event in (*self.instants.values(), *self.days.values()):
            key = self.originals[id(event)]
            if key not in seen:
                seen.add(key)
                span = span_of(event, self.series.clocks)
                yield self.series._row(key, span, span.start.wall, event)


def _calendar(text: str) -> Part:
    if len(text.encode("utf-8", "replace")) > MOST_TEXT:
        raise RefusedError(f"It is larger than {MOST_TEXT // 1024} KiB.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedError(NOT_A_CALENDAR) from None
    if "\0" in text:
        raise RefusedError(NOT_A_CALENDAR)
    return read(text)


def _check(events: list[Part], masters: list[Part]) -> None:
    uids = {event.text("UID") for event in events}
    if not events:
        raise RefusedError("It holds no appointment.")
    if any(line.param("RANGE") for event in events for line in event.all("RECURRENCE-ID")):
        raise RefusedError(
            "It changes one and all that follow it (RANGE), which few calendars understand."
        )
    if len(uids) > 1 or len(masters) > 1:
        raise RefusedError("It holds more than one appointment.")
    if not 0 < len(uids.pop()) <= MOST_UID:
        raise RefusedError(f"Its UID must have 1 to {MOST_UID:,} characters.")


def _stamp(event: Part, name: str) -> datetime | None:
    line = event.first(name)
    try:
        return moment(line, None).instant if line else None
    except RefusedError:
        return None
