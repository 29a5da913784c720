"""What a new appointment's form holds at first: the next hour, or what the address proposes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from quart import request
from werkzeug.datastructures import MultiDict

from ..accounts.sessions import current_user
from ..times import existing, now, to_wall
from .forms import AppointmentForm, midnight
from .listing import LONGEST
from .repeat_fields import NAMES as REPEAT_NAMES

HOUR = timedelta(hours=1)
NAMES = ("start", "end", "allday", "calendar", *REPEAT_NAMES)


def proposal(calendars: Sequence[Any]) -> dict[str, Any]:
    """By the names of the form's times, calendar and repetition; what is not valid is ignored.

    Otherwise an hour from the next full hour on, in the user's zone.
    """
    zone, said = current_user.timezone, _said(calendars)
    allday = "allday" in said and bool(said["allday"].data)
    start, end = _times(said, allday, zone)
    calendar = said["calendar"].data if "calendar" in said else calendars[0].id
    times = {"start": start, "end": end, "allday": allday, "timezone": zone}
    repeat = {name: said[name].data for name in REPEAT_NAMES if name in said}
    return {**times, "calendar": calendar, **repeat}


def _said(calendars: Sequence[Any]) -> dict[str, Any]:
    """The form's own fields, as far as the address has something valid for them."""
    if not request.args:
        return {}
    form = AppointmentForm(MultiDict(request.args), calendars=calendars)
    return {name: form[name] for name in NAMES if form[name].validate(form)}


def _times(said: Mapping[str, Any], allday: bool, zone: str) -> tuple[datetime, datetime]:
    hour = to_wall(now(), zone).replace(minute=0, second=0, microsecond=0) + HOUR
    start, end = _wall(said.get("start"), hour) or hour, _wall(said.get("end"), hour)
    if allday:
        start, last = midnight(start), midnight(end or start)
        return start, last if start <= last < start + LONGEST else start
    start = existing(start, zone)
    end = existing(end or start + HOUR, zone)
    return start, end if end > start else existing(start + HOUR, zone)


def _wall(field: Any, hour: datetime) -> datetime | None:
    """A day alone has the time of day that is proposed anyway."""
    if field is None:
        return None
    wall: datetime = field.data
    return wall if field.has_time else datetime.combine(wall.date(), hour.time())
