"""The wall-clock times of a recurrence rule (RFC 5545, section 3.3.10); pure.

They are those of the appointment's own clocks: which instants they are is no matter here.
Its start counts as the first of them, also where it is not on the rule.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr

from ..errors import RefusedError

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
CANNOT_READ = "This rule of repetition cannot be read."
TOO_FINE = "It repeats more often than hourly, which cannot be kept here."
WRITTEN = re.compile(r"\s*[A-Za-z-]+=[^;\r\n]+(; *[A-Za-z-]+=[^;\r\n]+)*;?\s*")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Rule:
    """A rule without its end, and its end."""

    parts: str
    count: int | None
    until: str
    """As it is written."""

    @property
    def is_endless(self) -> bool:
        return self.count is None and not self.until

    def walls(self, start: datetime) -> Iterator[datetime]:
        """In order; the end that is a count is kept, one that is a time is the caller's."""
        return islice(self._from(start), self.count)

    def _from(self, start: datetime) -> Iterator[datetime]:
        yield start
        for wall in self.on_rule(start):
            if wall != start:
                yield wall

    def on_rule(self, start: datetime) -> Iterator[datetime]:
        """Without its end, and without a start that is not on it."""
        try:
            yield from rrulestr(self.parts, dtstart=start)
        except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
            raise RefusedError(CANNOT_READ) from error


def parsed(text: str) -> Rule:
    """RefusedError for what is no rule, or one that repeats too often."""
    if not WRITTEN.fullmatch(text):
        raise RefusedError(CANNOT_READ)
    parts = parts_of(text)
    count, until = parts.pop("COUNT", ""), parts.pop("UNTIL", "")
    several = any("," in parts.get(name, "") for name in ("BYMINUTE", "BYSECOND"))
    if parts.get("FREQ") in ("MINUTELY", "SECONDLY") or several:
        raise RefusedError(TOO_FINE)
    if parts.get("FREQ") not in FREQUENCIES or (count and not _is_number(count)):
        raise RefusedError(CANNOT_READ)
    if not _is_number(parts.get("INTERVAL", "1")):
        raise RefusedError(CANNOT_READ)
    rest = {name: value for name, value in parts.items() if not name.startswith("X-")}
    written = ";".join(f"{name}={value}" for name, value in rest.items())
    return Rule(written, int(count) if count else None, until)


def _is_number(text: str) -> bool:
    """From 1 on, and not so large that nothing could be meant by it."""
    return re.fullmatch("0*[1-9][0-9]{0,8}", text, re.ASCII) is not None


def parts_of(text: str) -> dict[str, str]:
    """
    >>> parts_of("FREQ=WEEKLY;BYDAY=MO,TH")
    {'FREQ': 'WEEKLY', 'BYDAY': 'MO,TH'}
    """
    return dict(re.findall(r"([A-Z-]+)=([^;]*)", text.upper().replace(" ", "")))
