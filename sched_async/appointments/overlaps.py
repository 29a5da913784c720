"""What a saved appointment overlaps: the message says so, and nothing is refused.

Whole days, and what is free or cancelled, take nobody's time.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

from ..accounts.sessions import current_user
from ..errors import RefusedError
from ..ics.derive import Derived
from ..times import now, to_wall
from .display import Item
from .messages import called
from .occurrences import Found, begins, ends, occurrences

NAMED = 3
LETTERS = 40  # of each title: these three, and all else, have to fit into a cookie
AHEAD = timedelta(days=366)
MOST_OWN = 100  # occurrences of a series
MOST, MOST_OF_SERIES = 100, 500  # rows of each range that is read: that bounds what it costs
MANY = 50  # from here on they may not be all


async def after_saving(
    appointment_id: int | None, made: Derived, calendars: Sequence[int], *, only: str | None = None
) -> str:
    """“Saved.”, and what of these calendars it overlaps, or the ``only`` one of a series does."""
    own = _own(made, only)
    try:
        found = await _overlapped(own, calendars, current_user.timezone) if own else []
    except RefusedError:  # a series takes too long to follow; this one is saved all the same
        found = []
    others: dict[int, Found] = {}
    for row in found:
        if row.id != appointment_id:
            others.setdefault(row.id, row)
    if not others:
        return "Saved."
    return f"Saved. It overlaps {_named(list(others.values()), _day(own))}."


def _own(made: Derived, only: str | None) -> list[Any]:
    """When it takes time; of a series what comes within a year, and so much of it."""
    if made.columns["transparent"] or made.columns["status"] == "CANCELLED":
        return []
    busy = [one for one in made.occurrences if not one["allday"]]
    if only is not None:
        busy = [one for one in busy if one["recurrence_id"] == only]
    elif len(made.occurrences) > 1:
        moment = now()
        coming = [one for one in busy if one["end_utc"] > moment]
        first = sorted(coming, key=itemgetter("start_utc"))[:MOST_OWN]
        busy = [one for one in first if one["start_utc"] < first[0]["start_utc"] + AHEAD]
    return [SimpleNamespace(**one) for one in busy]


async def _overlapped(own: Sequence[Any], calendars: Sequence[int], zone: str) -> list[Found]:
    """In order, itself as well; what only touches does not count."""
    spans = [(begins(one, zone), ends(one, zone)) for one in own]
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    most = MOST if len(own) == 1 else MOST_OF_SERIES
    found = []
    for row in await occurrences(calendars, first, last, zone, most=most):
        begin, end = begins(row, zone), ends(row, zone)
        if _takes_time(row) and any(begin < other and start < end for start, other in spans):
            found.append(row)
    return found


def _takes_time(row: Found) -> bool:
    return not (row.allday or row.transparent or row.status == "CANCELLED")


def _day(own: Sequence[Any]) -> date:
    """The day that need not be said; with a series, any day is."""
    if len(own) > 1:
        return date.min
    zone = current_user.timezone
    return to_wall(begins(own[0], zone), zone).date()


def _named(others: Sequence[Found], day: date) -> str:
    parts = [_described(row, day) for row in others[:NAMED]]
    more = len(others) - NAMED
    if more > 0:
        parts.append("many more" if more > MANY else f"{more} more")
    *before, last = parts
    return f"{', '.join(before)} and {last}" if before else last


def _described(row: Found, day: date) -> str:
    item = Item(row, current_user.timezone, current_user.clock_hours)
    return f"{called(item.title, LETTERS)} ({item.time_under(day)})"
