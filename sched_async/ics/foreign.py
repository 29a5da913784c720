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
from functools import lru_cache, partial

from ..errors import RefusedError
from .clocks import Clocks, by_its_rules, known
from .content_lines import Line, Part, escaped, read
from .counting import at_least
from .cutting import TOO_LARGE, CalendarFile, Component, calendars
from .derive import MOST_OF_A_PERSON, MOST_TEXT, Derived, derive
from .ics_text import calendar_of
from .recurrence import parts_of
from .rules import until_value
from .spans import Moment, moment

Within = Callable[[Callable[[], None]], None]
REMEMBERED = 50  # time zones that only their own block knows
TZID = re.compile(r';TZID=("[^"]*"|[^;:]*)', re.IGNORECASE)
TOO_MANY = f"The file holds more than {MOST_OF_A_PERSON:,} dates."
NOT_UTF_8 = "It is not UTF-8 text."
OLDER = "The file has a newer version of it."
NEW_UNTIL = "The end of its rule is now in the same form as its start."
NEW_ZONE = "Its time zone now has its IANA name."
NO_ZONE = "Its time zone “{}” is unknown, so its times are taken as they stand."
NEW_UID = "It had no UID, so it was given one."


@dataclass
class Found:
    """One appointment of a file, or what cannot be one."""

    line: int
    title: str = ""
    made: Derived | None = None
    refused: str = ""
    changed: list[str] = field(default_factory=list)
    """What is written, or understood, otherwise than it came."""

    def say(self, sentence: str) -> None:
        if sentence not in self.changed:
            self.changed.append(sentence)


@dataclass
class Summary:
    """What else a file holds: its name and colour, and what is not taken."""

    name: str = ""
    color: str = ""
    """As CSS names it (RFC 7986)."""
    is_cut: bool = False
    """Whether the file ends before its calendar does."""
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
        summary.color = summary.color or calendar.color
        summary.is_cut |= calendar.is_cut
        summary.others += calendar.others
        reader = Reader(calendar, now, within)
        if dates + reader.at_least() > MOST_OF_A_PERSON:
            raise RefusedError(TOO_MANY)
        for one in reader.found():
            dates += len(one.made.occurrences) if one.made else 0
            if dates > MOST_OF_A_PERSON:
                raise RefusedError(TOO_MANY)
            yield one


class Reader:
    """Goes over one calendar, and never holds more than one appointment of it in parts."""

    def __init__(self, calendar: CalendarFile, now: datetime, within: Within) -> None:
        self.now, self.within = now, within
        self.zones = {one.value("TZID"): one for one in calendar.zones}
        self.make = lru_cache(REMEMBERED)(by_its_rules)
        self.groups: dict[str, list[Component]] = {}
        for one in calendar.events:
            self.groups.setdefault(one.value("UID") or _uid(one), []).append(one)

    def at_least(self) -> int:
        """How many dates there are without doubt; it takes no time to know."""
        return sum(at_least(group, self.now) for group in self.groups.values())

    def found(self) -> Iterator[Found]:
        for uid, group in self.groups.items():
            versions = Versions()
            yield from self._versions(group, versions)
            if not versions.newest:
                continue
            lines, events = zip(*versions.newest.values(), strict=True)
            found = Found(min(lines), events[0].text("SUMMARY"))
            try:
                self.within(partial(self._make, found, uid, events))
            except RefusedError as refused:
                found.refused = str(refused)
                self.make.cache_clear()  # one that was stopped may have left a lock behind
            yield found

    def _versions(self, group: Iterable[Component], versions: "Versions") -> Iterator[Found]:
        for one in group:
            try:
                if older := versions.add(one.line, _part(one), len(one.body)):
                    yield older
            except RefusedError as refused:
                yield Found(one.line, _title(one), refused=str(refused))

    def _make(self, one: Found, uid: str, events: Sequence[Part]) -> None:
        if not events[0].text("UID").strip():
            one.say(NEW_UID)
            events[0].set("UID", Line("UID", "", escaped(uid)))
        blocks = self._name_zones(events, one)
        for event in events:
            _end_rule(event, Clocks(Part("VCALENDAR", [*blocks]), self.make), one)
        one.made = derive(calendar_of(*blocks, *events), self.now, self.make)

    def _name_zones(self, events: Iterable[Part], one: Found) -> list[Part]:
        """Give zones their names of IANA's; the blocks of those that have none."""
        needed: dict[str, Part] = {}

        def named(match: re.Match[str]) -> str:
            name = match[1].strip('"')
            clock = known(name) or known(self._place(name))
            if clock is None or clock.name is None:
                if name not in self.zones:
                    one.say(NO_ZONE.format(name[:100]))
                elif name not in needed:
                    needed[name] = self._block(name)
                return match[0]
            if clock.name != name:
                one.say(NEW_ZONE)
            return f";TZID={clock.name}"

        for event in events:
            for line in event.lines:
                if line.params:
                    line.params = TZID.sub(named, line.params)
        return list(needed.values())

    def _block(self, name: str) -> Part:
        try:
            return _part(self.zones[name])
        except RefusedError:
            raise RefusedError(f"Its time zone {name[:100]} cannot be read.") from None

    def _place(self, name: str) -> str:
        """Where it is, as some programs say."""
        return self.zones[name].value("X-LIC-LOCATION") if name in self.zones else ""


