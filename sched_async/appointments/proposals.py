"""What a new appointment's form holds at first: the next hour, or what the address proposes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from quart import request
from werkzeug.datastructures import MultiDict

from ..accounts.sessions import current_user
from ..times import existing, now, to_wall
from .agenda import LONGEST
from .forms import AppointmentForm, WallTimeField, midnight

HOUR = timedelta(hours=1)


def proposal(calendars: Sequence[Any]) -> dict[str, Any]:
    """By ``start``, ``end``, ``allday`` and ``calendar``; what is no valid value is ignored.

    Otherwise an hour from the next full hour on, in the user's zone.
    """
    zone = current_user.timezone
    sent = AppointmentForm(MultiDict(request.args), calendars=calendars)
    is_valid = sent.calendar.validate(sent)
    allday = bool(sent.allday.data)
    start, end = _times(sent, allday, zone)
    return {
        "start": start,
        "end": end,
        "allday": allday,
        "timezone": zone,
        "calendar": sent.calendar.data if is_valid else calendars[0].id,
    }


def _times(sent: AppointmentForm, allday: bool, zone: str) -> tuple[datetime, datetime]:
    hour = to_wall(now(), zone).replace(minute=0, second=0, microsecond=0) + HOUR
    start = _proposed(sent, sent.start, hour) or hour
    end = _proposed(sent, sent.end, hour)
    if allday:
        start, last = midnight(start), midnight(end or start)
        return start, last if start <= last < start + LONGEST else start
    start = existing(start, zone)
    end = existing(end or start + HOUR, zone)
    return start, end if end > start else existing(start + HOUR, zone)


def _proposed(sent: AppointmentForm, field: WallTimeField, hour: datetime) -> datetime | None:
    """A day alone has the time of day that is proposed anyway."""
    if not field.validate(sent):
        return None
    wall: datetime = field.data
    return wall if field.has_time else datetime.combine(wall.date(), hour.time())
