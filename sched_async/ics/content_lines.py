"""The lines that iCalendar text is made of (RFC 5545, section 3.1); pure.

Everything is kept as it stands, so that what nobody here understands survives a change
beside it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import RefusedError

FOLD = re.compile(rb"\r?\n[ \t]")
FOLDED = re.compile("\r?\n[ \t]")
LINE_ENDS = re.compile(r"\r\n?|\n")
VALUE = re.compile('(?:[^":]|"[^"]*")*:')
MOST_OCTETS = 75
ESCAPED = re.compile(r"\\([\\;,nN])")
NOT_A_CALENDAR = "This is not calendar data."


@dataclass(slots=True)
class Line:
    """One property: ``params`` begins with its semicolon, ``value`` is as it is written."""

    name: str
    params: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.params}:{self.value}"

    def param(self, name: str) -> str:
        found = re.search(rf';{name}=(?:"([^"]*)"|([^;]*))', self.params, re.IGNORECASE)
        return (found[1] or found[2] or "") if found else ""


@dataclass(slots=True)
class Part:
    """A component: its properties, and the components inside of it, in their order."""

    name: str
    contents: "list[Line | Part]" = field(default_factory=list)

    @property
    def lines(self) -> list[Line]:
        return [one for one in self.contents if isinstance(one, Line)]

    def parts(self, name: str) -> "list[Part]":
        return [one for one in self.contents if isinstance(one, Part) and one.name == name]

    def all(self, name: str) -> list[Line]:
        return [one for one in self.contents if isinstance(one, Line) and one.name == name]

    def first(self, name: str) -> Line | None:
        return next(iter(self.all(name)), None)

    def text(self, name: str) -> str:
        line = self.first(name)
        return unescaped(line.value) if line else ""

    def set(self, name: str, line: Line | None) -> None:
        """Put a line where the first of its name stands, or behind the other lines."""
        at = next((i for i, one in enumerate(self.contents) if one.name == name), None)
        if at is None:
            inner = (i for i, one in enumerate(self.contents) if isinstance(one, Part))
            at = next(inner, len(self.contents))
        kept = [one for one in self.contents[at:] if isinstance(one, Part) or one.name != name]
        self.contents[at:] = [*([line] if line else []), *kept]

    def __iter__(self) -> Iterator[str]:
        yield f"BEGIN:{self.name}"
        for one in self.contents:
            if isinstance(one, Line):
                yield str(one)
            else:
                yield from one
        yield f"END:{self.name}"


def decoded(data: bytes) -> str:
    """The text of a file; lines may be folded in the middle of a character."""
    try:
        return FOLD.sub(b"", data.removeprefix(b"\xef\xbb\xbf")).decode()
    except UnicodeDecodeError:
        raise RefusedError("This is not UTF-8 text.") from None


def read(text: str) -> Part:
    """The calendar that a text holds; RefusedError where it holds none, or is cut off."""
    top = Part("")
    inside = [top]
    for line in _lines(text):
        if line.name == "BEGIN":
            part = Part(line.value.strip().upper())
            inside[-1].contents.append(part)
            inside.append(part)
        elif line.name == "END":
            if inside.pop().name != line.value.strip().upper():
                raise RefusedError(NOT_A_CALENDAR)
        else:
            inside[-1].contents.append(line)
    calendars = top.parts("VCALENDAR")
    if inside != [top] or len(calendars) != 1:
        raise RefusedError(NOT_A_CALENDAR)
    return calendars[0]


def _lines(text: str) -> Iterator[Line]:
    for line in LINE_ENDS.split(FOLDED.sub("", text)):
        if line.strip():
            yield line_of(line)


def line_of(text: str) -> Line:
    """Its name goes to the first ``;`` or ``:``, its value begins at a ``:`` outside of quotes."""
    colon, quote = text.find(":"), text.find('"')
    if 0 <= quote < colon:
        found = VALUE.match(text)
        colon = found.end() - 1 if found else -1
    if colon < 0:
        raise RefusedError(NOT_A_CALENDAR)
    name, semicolon, params = text[:colon].partition(";")
    return Line(name.strip().upper(), semicolon + params, text[colon + 1 :])


def written(part: Part) -> str:
    return "".join(f"{folded(line)}\r\n" for line in part)


def folded(line: str) -> str:
    """In pieces of 75 octets, none of which ends inside of a character."""
    if len(line) * 4 <= MOST_OCTETS or len(line.encode()) <= MOST_OCTETS:
        return line
    pieces, octets, begin = [], 0, 0
    for at, char in enumerate(line):
        size = len(char.encode())
        if octets + size > MOST_OCTETS:
            pieces.append(line[begin:at])
            begin, octets = at, 1  # the space that begins the next one
        octets += size
    return "\r\n ".join([*pieces, line[begin:]])


def escaped(text: str) -> str:
    pairs = ("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\n"), ("\r", "\n"), ("\n", "\\n")
    for char, instead in pairs:
        text = text.replace(char, instead)
    return text


def unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)
