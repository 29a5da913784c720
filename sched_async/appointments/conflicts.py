"""Two at once: a form about what has been changed, or deleted, since it was opened.

Nothing that was typed is lost: a page shows both versions, and one press takes either.
"""

from typing import Any

from quart import abort, render_template, request
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from ..accounts.sessions import current_user
from ..carried_form import CarriedForm
from ..database import reading
from ..models import Calendar
from ..times import now
from .display import Item, item_of
from .expanding import derived
from .forms import AppointmentForm
from .ics_text import Facts, patched
from .reading import facts_of, own_calendars, revision_of, text_of

FIELDS = ("title", "when", "timezone", "location", "calendar", "description")
DELETED = (
    "This appointment has been deleted since you opened the form. What you entered is still here: "
    "you can save it as a new appointment."
)


async def show_both(form: AppointmentForm, row: Any) -> ResponseReturnValue | None:
    """The page with what was sent and what is kept; None where these are the same.

    Raises ChangedError and RefusedError, as saving would.
    """
    mine, theirs = form.facts(), facts_of(row)
    differing = _differing(mine, theirs)
    if form.calendar.data != row.calendar_id:
        differing.add("calendar")
    if not differing:
        return None
    sent = (await CarriedForm.of_request()).fields
    page = await render_template(
        "appointments/conflict.html",
        appointment_id=row.id,
        names=FIELDS,
        differing=differing,
        mine=await _item(row, mine, form.calendar.data),
        theirs=Item(row, current_user.timezone, current_user.clock_hours),
        calendars={one.id: one for one in await own_calendars()},
        sent=[(name, revision_of(row) if name == "revision" else value) for name, value in sent],
    )
    return page, 409


def _differing(mine: Facts, theirs: Facts) -> set[str]:
    texts = ("title", "location", "description")
    found = {name for name in texts if getattr(mine, name) != getattr(theirs, name)}
    *when, zone = mine.times
    *other_when, other_zone = theirs.times
    if zone != other_zone:
        found |= {"when", "timezone"}
    return found | {"when"} if when != other_when else found


async def _item(row: Any, wanted: Facts, calendar_id: int) -> Item:
    """What was sent, as it would be shown if it were saved."""
    made = await derived(patched(await text_of(row), facts_of(row), wanted, now()))
    return item_of(made, calendar_id, current_user.timezone, current_user.clock_hours)


async def show_deleted(appointment_id: int) -> ResponseReturnValue:
    """What was typed about one that is gone, to be made anew; 404 unless a form had shown it."""
    sent = MultiDict(await request.form)
    if not await _had_shown(sent.pop("revision", "")):
        abort(404)
    calendars = await own_calendars()
    if sent.get("calendar") not in [str(one.id) for one in calendars]:
        sent["calendar"] = str(calendars[0].id)
    form = AppointmentForm(sent, calendars=calendars)
    form.refuse(None, DELETED)
    page = await render_template("appointments/form.html", form=form, is_deleted=True)
    return page, 409


async def _had_shown(revision: str) -> bool:
    """Whether it names a calendar of this person, which may have been deleted as well."""
    query = select(Calendar.id).where(Calendar.user_id == current_user.user_id)
    async with reading() as db:
        return revision.partition("-")[0] in map(str, await db.scalars(query))
