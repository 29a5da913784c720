"""How an appointment repeats, in words: on its page, and beside the fields of its form."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice
from typing import Any

from ..errors import RefusedError
from ..human_dates import short_date
from ..ics.clocks import FLOATING, known
from ..ics.recurrence import parsed
from ..ics.rule_words import in_words
from ..ics.rules import Repeat, ended, first_on, rule_of
from ..ics.spans import Moment
from .expanding import in_thread
from .repeat_fields import NAMES

FIRST = 3  # dates that are shown


@dataclass(frozen=True)
class Summary:
    words: str
    dates: list[str]


def words_of(row: Any) -> str:
    """What the page of an appointment says; by dates alone it has no rule."""
    if not row.rrule:
        return "on certain dates"
    return in_words(row.rrule, start_moment(row.start, row.allday, row.timezone))


def start_moment(wall: datetime, allday: bool, zone: str | None) -> Moment:
    clock = (known(zone) if zone and not allday else None) or FLOATING
    return Moment(wall, clock, allday)


async def summary(form: Any) -> Summary | None:
    """Of what a form says, as far as it makes sense; None for what does not repeat."""
    if not form.repeat.data or not form.start.data or any(form[name].errors for name in NAMES):
        return None
    start = start_moment(form.start.data, bool(form.allday.data), form.timezone.data)
    try:
        return await in_thread(partial(_summary, form.wanted_repeat(), start))
    except RefusedError:
        return None


def _summary(repeat: Repeat, start: Moment) -> Summary:
    rule = rule_of(repeat, start)
    walls = _walls(rule, repeat.until if repeat.ends == "on" else None, start.wall)
    return Summary(in_words(rule, start), [short_date(one.date()) for one in walls])


def _walls(rule: str, until: date | None, start: datetime) -> list[datetime]:
    whole = parsed(rule)
    first = first_on(rule, start)
    walls = islice(parsed(ended(rule)).walls(first), min(FIRST, whole.count or FIRST))
    return [one for one in walls if until is None or one.date() <= until]
