"""When the text of an appointment wants its owner to be reminded (VALARM); pure.

A form shows the plain ones: so many minutes before the start, or, of whole days, so many days
before the first.  All others stay in the text as they are, and ring like those.  RFC 5545, 3.6.6.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import RefusedError
from .content_lines import Line, Part, escaped
from .spans import moment, signed_duration

A_DAY = 24 * 60  # minutes
FARTHEST = 28 * A_DAY  # minutes
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Alarm:
    """So many days of the wall clock and so long from the start on, or from the end; or once."""

    days: int = 0
    exact: timedelta = timedelta()
    of_end: bool = False
    at: datetime | None = None

    def minutes(self, is_date: bool) -> int | None:
        """How long before it rings, of whole days in days; None for one that is not plain.

        One at any hour of the day before counts as a day.
        """
        after = self.days * DAY + self.exact
        if is_date:
            after = after // DAY * DAY
        is_plain = self.at is None and not self.of_end and not after % MINUTE
        before = -(after // MINUTE)
        return before if is_plain and 0 <= before <= FARTHEST else None


def alarms_of(event: Part) -> list[Alarm]:
    """Each once; those that cannot be read are missed out."""
    found = dict.fromkeys(alarm for part in event.parts("VALARM") if (alarm := _alarm(part)))
    return list(found)


def _alarm(part: Part) -> Alarm | None:
    trigger = part.first("TRIGGER")
    if trigger is None or part.text("ACTION").strip().upper() == "NONE":
        return None
    with suppress(RefusedError, OverflowError):
        if trigger.param("VALUE").upper() == "DATE-TIME":
            return Alarm(at=moment(trigger, None).instant)
        sign, days, exact = signed_duration(trigger.value)
        return Alarm(sign * days.days, sign * exact, trigger.param("RELATED").upper() == "END")
    return None


def reminders_of(event: Part, is_date: bool) -> tuple[int, ...]:
    """The plain ones, in minutes before; of whole days a multiple of a day's."""
    return tuple(sorted({minutes for _, minutes in _plain(event, is_date)}))


def set_reminders(event: Part, minutes: Collection[int], is_date: bool, hour: int) -> None:
    """Have these plain ones; those that are there already are not touched.

    Whole days are reminded of at that hour by the clocks of wherever one is.
    """
    there = set()
    for part, before in list(_plain(event, is_date)):
        there.add(before)
        if before not in minutes:
            event.contents.remove(part)
    for before in sorted(set(minutes) - there):
        event.contents.append(_written(event, _trigger(before, hour if is_date else None)))


def _plain(event: Part, is_date: bool) -> Iterator[tuple[Part, int]]:
    for part in event.parts("VALARM"):
        alarm = _alarm(part)
        minutes = alarm.minutes(is_date) if alarm else None
        if minutes is not None:
            yield part, minutes


def _written(event: Part, trigger: str) -> Part:
    """For a display, which RFC 5545 wants a text for."""
    lines = {
        "ACTION": "DISPLAY",
        "DESCRIPTION": escaped(event.text("SUMMARY") or "Reminder"),
        "TRIGGER": trigger,
    }
    return Part("VALARM", [Line(name, "", value) for name, value in lines.items()])


def _trigger(before: int, hour: int | None) -> str:
    """
    >>> [_trigger(before, None) for before in (0, 15, 120, 2880)]
    ['PT0S', '-PT15M', '-PT2H', '-P2D']
    >>> [_trigger(before, 9) for before in (0, 1440)], _trigger(0, 0)
    (['PT9H', '-PT15H'], 'PT0S')
    """
    if hour is not None:
        before -= hour * 60
    sign, minutes = ("-" if before > 0 else ""), abs(before)
    if not minutes:
        return "PT0S"
    if hour is None and not minutes % A_DAY:
        return f"{sign}P{minutes // A_DAY}D"
    return f"{sign}PT{minutes // 60}H" if not minutes % 60 else f"{sign}PT{minutes}M"
