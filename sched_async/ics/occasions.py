"""One occurrence of a series, and its place in the text; pure.

It goes by its key: its original start, in the zone of the series, as the address has it (``on``).
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Any

from .alarms import reminders_of
from .content_lines import Line, Part, written
from .derive import FAR, Changed, Series
from .ics_text import Facts, digits
from .spans import DATE, Span, moment, span_of

OF_THE_SERIES = ("RRULE", "RDATE", "EXDATE", "EXRULE")


class Occasions:
    """A series, with what stands in the place of its occurrences."""

    def __init__(self, text: str) -> None:
        self.series = Series(text)
        self.changed = Changed(self.series)
        self.master = self.series.master
        self.start = self.series.span.start

    def wall(self, on: str) -> datetime | None:
        """The original start that a key names."""
        try:
            wall = datetime.fromisoformat(on)
        except ValueError:
            return None
        return wall if wall.tzinfo is None and self.series.key(wall) == on else None

    def has(self, on: str, now: datetime) -> bool:
        """Whether it is shown, or could be, as far as series without end are followed."""
        wall = self.wall(on)
        if wall is None or not self.series.repeats:
            return False
        if self.override(on) is not None:
            return True
        end = max(now, self.start.instant) + FAR
        try:
            is_too_late = self.is_endless and self.series.clock.instant(wall) >= end
        except OverflowError:  # the first day that there is, or the last
            return False
        if is_too_late or not self.series.has_master:
            return False
        return wall in self.until(wall) and not self.changed.takes(wall)

    def until(self, last: datetime) -> list[datetime]:
        """The original starts up to this one, also of those that are left out."""
        if not self.series.has_master:
            return []
        return list(takewhile(lambda wall: wall <= last, self.series.walls()))

    def before(self, wall: datetime) -> Iterator[datetime]:
        return takewhile(lambda one: one < wall, self.series.walls())

    @property
    def is_endless(self) -> bool:
        return any(rule.is_endless for rule in self.series.rules)

    def override(self, on: str) -> Part | None:
        return next((one for one, key in self.overrides() if key == on), None)

    def overrides(self) -> Iterator[tuple[Part, str]]:
        for event in self.series.changed:
            yield event, self.changed.originals[id(event)]

    def span(self, on: str) -> Span:
        event, wall = self.override(on), self.wall(on)
        if event is not None:
            return span_of(event, self.series.clocks)
        return self.unchanged(wall) if wall else self.series.span

    def unchanged(self, wall: datetime) -> Span:
        span = self.series.span
        return replace(span, start=replace(span.start, wall=wall))

    def facts(self, on: str) -> Facts:
        """What a form shows of it."""
        return facts_of(self.override(on) or self.master, self.span(on))

    def row(self, on: str) -> dict[str, Any]:
        """What a page shows of it, as a row of the database has it."""
        span = self.span(on)
        start, end = span.instants(span.start.wall)
        facts = self.facts(on)
        return {
            "recurrence_id": on,
            "floating": span.start.is_date or span.start.clock.place is None,
            "allday": facts.allday,
            "start_utc": start,
            "end_utc": end,
            "title": facts.title,
            "location": facts.location,
            "description": facts.description,
        }

    def was_moved(self, event: Part, on: str) -> bool:
        """Whether an override begins at another time than the original, or as another kind."""
        start, wall = span_of(event, self.series.clocks).start, self.wall(on)
        if wall is None or start.is_date != self.start.is_date:
            return True
        return start.instant != self.series.clock.instant(wall)

    def one_at(self, wall: datetime) -> Part:
        """A new override that is as the series."""
        event = deepcopy(self.master)
        for name in OF_THE_SERIES:
            event.set(name, None)
        self.begin_at(event, wall)
        event.set("RECURRENCE-ID", self.line("RECURRENCE-ID", wall))
        return event

    def begin_at(self, event: Part, wall: datetime) -> None:
        """Let what is as the series begin then, and last as long."""
        event.set("DTSTART", self.line("DTSTART", wall))
        if (end := event.first("DTEND")) is not None:
            clock = moment(end, self.series.clocks).clock
            last = wall + self.series.span.by_wall
            if not self.start.is_date and clock != self.series.clock and clock.place:
                last = clock.wall(self.series.clock.instant(last))
            event.set("DTEND", like(end, "DTEND", last))

    def line(self, name: str, wall: datetime) -> Line:
        begin = self.master.first("DTSTART")
        return like(begin, name, wall) if begin else Line(name, "", digits(wall))

    def written(self) -> str:
        return written(self.series.calendar)


def facts_of(event: Part, span: Span) -> Facts:
    start = span.start
    return Facts(
        event.text("SUMMARY"),
        start.wall,
        span.last_wall(),
        start.is_date,
        None if start.is_date else start.clock.name,
        event.text("LOCATION"),
        event.text("DESCRIPTION"),
        reminders_of(event, start.is_date),
    )


def like(other: Line, name: str, wall: datetime) -> Line:
    """A time as another line writes its own: as a date, in UTC, in that zone."""
    if DATE.match(other.value.strip()):
        return Line(name, other.params, digits(wall)[:8])
    zulu = "Z" if other.value.strip().upper().endswith("Z") else ""
    return Line(name, other.params, f"{digits(wall)}{zulu}")
