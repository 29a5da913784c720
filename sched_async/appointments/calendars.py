"""A person's calendars: list, make, change, hide and delete them."""

from typing import Any

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import bindparam, select
from werkzeug.exceptions import NotFound, UnprocessableEntity
from wtforms import RadioField
from wtforms.validators import DataRequired, Length

from ..accounts.sessions import current_user, login_required
from ..database import SAFE_METHODS, db, fetch
from ..error_pages import http_error
from ..errors import RefusedError
from ..forms import LineField, OnceForm
from ..human_times import in_words
from ..links import host_of
from ..local_paths import local_path
from ..models import Act, Calendar, Followed, UtcSeconds
from ..plurals import counted
from ..purging import KEPT
from ..times import now
from . import calendar_changes
from .acts import ChangedError
from .calendar_changes import COLORS, next_color
from .messages import called, flash_undo
from .reading import own_calendar, own_calendars

MAX_NAME = 100
CHOICES: dict[Any, str] = {color: color.capitalize() for color in COLORS}

DELETED: Any = (
    select(Act.id.label("act_id"), Calendar.name, Calendar.appointments)
    .join(Calendar, Calendar.id == Act.calendar_id)
    .where(Act.user_id == bindparam("owner"), Act.calendar_id == bindparam("id"))
    .where(Act.kind == "delete_calendar", Act.undone_at.is_(None))
    .where(Act.made_at > bindparam("since", type_=UtcSeconds), Calendar.deleted_at.is_not(None))
    .order_by(Act.id.desc())
    .limit(1)
)

FOLLOWS: Any = (
    select(Followed.calendar_id, Followed.address, Followed.refreshed_at, Followed.problem)
    .join(Calendar, Calendar.id == Followed.calendar_id)
    .where(Calendar.user_id == bindparam("owner"), Calendar.deleted_at.is_(None))
)

blueprint = Blueprint("calendars", __name__, url_prefix="/calendars")


class CalendarForm(OnceForm):
    name = LineField("Name", [DataRequired(), Length(max=MAX_NAME)])
    color = RadioField("Colour", choices=CHOICES)


@blueprint.errorhandler(ChangedError)
async def gone(error: ChangedError) -> ResponseReturnValue:
    """It was deleted between the reading and the writing."""
    return await http_error(NotFound())


@blueprint.route("/")
@login_required
async def index() -> ResponseReturnValue:
    """All of them, the default one first."""
    calendars = await own_calendars()
    follows = await _follows() if any(one.is_followed for one in calendars) else {}
    return await render_template("calendars/list.html", calendars=calendars, follows=follows)


async def _follows() -> dict[int, tuple[str, str, str]]:
    """Of those that follow an address: its host, when it was read, and why not since."""
    user = current_user.known()
    return {
        row.calendar_id: (
            host_of(row.address),
            in_words(row.refreshed_at, user) if row.refreshed_at else "",
            row.problem,
        )
        for row in await fetch(FOLLOWS, owner=user.id)
    }


@blueprint.route("/create/", methods=["GET", "POST"])
@login_required
async def create() -> ResponseReturnValue:
    """Make one; the same form with the same contents makes it once."""
    color = next_color([one.color for one in await own_calendars()])
    form = CalendarForm(await request.form, color=color)
    if form.validate_on_submit() and await _saved(form):
        return await _done(f"{called(form.name.data or '')} has been created.")
    return await _show_form(form)


@blueprint.route("/<int:calendar_id>/edit/", methods=["GET", "POST"])
@login_required
async def edit(calendar_id: int) -> ResponseReturnValue:
    """Show the form for one, and save what it sends; what it leaves out stays as it is."""
    calendar = await own_calendar(calendar_id)
    form = CalendarForm(await request.form, obj=calendar)
    if form.validate_on_submit() and await _saved(form, calendar_id):
        return await _done("Saved.")
    own = [one.id for one in await own_calendars() if not one.is_followed]
    is_only = own == [calendar_id]
    return await _show_form(form, calendar=calendar, is_only=is_only)


