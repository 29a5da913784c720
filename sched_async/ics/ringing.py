"""When the reminders of an appointment ring; pure.

So long before a time counts exactly, a day before by the clocks of the person: what is at nine is
reminded of at nine, also across a change of the clocks.  Whole days are reminded of at an hour
that the person has chosen.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from ..times import first_instant, to_wall
from .alarms import Alarm, alarms_of
from .content_lines import Part
from .occasions import Occasions

DAY = timedelta(days=1)
MOST = 20  # of one event


@dataclass(frozen=True)
class Ring:
    """At which instant, and about which occurrence, which is over at ``ends``."""

    at: datetime
    ends: datetime
    about: Any


def rings(text: str, rows: Iterable[Any], zone: str, hour: int) -> list[Ring]:
    """Those about the given occurrences, in order; rows as the database has them.

    One at an instant of its own is about what happens once.
    """
    its = Occasions(text)
    usual = _alarms(its.master)
    own = {key: _alarms(event) for event, key in its.overrides()}
    found = []
    for row in rows:
        ends = _instant(row.end_utc, zone) if row.floating else row.end_utc
        for alarm in own.get(row.recurrence_id, usual):
            with suppress(OverflowError):
                if (at := _at(alarm, row, zone, hour)) is not None:
                    found.append(Ring(at, ends, row))
    return sorted(found, key=lambda ring: ring.at)


def _alarms(event: Part) -> list[Alarm]:
    """Nobody is reminded of what is cancelled."""
    is_off = event.text("STATUS").strip().upper() == "CANCELLED"
    return [] if is_off else alarms_of(event)[:MOST]


def _at(alarm: Alarm, row: Any, zone: str, hour: int) -> datetime | None:
    if alarm.at is not None:
        return None if row.recurrence_id else alarm.at
    base = row.end_utc if alarm.of_end else row.start_utc
    if row.allday:
        day = (base + alarm.days * DAY + alarm.exact).date()
        return first_instant(datetime.combine(day, time(hour)), zone)
    if row.floating:
        return _instant(base + alarm.days * DAY, zone) + alarm.exact
    if alarm.days:
        base = first_instant(to_wall(base, zone) + alarm.days * DAY, zone)
    at: datetime = base + alarm.exact
    return at


def _instant(wall: datetime, zone: str) -> datetime:
    return first_instant(wall.replace(tzinfo=None), zone)


def worth_ringing(due: Iterable[Ring], moment: datetime, late: timedelta) -> Iterator[Ring]:
    """The last about each occurrence, unless it comes late and what it is about is over."""
    last = {ring.about.recurrence_id: ring for ring in due}
    for ring in last.values():
        if ring.ends > moment or moment - ring.at <= late:
            yield ring
