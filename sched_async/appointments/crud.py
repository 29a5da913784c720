"""List, read, make and change appointments."""

from dataclasses import replace
from typing import Any

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from ..accounts.sessions import current_user, login_required, public
from ..database import db
from ..errors import RefusedError
from ..local_paths import local_path
from ..times import now
from . import changes, conflicts, overlaps
from .acts import ChangedError, RepeatedError, TakenError
from .agenda import Position, read_page
from .display import Item
from .expanding import derived
from .forms import AppointmentForm
from .ics_text import Facts, new_text, patched
from .messages import flash_undo
from .proposals import proposal
from .reading import (
    facts_of,
    find_appointment,
    own_appointment,
    own_calendars,
    own_occurrence,
    revision_of,
    text_of,
)

GONE = "This calendar has been deleted. Choose another one."
TAKEN = "That calendar has this appointment already."

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
        sent = await _sent(current_user.timezone, calendars[0].id)
        form = AppointmentForm(sent, calendars=calendars)
        if form.validate() and (answer := await _add(form)):
            return answer
    else:
        form = AppointmentForm(calendars=calendars, **proposal(calendars))
    return await _show_form(form)


@blueprint.route("/appointments/<int:appointment_id>/")
@login_required
async def detail(appointment_id: int) -> ResponseReturnValue:
    """One appointment; of a series with ``?on=`` the one of that original start."""
    on = request.args.get("on")
    found = own_appointment(appointment_id) if on is None else own_occurrence(appointment_id, on)
    item = Item(await found, current_user.timezone, current_user.clock_hours)
    calendars = {one.id: one for one in await own_calendars()}
    return await render_template("appointments/detail.html", item=item, calendars=calendars)


@blueprint.route("/appointments/<int:appointment_id>/edit/", methods=["GET", "POST"])
@login_required
async def edit(appointment_id: int) -> ResponseReturnValue:
    """Show the form for one appointment, and save what it sends."""
    row, calendars = await find_appointment(appointment_id), await own_calendars()
    if row is None:
        return await conflicts.show_deleted(appointment_id)
    shown = facts_of(row)
    given = {"calendar": row.calendar_id, "revision": revision_of(row)}
    if request.method == "POST":
        sent = await _sent(_shown_zone(shown), row.calendar_id)
        form = AppointmentForm(sent, shown, calendars=calendars)
        if form.validate() and (answer := await _save(form, row)):
            return answer
    else:
        shown = replace(shown, timezone=_shown_zone(shown))
        form = AppointmentForm(obj=shown, calendars=calendars, **given)
    return await _show_form(form, appointment_id)


async def _add(form: AppointmentForm) -> ResponseReturnValue | None:
    """Save a new one; None where the form has to be shown again."""
    user_id, facts = current_user.user_id, form.facts()
    made = await derived(new_text(facts, now()))
    key = form.fingerprint()
    try:
        async with changes.act(db, user_id, "create", facts.title, submission=key) as act:
            act.put(form.calendar.data, made, is_fresh=True)
        await db.commit()
    except RepeatedError as repeated:
        await db.rollback()
        return _to_detail(repeated.appointment_id)
    except (ChangedError, RefusedError) as error:
        await db.rollback()
        if not await _refuse(form, error):
            raise
        return None
    message = await overlaps.after_saving(act.appointment_id, made, form.calendar_ids)
    await flash_undo(message, act.id)
    return _to_detail(act.appointment_id)


async def _save(form: AppointmentForm, row: Any) -> ResponseReturnValue | None:
    """Change it as the form differs from what is kept; once more where that has changed."""
    appointment_id, shown = row.id, facts_of(row)
    while row is not None:
        try:
            if form.revision.data and form.revision.data != revision_of(row):
                return await conflicts.show_both(form, row) or await _unchanged(appointment_id)
            return await _replace(form, shown, row)
        except (ChangedError, RefusedError, TakenError) as error:
            await db.rollback()
            if await _refuse(form, error):
                return None
        row = await find_appointment(appointment_id)
    return await conflicts.show_deleted(appointment_id)


async def _refuse(form: AppointmentForm, error: Exception) -> bool:
    """Say why it cannot be saved; False where it can be tried once more."""
    if isinstance(error, RefusedError):
        form.refuse(None, str(error))
    elif isinstance(error, TakenError):
        form.refuse("calendar", TAKEN)
    elif form.calendar.data not in [one.id for one in await own_calendars()]:
        form.refuse("calendar", GONE)
    else:
        return False
    return True


async def _replace(form: AppointmentForm, shown: Facts, row: Any) -> ResponseReturnValue:
    text, facts, target = await text_of(row), form.facts(), form.calendar.data
    new = patched(text, shown, facts, now())
    if new == text and target == row.calendar_id:
        return await _unchanged(row.id)
    made = await derived(new)
    kind = "move" if new == text else "edit"
    async with changes.act(db, current_user.user_id, kind, facts.title) as act:
        act.replace(row, made, target)
    await db.commit()
    await flash_undo(await overlaps.after_saving(row.id, made, form.calendar_ids), act.id)
    return _to_detail(row.id)


async def _unchanged(appointment_id: int) -> ResponseReturnValue:
    """It is as wanted already."""
    await flash("Saved.", "success")
    return _to_detail(appointment_id)


def _to_detail(appointment_id: int | None) -> ResponseReturnValue:
    """Or back to the view of the calendar where it was dragged, which ``?next=`` names."""
    view = request.args.get("next", "")
    if view.startswith(url_for("views.index")):
        return redirect(local_path(view), 303)
    return redirect(url_for(".detail", appointment_id=appointment_id), 303)


async def _show_form(
    form: AppointmentForm, appointment_id: int | None = None
) -> ResponseReturnValue:
    page = await render_template("appointments/form.html", form=form, appointment_id=appointment_id)
    return page, form.status


def _shown_zone(shown: Facts) -> str:
    """Whole days have none, so that the person's own is proposed."""
    return shown.timezone or (current_user.timezone if shown.allday else "")


async def _sent(zone: str, calendar_id: int) -> MultiDict[str, str]:
    """The sent form, in ``zone`` and in that calendar where it names none."""
    sent = MultiDict(await request.form)
    for name, value in (("timezone", zone), ("calendar", str(calendar_id))):
        if not sent.get(name, "").strip():
            sent[name] = value
    return sent
