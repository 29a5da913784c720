"""The rules of a time zone as iCalendar has them (RFC 5545, section 3.6.5); pure.

Each change of the clocks is written out, as the zone data have it: a rule would have to be
guessed from them, and guesses lose what does not come every year, such as Ramadan in Morocco.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

from ..times import changes

Observance = tuple[bool, timedelta, timedelta, str]
"""Whether it is summer time, the offset before, the offset from then on, and its name."""


def timezone(zone: str, first: date, last: date, name: str = "") -> Timezone:
    """A VTIMEZONE that holds for times from ``first`` on and before ``last``.

    It bears the zone's name, or the other ``name`` by which events call it.
    """
    made = Timezone()
    made.add("tzid", name or zone)
    for observance, onsets in _observances(zone, first, last).items():
        made.add_component(_component(observance, onsets))
    return made


def _observances(zone: str, first: date, last: date) -> dict[Observance, list[datetime]]:
    """Each with its onsets, by the clocks from before, as TZOFFSETFROM wants it."""
    place = ZoneInfo(zone)
    begin, end = (datetime.combine(day, time(), UTC) for day in (first, last))
    before = begin.astimezone(place).utcoffset() or timedelta()
    found: dict[Observance, list[datetime]] = {}
    for instant in (begin, *changes(zone, begin, end)):
        local = instant.astimezone(place)
        after = local.utcoffset() or timedelta()
        observance = (bool(local.dst()), before, after, local.tzname() or zone)
        found.setdefault(observance, []).append((instant + before).replace(tzinfo=None))
        before = after
    return found


def _component(observance: Observance, onsets: Sequence[datetime]) -> Any:
    is_summer, before, after, name = observance
    made = TimezoneDaylight() if is_summer else TimezoneStandard()
    made.add("dtstart", onsets[0])
    made.add("tzoffsetfrom", before)
    made.add("tzoffsetto", after)
    made.add("tzname", name)
    for onset in onsets[1:]:  # in a list, some programs see only the first
        made.add("rdate", onset)
    return made
