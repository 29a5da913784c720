"""The month: a table of weeks, each packed into lanes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from quart import request, url_for

from ..display import heading
from . import packing
from .entries import Entry, Seen
from .frame import Frame
from .packing import MOST_LANES, Packed, Placed
from .periods import Period, iso_week

MOST_DOTS = 4
MOST_LINES = 2


class Chip(NamedTuple):
    """A bar, or one with a time: what the template writes, and what is said of it."""

    classes: str
    href: str
    time: str
    name: str
    said: str


class Cell(NamedTuple):
    """One day: what begins in it, or goes on from the week before, in order of the lanes.

    The template takes these and the chips apart, which is quicker than to ask for each part.
    """

    day: date
    is_today: bool
    is_chosen: bool
    classes: str
    number: int
    chips: list[Chip]
    more: tuple[tuple[int, int], ...]
    """At which step how many are not shown."""
    dots: tuple[str, ...]
    lines: tuple[str, ...]
    """The colours of the first bars that last several days, for narrow windows."""


@dataclass(frozen=True)
class Week:
    number: int
    key: str
    cells: list[Cell]


def layout(seen: Seen, frame: Frame) -> dict[str, Any]:
    shown = frame.shown
    by_day = seen.by_day(shown.first, shown.last)
    chosen = _chosen(seen, shown)
    base = url_for("appointments.index")
    return {
        "weeks": [_week(days, by_day, frame, chosen, base) for days in shown.weeks],
        "chosen": chosen,
        "chosen_heading": heading(chosen, seen.today),
        "chosen_entries": by_day.get(chosen, []),
    }


def _chosen(seen: Seen, shown: Period) -> date:
    """The day of ``?day=``, whose list stands below in a narrow window."""
    days = {day.isoformat(): day for day in shown.days}
    usual = seen.today if shown.holds(seen.today) else shown.anchor
    return days.get(request.args.get("day", ""), usual)


def _week(
    days: list[date], by_day: dict[date, list[Entry]], frame: Frame, chosen: date, base: str
) -> Week:
    here = {id(one): one for day in days for one in by_day.get(day, ())}
    packed = packing.week(here.values(), days[0])
    begins: list[list[Placed]] = [[] for _ in days]
    long: list[dict[int, str]] = [{} for _ in days]
    for one in sorted(packed.placed, key=lambda one: one.lane):
        if one.lane < MOST_LANES:
            begins[one.column].append(one)
        if one.lane < MOST_LINES and one.entry.first_day < one.entry.last_day:
            for column in one.columns:
                long[column][one.lane] = one.entry.calendar.color
    cells = []
    for at, day in enumerate(days):
        classes = ("" if frame.shown.holds(day) else "other ") + ("chosen" * (day == chosen))
        entries = by_day.get(day, [])
        cells.append(
            Cell(
                day,
                day == frame.today,
                day == chosen,
                classes,
                len(entries),
                [_chip(one, day, base) for one in begins[at]],
                _more(packed, at),
                _dots(entries),
                _lines(long[at]),
            )
        )
    year, number = iso_week(days[0])
    return Week(number, f"{year}-W{number:02}", cells)


def _chip(placed: Placed, day: date, base: str) -> Chip:
    entry: Entry = placed.entry
    href = f"{base}{entry.path}"
    if entry.is_bar:
        classes = f"bar {entry.calendar.color}{entry.fixed} {placed.classes}"
        return Chip(classes, href, "", entry.name, entry.said(day))
    classes = f"timed {entry.classes} {placed.classes}"
    return Chip(classes, href, entry.short_start, entry.name, entry.said(entry.first_day))


def _dots(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Of the first that are on this day alone, and a plus where there are more."""
    single = [one.calendar.color for one in entries if one.first_day == one.last_day]
    return tuple(single if len(single) <= MOST_DOTS else [*single[: MOST_DOTS - 1], "plus"])


def _more(packed: Packed, column: int) -> tuple[tuple[int, int], ...]:
    counts = ((step, packed.hidden(step, column)) for step in packed.more)
    return tuple((step, count) for step, count in counts if count)


def _lines(by_lane: dict[int, str]) -> tuple[str, ...]:
    """By lane; an empty one where nothing is."""
    return tuple(by_lane.get(lane, "") for lane in range(max(by_lane, default=-1) + 1))
