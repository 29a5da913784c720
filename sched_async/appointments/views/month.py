"""The month: a table of weeks, each packed into lanes."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from quart import request

from ..display import heading
from . import packing
from .entries import Entry, Seen
from .frame import Frame
from .packing import MOST_LANES, Packed, Placed
from .periods import Period, iso_week

MOST_DOTS = 4
MOST_LINES = 2


@dataclass(frozen=True)
class Cell:
    """One day: what begins in it, or goes on from the week before, in order of the lanes."""

    day: date
    is_today: bool
    is_chosen: bool
    classes: str
    url: str
    create_url: str
    placed: list[Placed]
    more: list[tuple[int, int]]
    """At which step how many are not shown."""
    entries: list[Entry]
    lines: list[str]
    """The colours of the first bars that last several days, for narrow windows."""

    @property
    def dots(self) -> tuple[str, ...]:
        """Those of the first others, and a plus where there are more."""
        single = [one.calendar.color for one in self.entries if one.first_day == one.last_day]
        return tuple(single if len(single) <= MOST_DOTS else [*single[: MOST_DOTS - 1], "plus"])


@dataclass(frozen=True)
class Week:
    number: int
    key: str
    cells: list[Cell]


def layout(seen: Seen, frame: Frame) -> dict[str, Any]:
    shown = frame.shown
    by_day = seen.by_day(shown.first, shown.last)
    chosen = _chosen(seen, shown)
    return {
        "weeks": [_week(days, by_day, frame, chosen) for days in shown.weeks],
        "chosen": chosen,
        "chosen_heading": heading(chosen, seen.today),
        "chosen_entries": by_day.get(chosen, []),
    }


def _chosen(seen: Seen, shown: Period) -> date:
    """The day of ``?day=``, whose list stands below in a narrow window."""
    days = {day.isoformat(): day for day in shown.days}
    usual = seen.today if shown.holds(seen.today) else shown.anchor
    return days.get(request.args.get("day", ""), usual)


def _week(days: list[date], by_day: dict[date, list[Entry]], frame: Frame, chosen: date) -> Week:
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
        cells.append(
            Cell(
                day,
                is_today=day == frame.today,
                is_chosen=day == chosen,
                classes=classes,
                url=frame.day_url(day),
                create_url=frame.create_url(day),
                placed=begins[at],
                more=_more(packed, at),
                entries=by_day.get(day, []),
                lines=_lines(long[at]),
            )
        )
    year, number = iso_week(days[0])
    return Week(number, f"{year}-W{number:02}", cells)


def _more(packed: Packed, column: int) -> list[tuple[int, int]]:
    counts = ((step, packed.hidden(step, column)) for step in packed.more)
    return [(step, count) for step, count in counts if count]


def _lines(by_lane: dict[int, str]) -> list[str]:
    """By lane; an empty one where nothing is."""
    return [by_lane.get(lane, "") for lane in range(max(by_lane, default=-1) + 1)]
