"""Appointments as iCalendar (RFC 5545); pure, and in parts, so that nothing must fit in memory.

A calendar is ``head``, any number of ``event``, and ``TAIL``.  Times keep the wall clock and
the zone that were meant, whole days are dates, and ``DTSTAMP`` is the last change, so that an
appointment that did not change is the same bytes each time.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from icalendar import Calendar, Event

from ..models import Appointment
from .timezones import timezone

PRODUCT = "-//sched_async//EN"
TAIL = b"END:VCALENDAR\r\n"
DAY = timedelta(days=1)
UTC_NAMES = frozenset(("UTC", "UCT", "Universal", "Zulu"))


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


def event(appointment: Appointment) -> Event:
    made = Event()
    made.add("uid", appointment.uid)
    made.add("dtstamp", appointment.modified_at)
    made.add("created", appointment.created_at)
    made.add("last-modified", appointment.modified_at)
    if appointment.allday:
        made.add("dtstart", appointment.start.date())
        made.add("dtend", appointment.end.date() + DAY)
    else:
        _add_time(made, "dtstart", appointment.start, appointment.timezone)
        _add_time(made, "dtend", appointment.end, appointment.timezone)
    for name in ("summary", "location", "description"):
        text = getattr(appointment, "title" if name == "summary" else name)
        if text:
            made.add(name, text)
    return made


def _add_time(made: Event, name: str, wall: datetime, zone: str) -> None:
    """By the name of the zone: from a ``ZoneInfo``, the library makes Iceland's time UTC."""
    if is_utc(zone):
        made.add(name, wall.replace(tzinfo=UTC))
    else:
        made.add(name, wall, parameters={"TZID": zone})


def is_utc(zone: str) -> bool:
    return zone.removeprefix("Etc/") in UTC_NAMES
