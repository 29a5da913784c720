"""A week, or a day: whole days in lanes above, and columns of hours below."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from quart import request

from . import packing
from .entries import Entry, Seen
from .frame import Frame
from .packing import Block, More, Placed
from .periods import Period

HOUR = 60
DAYTIME = (7, 20)
MOST_IN_WEEK, MOST_BAR_LANES = 3, 4


@dataclass(frozen=True)
class Piece:
    """What of an entry falls on one day, in minutes of its clock."""

    entry: Entry
    begins: int
    ends: int

    @property
    def title(self) -> str:
        return str(self.entry.title)


@dataclass(frozen=True)
class Column:
    """One day."""

    day: date
    bars: list[Placed]
    """Those that are drawn from this day on."""
    going_on: list[Entry]
    """Those that are drawn from an earlier one on."""
    more_bars: int
    blocks: list[Block]
    more: list[More]


def layout(seen: Seen, frame: Frame) -> dict[str, Any]:
    shown = frame.shown
    is_week = shown.view == "week"
    bars = [one for one in seen.entries if one.is_bar]
    packed = packing.week(bars, shown.first, len(shown.days))
    step = MOST_BAR_LANES if is_week else packing.MOST_LANES
    pieces = {day: list(_pieces(seen.entries, day)) for day in shown.days}
    columns = []
    for at, day in enumerate(shown.days):
        drawn = [one for one in packed.placed if at in one.columns and step not in one.hidden_at]
        blocks, more = packing.day(pieces[day], MOST_IN_WEEK if is_week else packing.MOST_COLUMNS)
        begin = [one for one in drawn if one.column == at]
        going_on = [one.entry for one in packed.placed if at in one.columns[1:]]
        columns.append(Column(day, begin, going_on, packed.hidden(step, at), blocks, more))
    first, last = _hours([one for day in pieces.values() for one in day])
    if request.args.get("hours") == "all":
        first, last = 0, 24
    return {
        "columns": columns,
        "first_hour": first,
        "last_hour": last,
        "now": _now(seen, shown, first, last),
    }


def _pieces(entries: list[Entry], day: date) -> Iterator[Piece]:
    midnight = datetime(day.year, day.month, day.day)
    for one in entries:
        if not one.is_bar and one.first_day <= day <= one.last_day:
            begins = max(0, _minutes(one.begins_at - midnight))
            yield Piece(one, begins, min(24 * HOUR, _minutes(one.ends_at - midnight)))


def _minutes(length: timedelta) -> int:
    return length // timedelta(minutes=1)


def _hours(pieces: list[Piece]) -> tuple[int, int]:
    """The hours of a day, stretched to what it holds."""
    first = min((one.begins // HOUR for one in pieces), default=DAYTIME[0])
    last = max((-(-max(one.ends, one.begins + 1) // HOUR) for one in pieces), default=DAYTIME[1])
    return min(first, DAYTIME[0]), min(24, max(last, DAYTIME[1]))


def _now(seen: Seen, shown: Period, first: int, last: int) -> datetime | None:
    """Where the line stands; None on other days, and in hours that are not shown."""
    is_shown = shown.holds(seen.today) and first <= seen.wall.hour < last
    return seen.wall if is_shown else None
