"""Cuts a calendar file by its lines into components, without an idea of what they say; pure.

A hostile file costs no more than its length: lines, components and nesting have limits, and
what is beyond them is refused by itself, with the number of its line.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..appointments.content_lines import NOT_A_CALENDAR
from ..errors import RefusedError

MOST_LINE = 64 * 1024  # bytes, unfolded
MOST_COMPONENT = 256 * 1024  # bytes
MOST_COMPONENTS = 20_000
MOST_LINES = 1_000_000
DEEPEST = 5
LINE_ENDS = re.compile(rb"\r\n|\n|\r")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
TAKEN = (b"VEVENT", b"VTIMEZONE")
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
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    refused: str = ""

    def add(self, line: bytes) -> None:
        self.size += len(line)
        if len(line) > MOST_LINE:
            self.refused = self.refused or TOO_LONG
        if self.size > MOST_COMPONENT:
            self.refused = self.refused or TOO_LARGE
        if not self.refused:
            self.lines.append(line)


@dataclass
class CalendarFile:
    """One VCALENDAR of a file, which can have several."""

    name: str = ""
    events: list[Component] = field(default_factory=list)
    zones: list[Component] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """What is not taken, as tasks: how many of each kind."""


def calendars(data: bytes) -> Iterator[CalendarFile]:
    """Raises RefusedError for what is no calendar file, or holds too much."""
    if data[:2] in UTF_16:
        data = data.decode("utf-16", "replace").encode()
    count, found, one = 0, None, None
    depth: list[bytes] = []
    for number, line in _unfolded(data.removeprefix(b"\xef\xbb\xbf")):
        keyword, _, value = line[:80].partition(b":")
        word, kind = keyword.strip().upper(), value.strip().upper()
        if word == b"BEGIN" and not depth and kind == b"VCALENDAR":
            found = CalendarFile()
        if word == b"BEGIN":
            depth.append(kind)
            if len(depth) == 2 and found is not None:
                one = Component(kind.decode("ascii", "replace"), number)
                count += kind == b"VEVENT"
                if count > MOST_COMPONENTS:
                    raise RefusedError(TOO_MANY)
            if one is not None and len(depth) > DEEPEST:
                one.refused = one.refused or TOO_DEEP
        if one is not None:
            one.add(line)
        elif found is not None and word.partition(b";")[0] in (b"NAME", b"X-WR-CALNAME"):
            found.name = found.name or line.partition(b":")[2].decode("utf-8", "replace").strip()
        if word == b"END" and depth:
            depth.pop()
            if len(depth) == 1 and one is not None and found is not None:
                _keep(found, one)
                one = None
            if not depth and found is not None:
                yield found
                found = None
    if found is not None:
        if one is not None:
            one.refused = one.refused or CUT_OFF
            _keep(found, one)
        yield found
    elif not count and b"BEGIN:VCALENDAR" not in data[:4096].upper():
        raise RefusedError(NOT_A_CALENDAR)


def _keep(found: CalendarFile, one: Component) -> None:
    if one.name == "VEVENT":
        found.events.append(one)
    elif one.name == "VTIMEZONE":
        found.zones.append(one)
    else:
        found.others[one.name[:40]] += 1


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
