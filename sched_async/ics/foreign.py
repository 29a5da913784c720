"""What a foreign calendar file holds: a text for each appointment, or why there is none; pure.

Three things are written otherwise than they came, and it is said: the end of a rule in the kind
of its start, the names of time zones as IANA has them, and a UID where there was none.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from functools import partial

from ..errors import RefusedError
from .clocks import Clocks, known
from .content_lines import Line, Part, escaped, read
from .cutting import CalendarFile, Component, calendars
from .derive import MOST_OF_A_PERSON, Derived, derive
from .ics_text import calendar_of
from .recurrence import parts_of
from .rules import until_value
from .spans import Moment, moment

Within = Callable[[Callable[[], None]], None]
TZID = re.compile(r';TZID=("[^"]*"|[^;:]*)', re.IGNORECASE)
TOO_MANY = f"The file holds more than {MOST_OF_A_PERSON:,} dates."
NOT_UTF_8 = "It is not UTF-8 text."
OLDER = "The file has a newer version of it."
NEW_UNTIL = "The end of its rule is now in the same form as its start."
NEW_ZONE = "Its time zone now has its IANA name."
NEW_UID = "It had no UID, so it was given one."


@dataclass
class Found:
    """One appointment of a file, or what cannot be one."""

    line: int
    title: str = ""
    made: Derived | None = None
    refused: str = ""
    changed: list[str] = field(default_factory=list)
    """What is written otherwise than it came."""


@dataclass
class Summary:
    """What else a file holds: its name, and what is not taken."""

    name: str = ""
    others: Counter[str] = field(default_factory=Counter)


def found(
    data: bytes, now: datetime, summary: Summary, within: Within = lambda work: work()
) -> Iterator[Found]:
    """Each appointment in turn; fills in the summary on the way.

    ``within`` does a piece of work, or raises RefusedError where that takes too long.
    """
    dates = 0
    for calendar in calendars(data):
        summary.name = summary.name or calendar.name
        summary.others += calendar.others
        for one in _appointments(calendar, now, within):
            dates += len(one.made.occurrences) if one.made else 0
            if dates > MOST_OF_A_PERSON:
                raise RefusedError(TOO_MANY)
            yield one


def _appointments(calendar: CalendarFile, now: datetime, within: Within) -> Iterator[Found]:
    zones = {part.text("TZID"): part for part in _readable(calendar.zones)}
    groups: dict[str, list[tuple[Component, Part]]] = {}
    for one in calendar.events:
        try:
            part = _part(one)
        except RefusedError as refused:
            yield Found(one.line, _title(one), refused=str(refused))
            continue
        groups.setdefault(part.text("UID").strip() or _uid(part), []).append((one, part))
    for uid, group in groups.items():
        newest, older = _versions([part for _, part in group])
        lines = {id(part): one.line for one, part in group}
        yield from (Found(lines[id(part)], part.text("SUMMARY"), refused=OLDER) for part in older)
        found = Found(min(lines[id(part)] for part in newest), newest[0].text("SUMMARY"))
        try:
            within(partial(_make, found, uid, newest, zones, now))
        except RefusedError as refused:
            found.refused = str(refused)
        yield found


def _readable(components: Iterable[Component]) -> Iterator[Part]:
    """Those that cannot be read are missed where somebody needs them."""
    for one in components:
        try:
            yield _part(one)
        except RefusedError:
            continue


def _part(one: Component) -> Part:
    if one.refused:
        raise RefusedError(one.refused)
    try:
        text = b"\r\n".join(one.lines).decode()
    except UnicodeDecodeError:
        raise RefusedError(NOT_UTF_8) from None
    whole = read(f"BEGIN:VCALENDAR\r\n{text}\r\nEND:VCALENDAR\r\n")
    (part,) = whole.parts(one.name)
    return part


def _title(one: Component) -> str:
    """As far as it can be read, for the message that refuses it."""
    for line in one.lines[:100]:
        if line[:8].upper() in (b"SUMMARY:", b"SUMMARY;"):
            return line.partition(b":")[2].decode("utf-8", "replace")[:200]
    return ""


def _uid(part: Part) -> str:
    """From all that it says, so that a second import finds it again."""
    lines = sorted(str(line) for line in part.lines if line.name != "DTSTAMP")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _versions(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """The newest of each that stands there more than once, and the others."""
    newest: dict[str, Part] = {}
    for part in parts:
        line = part.first("RECURRENCE-ID")
        key = f"{line.param('TZID')} {line.value}" if line else ""
        if key not in newest or _age(part) >= _age(newest[key]):
            newest[key] = part
    kept = list(newest.values())
    return kept, [part for part in parts if not any(part is one for one in kept)]


def _age(part: Part) -> tuple[int, str]:
    sequence = part.text("SEQUENCE").strip()
    return int(sequence) if sequence.isdecimal() else 0, part.text("LAST-MODIFIED")


def _make(one: Found, uid: str, events: list[Part], zones: dict[str, Part], now: datetime) -> None:
    if not events[0].text("UID").strip():
        one.changed.append(NEW_UID)
        events[0].set("UID", Line("UID", "", escaped(uid)))
    blocks = _name_zones(events, zones, one)
    for event in events:
        _end_rule(event, blocks, one)
    one.made = derive(calendar_of(*blocks, *events), now)


def _name_zones(events: Iterable[Part], zones: dict[str, Part], one: Found) -> list[Part]:
    """Give zones their names of IANA's; the blocks of those that have none."""
    needed: dict[str, Part] = {}

    def named(match: re.Match[str]) -> str:
        name = match[1].strip('"')
        block = zones.get(name)
        place = block.text("X-LIC-LOCATION") if block else ""
        clock = known(name) or known(place)
        if clock is None or clock.name is None:
            if block is not None:
                needed[name] = block
            return match[0]
        if clock.name != name and NEW_ZONE not in one.changed:
            one.changed.append(NEW_ZONE)
        return f";TZID={clock.name}"

    for event in events:
        for line in event.lines:
            if line.params:
                line.params = TZID.sub(named, line.params)
    return list(needed.values())


def _end_rule(event: Part, blocks: list[Part], one: Found) -> None:
    """UNTIL as its start is: a date, UTC, or the time of wherever one is."""
    rule, begin = event.first("RRULE"), event.first("DTSTART")
    until = parts_of(rule.value).get("UNTIL") if rule else None
    if rule is None or begin is None or not until:
        return
    start = moment(begin, Clocks(Part("VCALENDAR", [*blocks])))
    value = until_value(_last(moment(Line("UNTIL", "", until), None), start))
    if value != until:
        rule.value = re.sub(r"(?i)(UNTIL=)[^;]*", rf"\g<1>{value}", rule.value)
        one.changed.append(NEW_UNTIL)


def _last(until: Moment, start: Moment) -> Moment:
    """The same end by the clocks of the start; of a date the last second."""
    if start.is_date:
        return replace(start, wall=until.wall.replace(hour=0, minute=0, second=0))
    if until.is_date:
        return replace(start, wall=datetime.combine(until.wall, time(23, 59, 59)))
    if until.clock.place is None or start.clock.place is None:
        return replace(start, wall=until.wall)
    return replace(start, wall=start.clock.wall(until.instant))


def contents(text: str) -> list[str]:
    """What makes two texts the same: all but when they were written, by whom, in which order."""
    return sorted(_contents(read(text)))


def _contents(part: Part) -> Iterator[str]:
    for one in part.contents:
        if isinstance(one, Part):
            yield "\n".join([one.name, *sorted(_contents(one))])
        elif one.name not in ("DTSTAMP", "PRODID"):
            yield str(one)
