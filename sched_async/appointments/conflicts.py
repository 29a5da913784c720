"""Two at once: a form about what has been changed, or deleted, since it was opened.

Nothing that was typed is lost: a page shows both versions, and one press takes either.
"""

from functools import partial

from quart import abort, render_template, request
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from ..accounts.sessions import current_user
from ..carried_form import CarriedForm
from ..database import reading
from ..ics.ics_text import TEXTS, Facts, patched
from ..ics.rule_words import in_words
from ..ics.rules import Repeat, rule_of
from ..ics.scopes import Edit, edited
from ..models import Calendar
from ..reminder_fields import in_words as in_words_of
from ..times import now
from .display import Item, item_of
from .expanding import derived, in_thread
from .forms import AppointmentForm
from .reading import own_calendars, revision_of
from .repeating import start_moment
from .saving import show_form
from .shown import Shown

FIELDS = ("title", "when", "timezone", "repeat", "location", "calendar", "reminders", "description")
NOT_THERE = (
    "This series has been changed since you opened the form, and this date is no longer in it. "
    "What you entered is still here: you can save it as a new appointment."
)
DELETED = (
    "This appointment has been deleted since you opened the form. What you entered is still here: "
    "you can save it as a new appointment."
)


async def show_both(form: AppointmentForm, shown: Shown) -> ResponseReturnValue | None:
    """The page with what was sent and what is kept; None where these are the same.

    Raises RefusedError, as saving would.
    """
    wanted = Edit(shown.facts, form.facts(), shown.repeated, form.wanted_repeat())
    differing, row = _differing(wanted), shown.row
    if form.calendar.data != row.calendar_id:
        differing.add("calendar")
    if not differing:
        return None
    sent = (await CarriedForm.of_request()).fields
    page = await render_template(
        "appointments/conflict.html",
        appointment_id=row.id,
        on=shown.on or None,
        names=FIELDS,
        differing=differing,
        mine=await _item(shown, wanted.wanted, form.calendar.data),
        theirs=shown.item,
        reminders=[in_words_of(one.reminders, one.allday) for one in (wanted.wanted, wanted.shown)],
        repeats=[_words(wanted.wanted, one) for one in (wanted.repeat, wanted.repeated)],
        calendars={one.id: one for one in await own_calendars()},
        sent=[(name, revision_of(row) if name == "revision" else value) for name, value in sent],
    )
    return page, 409


def _differing(wanted: Edit) -> set[str]:
    mine, theirs = wanted.wanted, wanted.shown
    names = (*TEXTS, "reminders")
    found = {name for name in names if getattr(mine, name) != getattr(theirs, name)}
    *when, zone = mine.times
    *other_when, other_zone = theirs.times
    if zone != other_zone:
        found |= {"when", "timezone"}
    if wanted.changes_rule:
        found.add("repeat")
    return found | {"when"} if when != other_when else found


def _words(facts: Facts, repeat: Repeat) -> str:
    start = start_moment(facts.start, facts.allday, facts.timezone)
    rule = rule_of(repeat, start)
    return in_words(rule, start) if rule else ""


async def _item(shown: Shown, wanted: Facts, calendar_id: int) -> Item:
    """What was sent, as it would be shown if it were saved."""
    text, edit = await shown.text(), Edit(shown.facts, wanted)
    if shown.on:
        new = (await in_thread(partial(edited, text, shown.on, "one", edit, now()))).text
    else:
        new = patched(text, shown.facts, wanted, now())
    own = {name: getattr(wanted, name) for name in TEXTS}
    zone, hours = current_user.timezone, current_user.clock_hours
    return item_of(await derived(new), calendar_id, zone, hours, shown.on, **own)


async def show_deleted(*, is_one: bool = False) -> ResponseReturnValue:
    """What was typed about one that is gone, to be made anew; 404 unless a form had shown it."""
    sent = MultiDict(await request.form)
    if not await _had_shown(sent.pop("revision", "")):
        abort(404)
    calendars = await own_calendars()
    if sent.get("calendar") not in [str(one.id) for one in calendars]:
        sent["calendar"] = str(calendars[0].id)
    form = AppointmentForm(sent, calendars=calendars)
    form.refuse(None, NOT_THERE if is_one else DELETED)
    return await show_form(form, status=409, is_deleted=True)


async def _had_shown(revision: str) -> bool:
    """Whether it names a calendar of this person, which may have been deleted as well."""
    query = select(Calendar.id).where(Calendar.user_id == current_user.user_id)
    async with reading() as db:
        return revision.partition("-")[0] in map(str, await db.scalars(query))
