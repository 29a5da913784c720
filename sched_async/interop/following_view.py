"""The pages on which somebody follows a calendar elsewhere."""

from quart import Blueprint, Quart, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from ..accounts.sessions import current_user, login_required
from ..appointments import calendar_changes
from ..appointments.calendars import MAX_NAME, CalendarForm
from ..appointments.messages import called
from ..appointments.reading import own_calendar, own_calendars
from ..database import db
from ..errors import RefusedError
from ..forms import Checked, LineField, stripped
from ..jobs import add_job
from ..links import host_of
from ..plurals import counted
from . import following
from .fetching import canonical_address
from .import_ics import planned

blueprint = Blueprint("following", __name__, url_prefix="/calendars")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)
    add_job(app, following.refresh_due, following.EVERY)


class FollowForm(CalendarForm):
    address = StringField("Address", [InputRequired(), Checked(canonical_address)], [stripped])
    name = LineField("Name", [Length(max=MAX_NAME)])


@blueprint.route("/follow/", methods=["GET", "POST"])
@login_required
async def follow() -> ResponseReturnValue:
    """Make a calendar of what lies at an address, which is read first."""
    color = calendar_changes.next_color([one.color for one in await own_calendars()])
    form = FollowForm(await request.form, color=color)
    if form.validate_on_submit() and (answer := await _follow(form)):
        return answer
    return await render_template("calendars/follow.html", form=form), form.status


async def _follow(form: FollowForm) -> ResponseReturnValue | None:
    address, user_id = form.address.data or "", current_user.user_id
    try:
        fetched, heard = await following.read(address)
    except RefusedError as refused:
        form.refuse("address", str(refused))
        return None
    own = " ".join(heard.name.split())[: MAX_NAME - 5] or host_of(address)
    name = form.name.data or calendar_changes.free_name(await own_calendars(), own)
    plan = await planned(user_id, 0, heard)
    try:
        made = await calendar_changes.add(
            db, user_id, name, form.color.data, submission=form.fingerprint()
        )
        if not made.is_followed:
            made.is_followed, plan.calendar_id = True, made.id
            db.add(following.followed_row(made.id, address, fetched))
            await db.flush()
            await following.write(db, user_id, plan, [])
        await db.commit()
    except RefusedError as refused:
        await db.rollback()
        form.refuse(refused.field if refused.field in form.data else "address", str(refused))
        return None
    many = counted(len(plan.new), "appointment")
    await flash(f"{called(name)} has been added, with {many}.{following.missed(heard)}", "success")
    return redirect(url_for("calendars.index"), 303)


@blueprint.route("/<int:calendar_id>/refresh/", methods=["POST"])
@login_required
async def refresh_now(calendar_id: int) -> ResponseReturnValue:
    """Read it again now."""
    calendar = await own_calendar(calendar_id)
    if not calendar.is_followed:
        return redirect(url_for("calendars.index"), 303)
    problem = await following.refresh_now(calendar.id)
    if problem:
        await flash(f"{called(calendar.name)} hasn't been refreshed. {problem}", "error")
    else:
        await flash(f"{called(calendar.name)} has been refreshed.", "success")
    return redirect(url_for("calendars.index"), 303)
