"""Cuts a calendar file by its lines into components, without an idea of what they say; pure.

A hostile file costs no more than its length: lines, components and nesting have limits, and
what is beyond them is refused by itself, with the number of its line.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import RefusedError
from .content_lines import NOT_A_CALENDAR, line_of, unescaped

MOST_LINE = 64 * 1024  # bytes, unfolded
MOST_COMPONENT = 256 * 1024  # bytes
MOST_COMPONENTS = 20_000
MOST_LINES = 1_000_000
DEEPEST = 5
OTHERS = ("VTODO", "VJOURNAL", "VFREEBUSY")
OTHER = "OTHER"
LINE_ENDS = re.compile(rb"\r\n|\n|\r")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
FACTS = {b"NAME": "name", b"X-WR-CALNAME": "name", b"COLOR": "color"}
"""What a calendar says of itself."""
KEPT = {
    name.encode(): name for name in ("UID", "SUMMARY", "DTSTART", "RRULE", "TZID", "X-LIC-LOCATION")
}
"""What is asked of a component before, or without, reading it."""
TOO_LONG = f"It has a line of more than {MOST_LINE // 1024} KiB."
TOO_LARGE = f"It is larger than {MOST_COMPONENT // 1024} KiB."
TOO_DEEP = f"It has components inside of each other, more than {DEEPEST} deep."
CUT_OFF = "The file ends in the middle of it."
TOO_MANY_LINES = f"The file has more than {MOST_LINES:,} lines."
TOO_MANY = f"The file holds more than {MOST_COMPONENTS:,} appointments."


@dataclass
class Component:
    """A VEVENT or a VTIMEZONE as it stands in the file, unfolded."""

    name: str
    line: int
    """The number of its first line in the file."""
    body: bytearray = field(default_factory=bytearray)
    """Its lines, each with a break behind it."""
    kept: dict[str, bytes] = field(default_factory=dict)
    """Its own first line of each name in KEPT."""
    refused: str = ""

    def add(self, line: bytes) -> None:
        if len(line) > MOST_LINE:
            self.refuse(TOO_LONG)
        if len(self.body) + len(line) > MOST_COMPONENT:
            self.refuse(TOO_LARGE)
        if not self.refused:
            self.body += line
            self.body += b"\n"

    def refuse(self, sentence: str) -> None:
        self.refused = self.refused or sentence

    def value(self, name: str) -> str:
        """Of its first property of that name, if that is one of KEPT."""
        return _value(self.kept.get(name, b""))


def _value(line: bytes) -> str:
    """As far as it can be read."""
    try:
        return unescaped(line_of(line.decode("utf-8", "replace")).value).strip()
    except RefusedError:
        return ""


@dataclass
class CalendarFile:
    """One VCALENDAR of a file, which can have several."""

    name: str = ""
    color: str = ""
    is_cut: bool = False
    """Whether the file ends inside of it."""
    events: list[Component] = field(default_factory=list)
    zones: list[Component] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """What is not taken, as tasks: how many of each kind."""


def calendars(data: bytes) -> Iterator[CalendarFile]:
    """Raises RefusedError for what is no calendar file, or holds too much."""
    if data[:2] in UTF_16:
        data = data.decode("utf-16", "replace").encode()
    cutter = Cutter()
    for number, line in _unfolded(data.removeprefix(b"\xef\xbb\xbf")):
        if done := cutter.take(number, line):
            yield done
    if rest := cutter.rest():
        yield rest
    if not cutter.is_calendar:
        raise RefusedError(NOT_A_CALENDAR)


class Cutter:
    """Goes over the lines of a file, and knows what they are inside of."""

    def __init__(self) -> None:
        self.inside: list[bytes] = []
        self.calendar: CalendarFile | None = None
        self.one: Component | None = None
        self.events = 0
        self.is_calendar = False

    def take(self, number: int, line: bytes) -> CalendarFile | None:
        """The calendar that ends with this line, if one does."""
        keyword, _, value = line[:80].partition(b":")
        word = keyword.partition(b";")[0].strip().upper()
        if word == b"BEGIN":
            self._begin(number, value.strip().upper())
        if self.one is not None:
            self.one.add(line)
            if word in KEPT and len(self.inside) == 2:
                self.one.kept.setdefault(KEPT[word], line[:2048])
        elif self.calendar is not None and word in FACTS:
            fact = FACTS[word]
            if not getattr(self.calendar, fact):
                setattr(self.calendar, fact, _value(line))
        return self._end() if word == b"END" and self.inside else None

    def rest(self) -> CalendarFile | None:
        """What the file does not end."""
        if self.one is not None:
            self.one.refuse(CUT_OFF)
            self._keep()
        if self.calendar is not None:
            self.calendar.is_cut = True
        return self.calendar

    def _begin(self, number: int, kind: bytes) -> None:
        if not self.inside and kind == b"VCALENDAR":
            self.calendar, self.is_calendar = CalendarFile(), True
        self.inside.append(kind)
        if len(self.inside) == 2 and self.calendar is not None:
            self.one = Component(kind.decode("ascii", "replace"), number)
            self.events += kind == b"VEVENT"
        if self.events > MOST_COMPONENTS:
            raise RefusedError(TOO_MANY)
        if self.one is not None and len(self.inside) > DEEPEST:
            self.one.refuse(TOO_DEEP)

    def _end(self) -> CalendarFile | None:
        self.inside.pop()
        if len(self.inside) == 1:
            self._keep()
        if self.inside:
            return None
        done, self.calendar = self.calendar, None
        return done

    def _keep(self) -> None:
        one, self.one = self.one, None
        if one is None or self.calendar is None:
            return
        if one.name == "VEVENT":
            self.calendar.events.append(one)
        elif one.name == "VTIMEZONE":
            self.calendar.zones.append(one)
        else:
            self.calendar.others[one.name if one.name in OTHERS else OTHER] += 1


def _unfolded(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each line with the number of its first piece; folded in the middle of a character or not."""
    number, begun, pieces, size = 0, 1, list[bytes](), 0
    begin = 0
    while begin < len(data):
        end = LINE_ENDS.search(data, begin)
        piece = data[begin : end.start() if end else len(data)]
        begin = end.end() if end else len(data)
        number += 1
        if number > MOST_LINES:
            raise RefusedError(TOO_MANY_LINES)
        if piece[:1] in (b" ", b"\t") and pieces:
            if size <= MOST_LINE:
                pieces.append(piece[1:])
            size += len(piece) - 1
            continue
        if pieces and size:
            yield begun, b"".join(pieces)
        begun, pieces, size = number, [piece], len(piece)
    if pieces and size:
        yield begun, b"".join(pieces)
