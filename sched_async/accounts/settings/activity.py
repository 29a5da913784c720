"""What happened to an account, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby

from quart import Blueprint, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import Select, select, tuple_
from werkzeug.exceptions import BadRequest

from ...database import db
from ...human_times import clock, day_for
from ...models import Activity, User
from ...times import now, to_wall
from ..activity import EVENTS, KEPT
from ..clients import describe
from ..sessions import current_user, login_required

PAGE = 50
NOT_BY_OWNER = "By an administrator or the operator"

blueprint = Blueprint("activity", __name__, url_prefix="/account/activity")


@dataclass(frozen=True)
class Entry:
    """One thing that happened, as its owner reads it."""

    day: date
    clock: str
    sentence: str
    where: str

    @classmethod
    def of(cls, row: Activity, user: User) -> "Entry":
        wall = to_wall(row.happened_at, user.timezone)
        sentence = EVENTS.get(row.event, row.event)  # a newer version may know more events
        return cls(wall.date(), clock(wall, user.clock_hours), sentence, _where(row))


def _where(row: Activity) -> str:
    if not row.address and not row.user_agent:
        return NOT_BY_OWNER
    return " · ".join(filter(None, (describe(row.user_agent), row.address)))


@blueprint.route("/")
@login_required
async def index() -> ResponseReturnValue:
    """What happened, newest first; ``?before=`` is a page further."""
    user, before = current_user.known(), request.args.get("before")
    rows: Sequence[Activity] = (await db.scalars(_newest(user.id, before))).all()
    entries = [Entry.of(row, user) for row in rows[:PAGE]]
    days = [(day_for(day, user), list(its)) for day, its in groupby(entries, lambda its: its.day)]
    more = url_for(".index", before=_place(rows[PAGE - 1])) if len(rows) > PAGE else None
    return await render_template("settings/activity.html", days=days, more=more, zone=user.timezone)


def _newest(user_id: int, before: str | None) -> Select[Activity]:
    """A page of them, and one more to know whether there is another."""
    place = tuple_(Activity.happened_at, Activity.id)
    query = select(Activity).where(Activity.user_id == user_id, Activity.happened_at > now() - KEPT)
    if before is not None:
        query = query.where(place < _parse(before))
    return query.order_by(Activity.happened_at.desc(), Activity.id.desc()).limit(PAGE + 1)


def _place(row: Activity) -> str:
    return f"{int(row.happened_at.timestamp())}.{row.id}"


def _parse(text: str) -> tuple[datetime, int]:
    """Read what ``_place`` wrote; BadRequest for anything else."""
    try:
        seconds, number = (int(part) for part in text.split("."))
        place = datetime.fromtimestamp(seconds, UTC), number
    except (ValueError, OverflowError, OSError):
        raise BadRequest from None
    if f"{seconds}.{number}" != text or not 0 <= number < 2**63:
        raise BadRequest
    return place
