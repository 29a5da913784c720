"""What the clocks of a zone show, for every zone that an iCalendar text can name; pure.

A time zone is IANA's by its name, by Windows' name for it, or by the end of a longer one; else
what the text's own block says (VTIMEZONE).  One that is none of these has no rules that
anybody knows: it keeps its name, and its times are those of wherever one is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Calendar, Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from ..errors import RefusedError
from ..times import find_zone
from .content_lines import Part, written


@dataclass(frozen=True)
class Clock:
    """The clocks of one zone; without a ``place`` those of wherever one is."""

    name: str | None
    place: tzinfo | None

    def instant(self, wall: datetime) -> datetime:
        """Of a time that is skipped, by the clocks from before; of one that comes twice, the first.

        Where the place is not known, as if it were UTC.
        """
        if self.place is None:
            return wall.replace(tzinfo=UTC)
        return wall.replace(tzinfo=self.place, fold=0).astimezone(UTC)

    def wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self.place or UTC).replace(tzinfo=None, fold=0)


FLOATING = Clock(None, None)


@lru_cache(1024)
def known(name: str) -> Clock | None:
    """The clock of a zone of IANA's, by one of its names."""
    ends = name.strip("/").split("/")
    names = [name, WINDOWS_TO_OLSON.get(name, ""), *("/".join(ends[-n:]) for n in (3, 2))]
    for one in names:
        if found := find_zone(one):
            return Clock(found, ZoneInfo(found))
    return None


def by_its_rules(block: str) -> tzinfo:
    """The zone that a VTIMEZONE describes; takes milliseconds, so a file's are remembered."""
    # By default it would be the first of this name that the process has seen.
    parts = Calendar.from_ical(f"BEGIN:VCALENDAR\r\n{block}END:VCALENDAR\r\n").walk("VTIMEZONE")
    zones = [part.to_tz(lookup_tzid=False) for part in parts if isinstance(part, Timezone)]
    place: tzinfo = zones[0]
    place.utcoffset(datetime(2030, 1, 1))
    return place


class Clocks:
    """The zones of one text; ``make`` makes those that only their own block knows."""

    def __init__(self, calendar: Part, make: Callable[[str], tzinfo] = by_its_rules) -> None:
        blocks = calendar.parts("VTIMEZONE")
        self.blocks = {block.text("TZID"): block for block in blocks}
        self.make = make
        self.own: dict[str, Clock] = {}
        self.used: set[str] = set()
        """Those of IANA's zones that its times are in."""

    def named(self, name: str) -> Clock:
        if clock := known(name):
            self.used.add(str(clock.name))
            return clock
        if name not in self.own:
            block = self.blocks.get(name)
            self.own[name] = Clock(name, self._made(block) if block else None)
        return self.own[name]

    def _made(self, block: Part) -> tzinfo:
        try:
            return self.make(written(block))
        except Exception as error:
            raise RefusedError(f"Its time zone {block.text('TZID')} cannot be read.") from error