@blueprint.route("/<int:calendar_id>/hide/", methods=["POST"])
@login_required
async def hide(calendar_id: int) -> ResponseReturnValue:
    """Leave what is in it out of lists."""
    return await _set_hidden(calendar_id, True, "{} is now hidden.")


@blueprint.route("/<int:calendar_id>/show/", methods=["POST"])
@login_required
async def show(calendar_id: int) -> ResponseReturnValue:
    return await _set_hidden(calendar_id, False, "{} is shown again.")


async def _set_hidden(calendar_id: int, is_hidden: bool, sentence: str) -> ResponseReturnValue:
    """A view of the calendar, named by ``next``, shows by itself what has been done."""
    name = called((await own_calendar(calendar_id)).name)
    await calendar_changes.change(db, current_user.user_id, calendar_id, is_hidden=is_hidden)
    await db.commit()
    if (view := (await request.form).get("next", "")).startswith(url_for("views.index")):
        return redirect(local_path(view), 303)
    return await _done(sentence.format(name))


@blueprint.route("/<int:calendar_id>/default/", methods=["POST"])
@login_required
async def make_default(calendar_id: int) -> ResponseReturnValue:
    """Let new appointments come into this one."""
    name = called((await own_calendar(calendar_id)).name)
    try:
        await calendar_changes.make_default(db, current_user.user_id, calendar_id)
        await db.commit()
    except RefusedError as refused:
        await db.rollback()
        return await http_error(UnprocessableEntity(), str(refused))
    return await _done(f"{name} is now your default calendar.")


@blueprint.route("/<int:calendar_id>/delete/", methods=["GET", "POST"])
@login_required
async def delete(calendar_id: int) -> ResponseReturnValue:
    """Delete it with all that is in it; POST may come twice, GET leads to the button."""
    page = redirect(url_for(".edit", calendar_id=calendar_id), 303)
    if request.method == "POST" and (before := await _deleted_before(calendar_id)):
        await flash_undo(_farewell(before), before.act_id)
        return redirect(url_for(".index"), 303)
    calendar = await own_calendar(calendar_id)
    if request.method in SAFE_METHODS:
        return page
    try:
        act_id = await calendar_changes.delete(db, current_user.user_id, calendar_id)
        await db.commit()
    except RefusedError as refused:
        await flash(str(refused), "error")
        return page
    await flash_undo(_farewell(calendar), act_id)
    return redirect(url_for(".index"), 303)


async def _deleted_before(calendar_id: int) -> Any:
    """By which act, as when a button is pressed twice: the first answer is not seen."""
    rows = await fetch(DELETED, owner=current_user.user_id, id=calendar_id, since=now() - KEPT)
    return rows[0] if rows else None


def _farewell(calendar: Any) -> str:
    went = "It was empty."
    if calendar.appointments:
        went = f"{counted(calendar.appointments, 'appointment').capitalize()} went with it."
    return f"{called(calendar.name)} has been deleted. {went}"


async def _saved(form: CalendarForm, calendar_id: int | None = None) -> bool:
    """False where the form has to be shown again."""
    user_id, values = current_user.user_id, {"name": form.name.data, "color": form.color.data}
    try:
        if calendar_id is None:
            await calendar_changes.add(db, user_id, submission=form.fingerprint(), **values)
        else:
            await calendar_changes.change(db, user_id, calendar_id, **values)
        await db.commit()
    except RefusedError as refused:
        await db.rollback()
        form.refuse(refused.field, str(refused))
        return False
    return True


async def _show_form(form: CalendarForm, **more: Any) -> ResponseReturnValue:
    return await render_template("calendars/form.html", form=form, **more), form.status


async def _done(sentence: str) -> ResponseReturnValue:
    await flash(sentence, "success")
    return redirect(url_for(".index"), 303)
