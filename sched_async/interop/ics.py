"""Appointments as iCalendar (RFC 5545); pure, and in parts, so that nothing must fit in memory.

A calendar is ``head``, blocks of zones that come with appointments, any number of ``events``,
and ``TAIL``.  An appointment that did not change is the same bytes each time.
"""

from collections.abc import Iterable
from datetime import date

from icalendar import Calendar

from ..appointments.content_lines import read, written
from ..appointments.ics_text import PRODUCT, UTC_NAMES
from .timezones import timezone

TAIL = b"END:VCALENDAR\r\n"
BLOCK = "BEGIN:VTIMEZONE"


def head(zones: Iterable[str], first: date, last: date) -> bytes:
    """The beginning, with each zone's rules for a time that holds ``first`` and ``last``."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    years = date(first.year - 1, 1, 1), date(last.year + 2, 1, 1)
    for zone in sorted(zone for zone in zones if not is_utc(zone)):
        calendar.add_component(timezone(zone, *years))
    beginning: bytes = calendar.to_ical()
    return beginning.removesuffix(TAIL)


def events(text: str) -> str:
    """The events of an appointment's text, as they stand there."""
    begin, end = text.find("BEGIN:VEVENT"), text.rfind("END:VEVENT")
    return f"{text[begin:end]}END:VEVENT\r\n"


def own_zones(text: str) -> dict[str, str]:
    """The blocks of a text that say by which rules its zones go, by their names."""
    found = (part for part in read(text).parts("VTIMEZONE")) if BLOCK in text else ()
    return {part.text("TZID"): written(part) for part in found}


def is_utc(zone: str) -> bool:
    return zone.removeprefix("Etc/") in UTC_NAMES
