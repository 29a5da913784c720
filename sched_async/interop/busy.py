"""What a calendar tells whoever may know only when somebody is busy; pure.

Of each appointment its times are left, and the word “Busy”: no title, place, guest or stamp, and
neither its own UID nor the name of a time zone that is none of IANA's.  What is marked as free, or
cancelled, is left out.
"""

import re
from collections.abc import Iterator
from hashlib import sha256

from ..ics.clocks import known
from ..ics.content_lines import Line, Part
from ..ics.recurrence import parts_of
from .file_zones import RULES

TIMES = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
VALUES = ("DATE", "DATE-TIME", "PERIOD")
OF_RULES = re.compile("FREQ|UNTIL|COUNT|INTERVAL|WKST|BY[A-Z]+")
STAMP = Line("DTSTAMP", "", "19700101T000000Z")
"""RFC 5545 wants one; ours would tell when something was changed."""


class Busy:
    """``secret`` keeps names from being guessed; the same gives the same names each time."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __call__(self, calendar: Part) -> Part:
        events = calendar.parts("VEVENT")
        busy = [event for event in events if not _is_free(event)]
        master = next((event for event in busy if not event.first("RECURRENCE-ID")), None)
        blocks = [self._block(block) for block in calendar.parts("VTIMEZONE")]
        shown = [self._event(event, is_alone=master is None) for event in busy]
        if master is not None:
            free = [event for event in events if event not in busy]
            shown[busy.index(master)].contents += self._left_out(free)
        return Part("VCALENDAR", [*blocks, *shown])

    def _event(self, event: Part, *, is_alone: bool) -> Part:
        """One whose series is free stands by itself."""
        original = event.first("RECURRENCE-ID")
        name = event.text("UID") + (str(original) if is_alone and original else "")
        times = (one for one in event.lines if one.name in TIMES)
        lines = [self._line(one) for one in times if not (is_alone and one is original)]
        uid = Line("UID", "", self._hidden(name))
        return Part("VEVENT", [uid, STAMP, *lines, Line("SUMMARY", "", "Busy")])

    def _left_out(self, free: list[Part]) -> Iterator[Line]:
        for event in free:
            if line := event.first("RECURRENCE-ID"):
                hidden = self._line(line)
                yield Line("EXDATE", hidden.params, hidden.value)

    def _line(self, line: Line) -> Line:
        """Of its parameters, and of a rule, only what is known to be about time."""
        kind, zone = line.param("VALUE").upper(), line.param("TZID")
        params = f";VALUE={kind}" if kind in VALUES else ""
        params += f";TZID={self._zone(zone)}" if zone else ""
        value = line.value
        if line.name == "RRULE":
            parts = parts_of(value).items()
            known = (f"{name}={said}" for name, said in parts if OF_RULES.fullmatch(name))
            value = ";".join(known)
        return Line(line.name, params, value)

    def _block(self, block: Part) -> Part:
        """Its rules without what they are called."""
        parts = [
            Part(
                part.name,
                [Line(one.name, "", one.value) for one in part.lines if one.name in RULES],
            )
            for part in block.contents
            if isinstance(part, Part)
        ]
        return Part(block.name, [Line("TZID", "", self._zone(block.text("TZID"))), *parts])

    def _zone(self, name: str) -> str:
        clock = known(name)
        return str(clock.name) if clock else f"Zone-{self._hidden(name)[:8]}"

    def _hidden(self, name: str) -> str:
        return sha256(f"{self.secret} {name}".encode()).hexdigest()[:32]


def _is_free(event: Part) -> bool:
    is_free = event.text("TRANSP").strip().upper() == "TRANSPARENT"
    return is_free or event.text("STATUS").strip().upper() == "CANCELLED"
