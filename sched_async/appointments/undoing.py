"""Take an act back, by the button in a message or in the trash."""

from collections.abc import Mapping
from typing import Any

from quart import Blueprint, abort, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from wtforms import StringField
from wtforms.validators import AnyOf

from ..accounts.sessions import current_user, login_required
from ..database import db, reading
from ..error_pages import Page, http_error
from ..errors import RefusedError
from ..forms import Form
from ..models import Act, Appointment, Calendar, Change
from . import undo
from .acts import ChangedError, TakenError
from .messages import called, flash_undo
from .undo import Conflict, GoneError, Undone

MOST_NAMED = 20
GONE = "One that has been deleted"
BUSY = "This was being changed at the same moment, and nothing has been undone. Try again."
TAKEN = (
    "Nothing has been undone: another appointment has taken its place in the calendar, with the "
    "same UID or address. Delete that one first."
)

blueprint = Blueprint("undo", __name__)


class OverError(NotFound):
    """Long ago, somebody else's, or never done."""

    page = Page(
        "This can't be undone any more",
        "What you have done can be undone for 30 days. After that, what was deleted is gone.",
        "Look into the trash for what can still be undone.",
    )


@blueprint.errorhandler(GoneError)
async def over(error: GoneError) -> ResponseReturnValue:
    return await http_error(OverError())


class UndoForm(Form):
    changed = StringField(default="ask", validators=[AnyOf(("ask", "all", "others"))])


@blueprint.route("/undo/<int:act_id>/", methods=["POST"])
@login_required
async def take_back(act_id: int) -> ResponseReturnValue:
    """``changed`` says what becomes of appointments that have changed since: all, or others."""
    act = await undo.own_act(current_user.user_id, act_id)
    form = UndoForm(await request.form)
    if not form.validate():
        abort(422)
    changed = form.changed.data or "ask"
    try:
        done = await undo.undo(db, current_user.user_id, act_id, changed=changed)
        await db.commit()
    except (RefusedError, TakenError, ChangedError) as refused:
        await db.rollback()
        await flash(_reason(refused), "error")
        return redirect(await _where(act), 303)
    if isinstance(done, Conflict):
        return await _ask(act, done.titles)
    await flash_undo(await _sentence(act, done), done.act_id)
    return redirect(await _where(act), 303)


def _reason(refused: Exception) -> str:
    if isinstance(refused, TakenError):
        return TAKEN
    return BUSY if isinstance(refused, ChangedError) else str(refused)


async def _ask(act: Act, titles: Mapping[int, str | None]) -> ResponseReturnValue:
    """A single one is called as the act is, where nothing else is kept to call it by."""
    names = [GONE if title is None else called(title) for title in titles.values()]
    is_gone = act.count == 1 and names == [GONE]
    page = await render_template(
        "appointments/undo.html",
        act=act,
        names=[called(act.title)] if is_gone else names[:MOST_NAMED],
        is_gone=is_gone,
        more=len(names[MOST_NAMED:]),
        others=act.count - len(names),
    )
    return page, 409


async def _sentence(act: Act, done: Undone) -> str:
    if act.calendar_id is not None:
        mine = Calendar.readable_by(current_user.user_id).where(Calendar.id == act.calendar_id)
        async with reading() as seen:
            is_there = await seen.scalar(mine.with_only_columns(Calendar.id)) is not None
        is_what = "is back" if is_there else "has been deleted"
        return f"Undone. The calendar {called(act.title)} {is_what}."
    if act.count != 1:
        are = "1 appointment is" if done.count == 1 else f"{done.count:,} appointments are"
        return f"Undone. {are} as before."
    row = await _its_appointment(act)
    if row is None:
        return f"Undone. {called(act.title)} has been deleted."
    return f"Undone. {called(row.title)} is as before."


async def _where(act: Act) -> str:
    """The page of what the act was about, where that has one."""
    if act.calendar_id is not None:
        return url_for("calendars.index")
    row = await _its_appointment(act)
    if row is None:
        return url_for("appointments.index")
    return url_for("appointments.detail", appointment_id=row.id)


async def _its_appointment(act: Act) -> Any:
    if act.count != 1:
        return None
    its = select(Change.appointment_id).where(Change.act_id == act.id)
    query = Appointment.readable_by(current_user.user_id).where(Appointment.id.in_(its))
    async with reading() as seen:
        columns = query.with_only_columns(Appointment.id, Appointment.title)
        return (await seen.execute(columns)).one_or_none()
