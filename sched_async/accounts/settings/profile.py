"""The profile: a person's name, and how times and weeks are shown."""

from datetime import time
from typing import Any

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import update
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from ... import mail
from ...database import db
from ...forms import Checked, Form, LineField, stripped
from ...human_times import clock
from ...models import Reminder, User
from ...reminder_fields import RemindersField
from ...times import canonical_zone
from .. import activity
from ..registration.rules import MAX_NAME, canonical_name
from ..sessions import current_user, login_required

WEEK_STARTS: dict[Any, str] = {1: "Monday", 6: "Saturday", 7: "Sunday"}
FIELDS = (
    *("name", "timezone", "week_start", "clock_hours", "start_view"),
    *("reminders", "day_reminders", "reminder_hour"),
)
OF_REMINDERS = ("timezone", "reminder_hour")
"""What decides when they come."""
CLOCKS: dict[Any, str] = {24: "24-hour (14:30)", 12: "12-hour (2:30 pm)"}
START_VIEWS = {
    "": "The list of appointments",
    "month": "The month",
    "week": "The week",
    "day": "The day",
    "agenda": "The agenda",
}

blueprint = Blueprint("profile", __name__, url_prefix="/account/profile")


class ProfileForm(Form):
    name = LineField("Your name", [InputRequired(), Length(max=MAX_NAME), Checked(canonical_name)])
    timezone = StringField("Time zone", [InputRequired(), Checked(canonical_zone)], [stripped])
    week_start = SelectField("Week starts on", coerce=int, choices=WEEK_STARTS)
    clock_hours = SelectField("Time format", coerce=int, choices=CLOCKS)
    start_view = SelectField("Start with", choices=START_VIEWS, default="")
    reminders = RemindersField("Timed appointments")
    day_reminders = RemindersField("All-day appointments", days=True)
    reminder_hour = SelectField("Time of all-day reminders", coerce=int, choices=[])

    def __init__(self, formdata: Any, *, obj: User) -> None:
        super().__init__(formdata, obj=obj)
        times = ((hour, clock(time(hour), obj.clock_hours)) for hour in range(24))
        self.reminder_hour.choices = list(times)


@blueprint.route("/", methods=["GET", "POST"])
@login_required
async def index() -> ResponseReturnValue:
    """Show the profile, and save what its form sends."""
    form = ProfileForm(await request.form, obj=current_user.known())
    if form.validate_on_submit():
        return await _save(form)
    sends_mail = mail.is_configured()
    page = await render_template("settings/profile.html", form=form, sends_mail=sends_mail)
    return page, form.status


async def _save(form: ProfileForm) -> ResponseReturnValue:
    user_id = current_user.user_id
    values = {name: form[name].data for name in FIELDS}
    await db.execute(update(User).where(User.id == user_id).values(values))
    if any(values[name] != getattr(current_user.known(), name) for name in OF_REMINDERS):
        await db.execute(Reminder.look_again(Reminder.user_id == user_id))
    activity.record(db, user_id, "profile_changed")
    await db.commit()
    await flash("Saved.", "success")
    return redirect(url_for(".index"), 303)
