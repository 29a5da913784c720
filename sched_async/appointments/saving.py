"""What making an appointment and changing one have in common: the page, and where it leads."""

from typing import Any

from quart import redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from .. import mail
from ..accounts.sessions import current_user
from ..errors import RefusedError
from ..human_dates import long_date
from ..human_times import reminder_time
from ..ics.ics_text import Facts
from ..ics.recurrence import CANNOT_READ
from ..ics.scopes import Edited
from ..local_paths import local_path
from ..plurals import counted
from . import repeating
from .acts import TakenError
from .forms import AppointmentForm
from .reading import own_calendars

NOT_CLEAR = (
    "Say which dates: “on” names one date of the series, and “scope” is one, following or all."
)
GONE = "This calendar has been deleted. Choose another one."
TAKEN = "That calendar has this appointment already."


async def sent_form(zone: str, calendar_id: int) -> MultiDict[str, str]:
    """The sent form, in ``zone`` and in that calendar where it names none."""
    sent = MultiDict(await request.form)
    for name, value in (("timezone", zone), ("calendar", str(calendar_id))):
        if not sent.get(name, "").strip():
            sent[name] = value
    return sent


async def show_form(form: AppointmentForm, *, status: int = 0, **shown: Any) -> ResponseReturnValue:
    summary = await repeating.summary(form)
    user = current_user.known()
    page = await render_template(
        "appointments/form.html",
        form=form,
        summary=summary,
        week_start=user.week_start,
        day_hour=f"At {reminder_time(user)}, which you can change in your profile.",
        sends_mail=mail.is_configured(),
        **shown,
    )
    return page, status or form.status


async def refuse(form: AppointmentForm, error: Exception) -> bool:
    """Say why it cannot be saved; False where it can be tried once more."""
    if isinstance(error, RefusedError):
        is_of_rule = str(error) == CANNOT_READ and form.repeat.data == "rule"
        form.refuse("rrule" if is_of_rule else error.field, str(error))
    elif isinstance(error, TakenError):
        form.refuse("calendar", TAKEN)
    elif form.calendar.data not in [one.id for one in await own_calendars()]:
        form.refuse("calendar", GONE)
    else:
        return False
    return True


def to_detail(appointment_id: int | None, on: str | None = None) -> ResponseReturnValue:
    """Or back to the view of the calendar where it was dragged, which ``?next=`` names."""
    view = request.args.get("next", "")
    if view.startswith(url_for("views.index")):
        return redirect(local_path(view), 303)
    page = url_for("appointments.detail", appointment_id=appointment_id, on=on or None)
    return redirect(page, 303)


def said(edited: Edited) -> str:
    """What a person would not expect of a series that has been saved."""
    parts = []
    if edited.begins:
        parts.append(f" It begins on {long_date(edited.begins)}, the first day of its rule.")
    if edited.gone:
        dates = counted(edited.gone, "date")
        parts.append(f" {dates} that had been changed separately no longer fit and were removed.")
    return "".join(parts)


def shown_zone(shown: Facts) -> str:
    """Whole days have none, so that the person's own is proposed."""
    return shown.timezone or (current_user.timezone if shown.allday else "")
