"""The profile: one's name, and how times and weeks are shown."""

import logging
from typing import Any

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import update
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from ...database import db
from ...errors import RefusedError
from ...forms import Form, PlainText, stripped
from ...models import User
from ...times import zone_names
from .. import activity
from ..registration.rules import MAX_NAME, canonical_name, canonical_zone
from ..sessions import current_user, login_required

WEEK_STARTS: dict[Any, str] = {1: "Monday", 6: "Saturday", 7: "Sunday"}
CLOCKS: dict[Any, str] = {24: "24-hour (14:30)", 12: "12-hour (2:30 pm)"}

blueprint = Blueprint("profile", __name__, url_prefix="/account/profile")
log = logging.getLogger("sched_async.security")


class ProfileForm(Form):
    name = StringField("Your name", [InputRequired(), Length(max=MAX_NAME), PlainText()])
    timezone = StringField("Time zone", [InputRequired()], filters=[stripped])
    week_start = SelectField("Week starts on", coerce=int, choices=WEEK_STARTS)
    clock_hours = SelectField("Time format", coerce=int, choices=CLOCKS)

    def values(self) -> dict[str, Any]:
        """What to keep; RefusedError names the field at fault."""
        return {
            "name": canonical_name(self.name.data or ""),
            "timezone": canonical_zone(self.timezone.data or ""),
            "week_start": self.week_start.data,
            "clock_hours": self.clock_hours.data,
        }


@blueprint.route("/", methods=["GET", "POST"])
@login_required
async def index() -> ResponseReturnValue:
    """Show the profile, and save what its form sends."""
    form = ProfileForm(await request.form, obj=current_user.known())
    if request.method == "POST" and form.validate():
        try:
            values = form.values()
        except RefusedError as refused:
            form.refuse(refused.field, str(refused))
        else:
            return await _save(values)
    page = await render_template("settings/profile.html", form=form, zones=zone_names())
    return page, 422 if request.method == "POST" else 200


async def _save(values: dict[str, Any]) -> ResponseReturnValue:
    user_id = current_user.user_id
    await db.execute(update(User).where(User.id == user_id).values(values))
    activity.record(db, user_id, "profile_changed")
    await db.commit()
    log.info("profile changed user=%s", user_id)
    await flash("Saved.", "success")
    return redirect(url_for(".index"), 303)
