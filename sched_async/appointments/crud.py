"""List, read and make appointments."""

from functools import partial
from typing import Any

from quart import Blueprint, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from ..accounts.sessions import current_user, login_required, public
from ..database import db
from ..errors import RefusedError
from ..human_times import reminder_time
from ..ics.ics_text import Facts, new_text
from ..ics.rules import NEVER, Repeat
from ..ics.scopes import Edit, Edited, edited
from ..reminder_fields import in_words
from ..times import now
from . import changes, overlaps
from .acts import ChangedError, RepeatedError
from .display import Item
from .expanding import derived, in_thread
from .forms import AppointmentForm
from .listing import Position, read_page
from .messages import flash_undo
from .proposals import proposal
from .reading import own_appointment, own_calendars, own_occurrence
from .repeating import words_of
from .saving import refuse, said, sent_form, show_form, to_detail

blueprint = Blueprint("appointments", __name__)


@blueprint.route("/")
@public
async def home() -> ResponseReturnValue:
    return redirect(url_for(".index"), 303)


@blueprint.route("/appointments/")
@login_required
async def index() -> ResponseReturnValue:
    """What is to come, or with ``?past=1`` what is over; ``?after=`` is a page further."""
    past = request.args.get("past", "") == "1"
    cursor = request.args.get("after")
    after = Position.parse(cursor) if cursor is not None else None
    user = current_user.known()
    page = await read_page(user.id, user.timezone, user.clock_hours, past=past, after=after)
    more_url = None
    if page.after is not None:
        more_url = url_for(".index", past=1 if past else None, after=page.after)
    return await render_template(
        "appointments/list.html",
        days=page.days,
        calendars=page.calendars,
        hidden=sum(one.is_hidden for one in page.calendars.values()),
        past=past,
        more_url=more_url,
        is_later_page=after is not None,
        ends_early=not past and more_url is None and any(one.is_endless for one in page.items),
        zone=user.timezone,
    )


@blueprint.route("/appointments/create/", methods=["GET", "POST"])
@login_required
async def create() -> ResponseReturnValue:
    """Make one; the same form with the same contents shows what it made the first time."""
    calendars = await own_calendars()
    if request.method == "POST":
        sent = await sent_form(current_user.timezone, calendars[0].id)
        form = AppointmentForm(sent, calendars=calendars)
        if form.validate() and (answer := await _add(form)):
            return answer
    else:
        form = AppointmentForm(calendars=calendars, **proposal(calendars))
    return await show_form(form)


@blueprint.route("/appointments/<int:appointment_id>/")
@login_required
async def detail(appointment_id: int) -> ResponseReturnValue:
    """One appointment; of a series with ``?on=`` the one of that original start."""
    on = request.args.get("on")
    found = own_appointment(appointment_id) if on is None else own_occurrence(appointment_id, on)
    row = await found
    item = Item(row, current_user.timezone, current_user.clock_hours)
    calendars = {one.id: one for one in await own_calendars()}
    words = words_of(row) if item.repeats else ""
    return await render_template(
        "appointments/detail.html",
        item=item,
        calendars=calendars,
        on=on,
        words=words,
        reminders=_reminders(row),
        is_silent=row.is_silent,
        is_followed=row.is_followed,
    )


def _reminders(row: Any) -> str:
    """When they come; of whole days with the hour."""
    words = in_words(row.reminders, row.allday)
    if not (words and row.allday):
        return words
    return f"{words}, at {reminder_time(current_user.known())}"


async def _add(form: AppointmentForm) -> ResponseReturnValue | None:
    """Save a new one; None where the form has to be shown again."""
    user_id, facts, key = current_user.user_id, form.facts(), form.fingerprint()
    try:
        new = await _written(facts, form.wanted_repeat())
        made = await derived(new.text)
        async with changes.act(db, user_id, "create", facts.title, submission=key) as act:
            act.put(form.calendar.data, made, is_fresh=True)
        await db.commit()
    except RepeatedError as repeated:
        await db.rollback()
        return to_detail(repeated.appointment_id)
    except (ChangedError, RefusedError) as error:
        await db.rollback()
        if not await refuse(form, error):
            raise
        return None
    message = await overlaps.after_saving(act.appointment_id, made, form.calendar_ids)
    await flash_undo(message + said(new), act.id)
    return to_detail(act.appointment_id)


async def _written(facts: Facts, repeat: Repeat) -> Edited:
    """The text of a new one, and how its rule has changed its start."""
    text = new_text(facts, now())
    if repeat == NEVER:
        return Edited(text)
    return await in_thread(
        partial(edited, text, "", "all", Edit(facts, facts, NEVER, repeat), now())
    )
