"""Cuts a series in two: what is before an occurrence, and what is from it on; pure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from ..errors import RefusedError
from .content_lines import Line, Part, escaped
from .ics_text import new_uid, raise_sequence, touch
from .occasions import Occasions
from .rules import ended
from .shifting import LISTS
from .spans import moments

NO_SERIES = (
    "Only separate dates of this series are here, not the series itself. "
    "Change or delete them one at a time."
)


def split(text: str, on: str, now: datetime) -> tuple[str, str] | None:
    """What is before an occurrence, and a series of its own from it on; None at the first."""
    whole = Occasions(text)
    refuse_single(whole)
    wall = whole.wall(on)
    if wall is None or not _is_any_before(whole, wall):
        return None
    return _before(Occasions(text), wall, now), _from(Occasions(text), wall, now)


def refuse_single(its: Occasions) -> None:
    if not its.series.has_master:
        raise RefusedError(NO_SERIES, "scope")


def _is_any_before(its: Occasions, wall: datetime) -> bool:
    if any((its.wall(key) or wall) < wall for _, key in its.overrides()):
        return True
    return any(not its.changed.takes(one) for one in its.before(wall))


def _before(its: Occasions, wall: datetime, now: datetime) -> str:
    master, rule = its.master, its.master.first("RRULE")
    earlier = list(takewhile(lambda one: one < wall, its.series.ruled()))
    first = next(iter(its.before(wall)), its.start.wall)
    _keep(its, lambda one: one < wall)
    if not earlier:  # but for those that were added one by one
        master.set("RRULE", None)
        its.begin_at(master, first)
    elif rule is not None:
        last, clock = earlier[-1], its.series.clock
        if clock.instant(last) == clock.instant(wall):  # where clocks skip an hour
            rule.value = ended(rule.value, count=len(earlier))
        else:
            rule.value = ended(rule.value, until=replace(its.start, wall=last))
    raise_sequence(master)
    touch(master, now)
    return its.written()


def _from(its: Occasions, wall: datetime, now: datetime) -> str:
    """What is not on the rule, but was added, does not become its start."""
    master, rule = its.master, its.master.first("RRULE")
    count = sum(1 for _ in takewhile(lambda one: one < wall, its.series.ruled()))
    start = next((one for one in its.series.ruled() if one >= wall), None)
    _keep(its, lambda one: one >= wall)
    append(master, Line("RELATED-TO", "", escaped(master.text("UID"))))
    uid = new_uid()
    for event in its.series.calendar.parts("VEVENT"):
        event.set("UID", Line("UID", "", uid))
        event.set("SEQUENCE", None)
        touch(event, now)
    if rule is not None and start is None:
        master.set("RRULE", None)
    elif rule is not None and (all_of := its.series.rules[0].count) is not None:
        rule.value = ended(rule.value, count=all_of - count)
    its.begin_at(master, start or wall)
    return its.written()


def _keep(its: Occasions, is_kept: Callable[[datetime], bool]) -> None:
    """Of what is listed, and of the overrides, those whose original start is kept."""
    for name in LISTS:
        for line in its.master.all(name):
            listed = moments(Part("", [line]), name, its.series.clocks)
            pairs = zip(line.value.split(","), listed, strict=True)
            line.value = ",".join(
                value for value, one in pairs if is_kept(its.series.own_wall(one))
            )
            if not line.value:
                its.master.contents.remove(line)
    for event, key in list(its.overrides()):
        if (original := its.wall(key)) is not None and not is_kept(original):
            its.series.calendar.contents.remove(event)


def append(part: Part, line: Line) -> None:
    inner = (at for at, one in enumerate(part.contents) if isinstance(one, Part))
    part.contents.insert(next(inner, len(part.contents)), line)
