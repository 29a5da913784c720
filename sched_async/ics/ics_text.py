"""Writes the iCalendar text of an appointment: anew, or over one that is there; pure.

What a form does not show stays as it was: alarms, guests, seconds, properties of other programs.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from .alarms import set_reminders
from .content_lines import Line, Part, escaped, read, written

PRODUCT = "-//sched_async//EN"
DAY = timedelta(days=1)
UTC_NAMES = frozenset(("UTC", "UCT", "Universal", "Zulu"))
TEXTS = {"title": "SUMMARY", "location": "LOCATION", "description": "DESCRIPTION"}


@dataclass(frozen=True)
class Facts:
    """What a form shows of an appointment; ``end`` of whole days is the last one."""

    title: str
    start: datetime
    end: datetime
    allday: bool
    timezone: str | None
    location: str = ""
    description: str = ""
    reminders: tuple[int, ...] = ()
    """Minutes before; of whole days those of so many days."""
    reminder_hour: int = field(default=9, compare=False)
    """At which whole days are reminded of."""

    @property
    def times(self) -> tuple[object, ...]:
        return self.start, self.end, self.allday, None if self.allday else self.timezone

    @property
    def contents(self) -> tuple[object, ...]:
        """All else."""
        return self.title, self.location, self.description, self.reminders


def new_uid() -> str:
    return token_hex(16)


def new_text(facts: Facts, now: datetime, *, uid: str = "", created: datetime | None = None) -> str:
    """The text of a new appointment, last changed ``now``."""
    event = Part("VEVENT", [Line("UID", "", escaped(uid or new_uid()))])
    for name, instant in (("DTSTAMP", now), ("CREATED", created or now), ("LAST-MODIFIED", now)):
        event.contents.append(stamp(name, instant))
    event.contents += [_time("DTSTART", facts), _time("DTEND", facts)]
    for fact, name in TEXTS.items():
        if text := getattr(facts, fact):
            event.contents.append(Line(name, "", escaped(text)))
    set_reminders(event, facts.reminders, facts.allday, facts.reminder_hour)
    return calendar_of(event)


def calendar_of(*parts: Part) -> str:
    """The text of a calendar with these components."""
    head = [Line("VERSION", "", "2.0"), Line("PRODID", "", PRODUCT)]
    return written(Part("VCALENDAR", [*head, *parts]))


def patched(text: str, shown: Facts, wanted: Facts, now: datetime) -> str:
    """The text with that changed which is wanted otherwise than it was shown."""
    if shown.contents == wanted.contents and shown.times == wanted.times:
        return text
    calendar = read(text)
    patch(master_of(calendar), shown, wanted, now)
    return written(calendar)


def patch(event: Part, shown: Facts, wanted: Facts, now: datetime) -> None:
    patch_contents(event, shown, wanted)
    if shown.times != wanted.times:
        move(event, shown, wanted)
        raise_sequence(event)
    touch(event, now)


def patch_contents(event: Part, shown: Facts, wanted: Facts) -> None:
    """All that is no time; of reminders only those are touched that a form shows."""
    for fact, name in TEXTS.items():
        if (new := getattr(wanted, fact)) != getattr(shown, fact):
            event.set(name, Line(name, "", escaped(new)) if new else None)
    is_other_kind = shown.allday != wanted.allday
    if wanted.reminders != shown.reminders or (wanted.reminders and is_other_kind):
        if is_other_kind:
            set_reminders(event, (), shown.allday, shown.reminder_hour)
        set_reminders(event, wanted.reminders, wanted.allday, wanted.reminder_hour)


def touch(event: Part, now: datetime) -> None:
    """Say that it has been changed."""
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        event.set(name, stamp(name, now))


def master_of(calendar: Part) -> Part:
    events = calendar.parts("VEVENT")
    return next((event for event in events if not event.first("RECURRENCE-ID")), events[0])


def move(event: Part, shown: Facts, wanted: Facts) -> None:
    """A duration stays while it is as long; the end, or the start, that stays is not touched."""
    is_other_kind = shown.times[2:] != wanted.times[2:]
    if is_other_kind or shown.start != wanted.start:
        event.set("DTSTART", _time("DTSTART", wanted))
    is_as_long = wanted.end - wanted.start == shown.end - shown.start
    if event.first("DURATION") and not event.first("DTEND"):
        if is_as_long and not is_other_kind:
            return
        event.set("DURATION", None)
        event.set("DTEND", _time("DTEND", wanted))
    elif is_other_kind or shown.end != wanted.end or not event.first("DTEND"):
        event.set("DTEND", _time("DTEND", wanted))


def _time(name: str, facts: Facts) -> Line:
    wall = facts.start if name == "DTSTART" else facts.end
    if facts.allday:
        day = wall if name == "DTSTART" else wall + DAY
        return Line(name, ";VALUE=DATE", digits(day)[:8])
    if facts.timezone is None:
        return Line(name, "", digits(wall))
    if facts.timezone.removeprefix("Etc/") in UTC_NAMES:
        return Line(name, "", f"{digits(wall)}Z")
    zone = facts.timezone
    quoted = f'"{zone}"' if any(char in zone for char in ',;:"') else zone
    return Line(name, f";TZID={quoted}", digits(wall))


def stamp(name: str, instant: datetime) -> Line:
    return Line(name, "", f"{digits(instant.astimezone(UTC))}Z")


def digits(wall: datetime) -> str:
    """By hand, since ``strftime`` writes the year 800 in three digits."""
    date = f"{wall.year:04}{wall.month:02}{wall.day:02}"
    return f"{date}T{wall.hour:02}{wall.minute:02}{wall.second:02}"


def raise_sequence(event: Part) -> None:
    line = event.first("SEQUENCE")
    value = line.value.strip() if line else "0"
    event.set("SEQUENCE", Line("SEQUENCE", "", str(int(value) + 1 if value.isdecimal() else 1)))
