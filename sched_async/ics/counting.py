"""How many dates a series has at least, known without following its rule; pure.

A file of too many is refused by this before anything is made of it.  A rule that says more than
how often, on which days of the week and until when counts for nothing: its dates may never come.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ..errors import RefusedError
from .content_lines import Line
from .cutting import Component
from .derive import AHEAD, MOST_OCCURRENCES
from .recurrence import parsed, parts_of
from .spans import moment

PLAIN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
DAY, WEEK = timedelta(days=1), timedelta(days=7)
STEPS = {"HOURLY": timedelta(hours=1), "DAILY": DAY, "WEEKLY": WEEK}
DAYS = re.compile("(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*")


def at_least(group: Sequence[Component], now: datetime) -> int:
    """Of all that have one UID; nothing where some of it may be refused."""
    ruled = [one for one in group if "RRULE" in one.kept]
    if len(ruled) != 1 or any(one.refused for one in group):
        return 0
    try:
        found = _dates(ruled[0].value("RRULE"), ruled[0].value("DTSTART"), now)
    except (RefusedError, ValueError, KeyError, OverflowError):
        return 0
    return max(found - len(group) - _left_out(ruled[0]), 0)


def _dates(rule: str, start: str, now: datetime) -> int:
    step, a_step = _pace(parts_of(rule))
    whole, begin = parsed(rule), moment(Line("DTSTART", "", start), None).instant
    if not a_step or (whole.count and whole.until):
        return 0
    if whole.count:
        begin + step * (whole.count // a_step + 1)  # they must come before time ends
        return whole.count if whole.count <= MOST_OCCURRENCES else 0
    last = max(now, begin) + AHEAD
    if whole.until:
        last = moment(Line("UNTIL", "", whole.until), None).instant
    # The clocks of its zone are not known, so it is two days less.
    found = ((last - begin - 2 * DAY) // step - 1) * a_step
    return found if found <= MOST_OCCURRENCES - 5 * a_step else 0


def _pace(parts: Mapping[str, str]) -> tuple[timedelta, int]:
    """So many dates in each such time; none where that is not sure."""
    frequency, every, days = parts["FREQ"], int(parts.get("INTERVAL", "1")), parts.get("BYDAY")
    if frequency not in STEPS or set(parts) - PLAIN:
        return DAY, 0
    if days is None:
        return STEPS[frequency] * every, 1
    is_each_week = frequency == "WEEKLY" or (frequency == "DAILY" and every == 1)
    is_plain = is_each_week and DAYS.fullmatch(days)
    return WEEK * every, len(set(days.split(","))) if is_plain else 0


def _left_out(one: Component) -> int:
    """How many dates at most: there is a comma between two."""
    text = one.body.upper()
    return text.count(b"EXDATE") + text.count(b",") if b"EXDATE" in text else 0
