"""The time zones of one iCalendar file, in which each name can have one set of rules; pure.

A zone that is known is written by IANA's rules, under whatever name its events use: these are
the rules by which their instants are derived, and other programs know the name as well.  Any
other one comes with its appointment's own block.  When a second one has the same name and
different rules, it gets a name of its own.  A name without any rules cannot be kept, since
programs refuse it: its times are those of wherever one is, and are written so.
"""

import re
from collections.abc import Iterator
from datetime import date

from ..ics.clocks import known
from ..ics.content_lines import Line, Part, escaped, written
from .timezones import timezone

ZONE = re.compile(r';TZID=(?:"[^"]*"|[^;]*)', re.IGNORECASE)
RULES = ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE")
FIRST, LAST = 1800, 2200
"""Years: before there were standard times, and after whatever a form can hold."""
TOLD_APART = 2000
"""Programs that look for UTC under other names compare the rules since then."""

Rules = frozenset[tuple[str, ...]]


class FileZones:
    """What the events that were settled here go by."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        """IANA's name by the one that is used."""
        self.own: dict[str, tuple[Rules, str]] = {}

    def settle(self, calendar: Part) -> None:
        """Take the zones of an appointment; its events learn the names that these have here."""
        blocks = {block.text("TZID"): block for block in calendar.parts("VTIMEZONE")}
        for event in calendar.parts("VEVENT"):
            for line in _lines(event):
                if name := line.param("TZID"):
                    self._settle(line, name, blocks.get(name))

    def _settle(self, line: Line, name: str, block: Part | None) -> None:
        if clock := known(name):
            self.known[name] = str(clock.name)
            return
        new = self._placed(name, block) if block else ""
        if new != name:
            params = f";TZID={_quoted(new)}" if new else ""
            line.params = ZONE.sub(lambda _: params, line.params, count=1)

    def _placed(self, name: str, block: Part) -> str:
        """The name of a zone in this file: its own, unless that of others."""
        rules, new, number = _rules(block), name, 1
        while self.own.setdefault(new, (rules, _named(block, new)))[0] != rules:
            number += 1
            new = f"{name} ({number})"
        return new

    def blocks(self, first: date, last: date) -> Iterator[bytes]:
        """Of each zone its rules, for a time that holds ``first`` and ``last``."""
        begin = date(max(min(first.year - 1, TOLD_APART), FIRST), 1, 1)
        end = date(min(last.year + 2, LAST), 1, 1)
        for name, zone in sorted(self.known.items()):
            yield timezone(zone, begin, end, name).to_ical()
        for _, (_, text) in sorted(self.own.items()):
            yield text.encode()


def _lines(part: Part) -> Iterator[Line]:
    for one in part.contents:
        if isinstance(one, Line):
            yield one
        else:
            yield from _lines(one)


def _rules(block: Part) -> Rules:
    """What makes a difference: neither its order, nor what its times are called."""
    parts = (one for one in block.contents if isinstance(one, Part))
    return frozenset(
        tuple(sorted(str(line) for line in one.lines if line.name in RULES)) for one in parts
    )


def _named(block: Part, name: str) -> str:
    if block.text("TZID") == name:
        return written(block)
    renamed = Part(block.name, list(block.contents))
    renamed.set("TZID", Line("TZID", "", escaped(name)))
    return written(renamed)


def _quoted(name: str) -> str:
    return f'"{name}"' if any(char in name for char in ",;:") else name
