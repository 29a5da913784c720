"""What happened to an account, written down for its owner to read.

An event is recorded in the transaction that makes it true, so it is written once, and
only if it happened.  Entries are kept for 90 days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from quart import Blueprint, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import Select, insert, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from werkzeug.exceptions import BadRequest

from ..database import begin, db
from ..models import Activity, User
from ..moments import clock, day_for
from ..times import now, to_wall
from .addresses import lookup_email
from .origin import describe, origin
from .sessions import current_user, login_required

KEPT = timedelta(days=90)
PAGE = 50
NOT_BY_OWNER = "By whoever runs this server"
EVENTS = {
    "login": "Signed in",
    "login_failed": "Somebody gave a wrong password",
    "logout": "Signed out",
    "deactivated": "The account was deactivated",
    "activated": "The account was activated again",
    "signed_out": "Signed out everywhere, by whoever runs this server",
    "password_set": "The operator set a new password",
    "second_factor_required": "An administrator required a second factor",
    "second_factor_optional": "An administrator made the second factor optional",
    "made_administrator": "Became an administrator",
    "not_administrator": "Is no administrator any more",
    "reset_asked": "Somebody asked for a link to set a new password",
    "password_reset": "Set a new password by a link",
    "registered": "Made the account",
    "invited": "Invited somebody",
    "factor_on": "Set up a second factor",
    "factor_off": "Turned the second factor off",
    "factor_removed": "The operator removed the second factor",
    "recovery_renewed": "Made new recovery codes",
    "recovery_used": "Used a recovery code",
    "trust_ended": "Ended the trust in all devices",
    "second_step_failed": "Somebody gave the right password, but a wrong code",
    "confirm_code_failed": "Gave a wrong code to confirm",
    "confirm_failed": "Gave a wrong password to confirm",
    "device_signed_out": "Signed out another device",
    "others_signed_out": "Signed out all other devices",
    "profile_changed": "Changed the profile",
    "password_changed": "Changed the password",
    "email_asked": "Asked for another e-mail address",
    "email_changed": "Changed the e-mail address",
    "email_set": "The operator changed the e-mail address",
    "deletion_asked": "Asked to have the account deleted",
    "deletion_cancelled": "Signed in again, so the account is kept",
}

blueprint = Blueprint("activity", __name__, url_prefix="/account/activity")


def record(db: AsyncSession, user_id: int, event: str, *, by_owner: bool = True) -> None:
    """Write an event of ``EVENTS`` down, with where it came from; the caller commits.

    Where somebody else does it, their browser and address are not the owner's to know.
    """
    if event not in EVENTS:
        raise ValueError(event)
    db.add(Activity(user_id=user_id, event=event, **(origin() if by_owner else {})))


async def record_failure(email: str, where: dict[str, str]) -> None:
    """Beside the request: whoever gave a wrong password waits no longer for a known address.

    ``where`` is the ``origin()`` of the request.
    """
    fields = {"event": "login_failed", "happened_at": now(), **where}
    columns = Activity.__table__.c
    values = (literal(value, columns[name].type) for name, value in fields.items())
    known = select(User.id, *values).where(User.email == lookup_email(email))
    async with begin() as work:
        await work.execute(insert(Activity).from_select(["user_id", *fields], known))


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
    return await render_template("account/activity.html", days=days, more=more, zone=user.timezone)


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