@dataclass
class Versions:
    """The newest of each that stands in a file more than once."""

    newest: dict[str, tuple[int, Part]] = field(default_factory=dict)
    """Each with its line, by which one of the series it is."""
    size: int = 0

    def add(self, number: int, part: Part, size: int) -> Found | None:
        """The one that is older, if there is one."""
        line = part.first("RECURRENCE-ID")
        key = f"{line.param('TZID')} {line.value}" if line else ""
        before = self.newest.get(key)
        if before is not None and _age(part) < _age(before[1]):
            return _older(number, part)
        if before is None:
            self.size += size
            if self.size > 2 * MOST_TEXT:
                raise RefusedError(TOO_LARGE)
        self.newest[key] = number, part
        return _older(*before) if before else None


def _older(number: int, part: Part) -> Found:
    return Found(number, part.text("SUMMARY"), refused=OLDER)


def _part(one: Component) -> Part:
    if one.refused:
        raise RefusedError(one.refused)
    try:
        text = one.body.decode()
    except UnicodeDecodeError:
        raise RefusedError(NOT_UTF_8) from None
    whole = read(f"BEGIN:VCALENDAR\r\n{text}END:VCALENDAR\r\n")
    (part,) = whole.parts(one.name)
    return part


def _title(one: Component) -> str:
    """As far as it can be read, for the message that refuses it."""
    return one.value("SUMMARY")[:200]


def _uid(one: Component) -> str:
    """From all that it says, so that a second import finds it again."""
    lines = sorted(line for line in one.body.split(b"\n") if line[:7].upper() != b"DTSTAMP")
    return hashlib.sha256(b"\n".join(lines)).hexdigest()[:32]


def _age(part: Part) -> tuple[int, str]:
    sequence = part.text("SEQUENCE").strip()
    return int(sequence) if sequence.isdecimal() else 0, part.text("LAST-MODIFIED")


def _end_rule(event: Part, clocks: Clocks, one: Found) -> None:
    """UNTIL as its start is: a date, UTC, or the time of wherever one is."""
    rule, begin = event.first("RRULE"), event.first("DTSTART")
    until = parts_of(rule.value).get("UNTIL") if rule else None
    if rule is None or begin is None or not until:
        return
    start = moment(begin, clocks)
    value = until_value(_last(moment(Line("UNTIL", "", until), None), start))
    if value != until:
        rule.value = re.sub(r"(?i)(UNTIL=)[^;]*", rf"\g<1>{value}", rule.value)
        one.say(NEW_UNTIL)


def _last(until: Moment, start: Moment) -> Moment:
    """The same end by the clocks of the start; of a date the last second."""
    if start.is_date:
        return replace(start, wall=until.wall.replace(hour=0, minute=0, second=0))
    if until.is_date:
        return replace(start, wall=datetime.combine(until.wall, time(23, 59, 59)))
    if until.clock.place is None or start.clock.place is None:
        return replace(start, wall=until.wall)
    try:
        return replace(start, wall=start.clock.wall(until.instant))
    except OverflowError:  # the last day that there is, as some write “for ever”
        return until


def contents(text: str) -> list[str]:
    """What makes two texts the same: all but when they were written, by whom, in which order."""
    return sorted(_contents(read(text)))


def _contents(part: Part) -> Iterator[str]:
    for one in part.contents:
        if isinstance(one, Part):
            yield "\n".join([one.name, *sorted(_contents(one))])
        elif one.name not in ("DTSTAMP", "PRODID"):
            yield str(one)
