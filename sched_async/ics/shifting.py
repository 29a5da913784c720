"""All times of a series move by one difference of the wall clock; pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..errors import RefusedError
from .content_lines import Line, Part
from .ics_text import Facts, digits, move, raise_sequence
from .occasions import Occasions, facts_of
from .rules import NOT_ITS_DAY, ended, moved, until_wall
from .spans import Moment, moment, moments, span_of

LISTS = ("EXDATE", "RDATE")


@dataclass(frozen=True)
class Shift:
    """By how much the start and the end move, and the zone and the kind afterwards."""

    start: timedelta
    end: timedelta
    is_other_kind: bool
    wanted: Facts

    @classmethod
    def between(cls, its: Occasions, shown: Facts, wanted: Facts) -> "Shift":
        """Where the zone or the kind becomes another, as if the one shown were like the series."""
        is_other = shown.times[2:] != wanted.times[2:]
        if is_other:
            shown = _like_the_series(its, shown)
        start, end = wanted.start - shown.start, wanted.end - shown.end
        if wanted.allday and not shown.allday:
            start, end = (_days(one, other) for one, other in _pairs(wanted, shown))
        return cls(start, end, is_other, wanted)

    def __bool__(self) -> bool:
        return bool(self.start or self.end or self.is_other_kind)

    @property
    def moves_start(self) -> bool:
        return bool(self.start) or self.is_other_kind

    def moved(self, original: datetime) -> datetime:
        """Where an original start goes."""
        wall = original + self.start
        is_date = self.wanted.allday if self.is_other_kind else False
        return wall.replace(hour=0, minute=0, second=0) if is_date else wall

    def of(self, facts: Facts) -> Facts:
        """Where it goes; an end that would come before its start is as far from it as shown."""
        start, end = facts.start + self.start, facts.end + self.end
        zone, allday = facts.timezone, facts.allday
        if self.is_other_kind:
            zone, allday = self.wanted.timezone, self.wanted.allday
        if end < start or (end == start and not allday):
            end = start + (self.wanted.end - self.wanted.start)
        return replace(facts, start=start, end=end, timezone=zone, allday=allday)


def _pairs(wanted: Facts, shown: Facts) -> tuple[tuple[datetime, datetime], ...]:
    return (wanted.start, shown.start), (wanted.end, shown.end)


def _days(one: datetime, other: datetime) -> timedelta:
    return timedelta(days=(one.date() - other.date()).days)


def _like_the_series(its: Occasions, shown: Facts) -> Facts:
    """What an override shows, as a day or by the clocks of the series."""
    usual = facts_of(its.master, its.series.span)
    if shown.allday and not usual.allday:
        start = datetime.combine(shown.start, usual.start.time())
        return replace(usual, start=start, end=start + (usual.end - usual.start))
    if shown.timezone and not (shown.allday or usual.allday) and usual.timezone != shown.timezone:
        there, here = its.series.clocks.named(shown.timezone), its.series.clock
        start, end = (here.wall(there.instant(one)) for one in (shown.start, shown.end))
        return replace(shown, start=start, end=end, timezone=usual.timezone)
    return shown


def refuse_elsewhere(text: str, wall: datetime) -> None:
    """Where the kept rule does not hold the one that the form showed, it names its days."""
    if wall not in Occasions(text).until(wall):
        raise RefusedError(NOT_ITS_DAY, "days")


def shift(old: Occasions, by: Shift, on: str) -> None:
    """Move everything in the text of a series, which becomes another by that.

    An override that was moved by itself, and the one that a form showed (``on``), keep their own
    times; only what they stand for moves.
    """
    master, span = old.master, old.series.span
    before = facts_of(master, span)
    moments_of = {name: _walls(old, name) for name in LISTS}
    overrides = [(event, key, old.was_moved(event, key)) for event, key in old.overrides()]
    own = {
        id(event): facts_of(event, span_of(event, old.series.clocks)) for event, _, _ in overrides
    }
    after = by.of(before)
    move(master, before, after)
    raise_sequence(master)
    for event, key, was_moved in overrides:
        original = old.wall(key)
        if by.moves_start and original is not None:
            event.set("RECURRENCE-ID", old.line("RECURRENCE-ID", _cut(original + by.start, after)))
            raise_sequence(event)
        if not was_moved and key != on:
            _along(event, own[id(event)], before, after, by, original)
    if by.moves_start:
        for name, walls in moments_of.items():
            _list(old, name, walls, by, after)


def _along(
    event: Part, own: Facts, before: Facts, after: Facts, by: Shift, original: datetime | None
) -> None:
    """One that begins as the series would, and lasts as long unless it had an end of its own."""
    start = (original if by.is_other_kind and original else own.start) + by.start
    is_as_long = own.end - own.start == before.end - before.start
    lasts = after.end - after.start if is_as_long or by.is_other_kind else own.end - own.start
    place = replace(own, timezone=after.timezone, allday=after.allday) if by.is_other_kind else own
    move(event, own, replace(place, start=start, end=start + lasts))


def _cut(wall: datetime, after: Facts) -> datetime:
    return wall.replace(hour=0, minute=0, second=0) if after.allday else wall


Listed = tuple[Line, list[tuple[datetime, str]]]


def _walls(old: Occasions, name: str) -> list[Listed]:
    """What such lines list, by the clocks of the series; with how long a period lasts."""
    found = []
    for line in old.master.all(name):
        part = Part("", [line])
        walls = [old.series.own_wall(one) for one in moments(part, name, old.series.clocks)]
        lasts = [_lasts(old, line, value) for value in line.value.split(",")]
        found.append((line, list(zip(walls, lasts, strict=True))))
    return found


def _lasts(old: Occasions, line: Line, value: str) -> str:
    begin, slash, end = value.strip().partition("/")
    if not slash or end.upper().startswith("P"):
        return slash + end
    first, last = (moment(Line("", line.params, one), old.series.clocks) for one in (begin, end))
    return f"/PT{max(0, int((last.instant - first.instant).total_seconds()))}S"


def _list(old: Occasions, name: str, lines: list[Listed], by: Shift, after: Facts) -> None:
    for line, walls in lines:
        begin = old.line(name, after.start)
        values = [
            (digits(_cut(wall + by.start, after))[: 8 if after.allday else None], lasts)
            for wall, lasts in walls
        ]
        zulu = begin.value[15:]
        is_period = not after.allday and any(lasts for _, lasts in values)
        line.params = begin.params + (";VALUE=PERIOD" if is_period else "")
        line.value = ",".join(
            f"{value}{zulu}{'' if after.allday else lasts}" for value, lasts in values
        )


def shifted_rule(rule: str, old: Moment, new: Moment, is_other_kind: bool) -> str:
    """The rule, kept, and its end, where all moves; RefusedError where its days cannot move."""
    text = moved(rule, old.wall, new.wall)
    last = until_wall(rule, old)
    if last is None or (old.wall == new.wall and not is_other_kind):
        return text
    return ended(text, until=replace(new, wall=last + (new.wall - old.wall)))


def start_of(its: Occasions) -> Moment:
    """When a series begins whose text has been changed."""
    return span_of(its.master, its.series.clocks).start
