"""List, read, make, change and delete appointments."""

import secrets
from datetime import timedelta
from typing import Any

from quart import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import bindparam
from sqlalchemy.exc import IntegrityError
from werkzeug.datastructures import MultiDict

from .. import zones
from ..accounts.sessions import current_user, login_required, public
from ..database import SAFE_METHODS, db, detached, fetch
from ..models import Appointment
from ..texts import isolated
from ..times import existing, now, to_wall
from .agenda import Position, read_page
from .display import Item
from .forms import AppointmentForm

HOUR = timedelta(hours=1)
OWN = Appointment.owned_by(bindparam("owner")).where(Appointment.id == bindparam("id"))

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
        past=past,
        more_url=more_url,
        is_later_page=after is not None,
        zone=user.timezone,
    )


@blueprint.route("/appointments/create/", methods=["GET", "POST"])
@login_required
async def create() -> ResponseReturnValue:
    """Make one; the same form with the same contents shows what it made the first time."""
    if request.method == "POST":
        form = AppointmentForm(await _with_zone(current_user.timezone))
        if form.validate():
            return await _add(form)
    else:
        form = AppointmentForm(**_proposal())
    return await _show_form(form)


@blueprint.route("/appointments/<int:appointment_id>/")
@login_required
async def detail(appointment_id: int) -> ResponseReturnValue:
    item = Item(
        await own_appointment(appointment_id), current_user.timezone, current_user.clock_hours
    )
    return await render_template("appointments/detail.html", item=item)


@blueprint.route("/appointments/<int:appointment_id>/edit/", methods=["GET", "POST"])
@login_required
async def edit(appointment_id: int) -> ResponseReturnValue:
    """Show the form for one appointment, and save what it sends."""
    appointment = await own_appointment(appointment_id)
    if request.method == "POST":
        form = AppointmentForm(await _with_zone(appointment.timezone), obj=appointment)
        if form.validate():
            form.apply_to(appointment)
            await zones.note(db, appointment.timezone)
            await db.commit()
            await flash("Saved.", "success")
            return redirect(url_for(".detail", appointment_id=appointment_id), 303)
    else:
        form = AppointmentForm(obj=appointment)
    return await _show_form(form, appointment_id)


@blueprint.route("/appointments/<int:appointment_id>/delete/", methods=["GET", "POST", "DELETE"])
@login_required
async def delete(appointment_id: int) -> ResponseReturnValue:
    """Ask, and delete: DELETE answers JSON, POST is for pages without script."""
    appointment = await own_appointment(appointment_id)
    if request.method in SAFE_METHODS:
        item = Item(appointment, current_user.timezone, current_user.clock_hours)
        return await render_template("appointments/delete.html", item=item)
    await db.delete(appointment)
    await db.commit()
    if request.method == "DELETE":
        return jsonify(status="OK")
    await flash(f"“{isolated(appointment.title)}” has been deleted.", "success")
    return redirect(url_for(".index"), 303)


async def own_appointment(appointment_id: int) -> Appointment:
    whose = {"owner": current_user.user_id, "id": appointment_id}
    if request.method not in SAFE_METHODS:
        return await db.scalar(OWN, whose) or abort(404)
    rows = await fetch(OWN, **whose)
    return detached(Appointment, rows[0]) if rows else abort(404)


async def _add(form: AppointmentForm) -> ResponseReturnValue:
    user_id, submission = current_user.user_id, form.fingerprint()
    appointment = Appointment(user_id=user_id, submission=submission)
    form.apply_to(appointment)
    db.add(appointment)
    try:
        await zones.note(db, appointment.timezone)
        await db.commit()
    except IntegrityError:
        await db.rollback()
        same = Appointment.owned_by(user_id).where(Appointment.submission == submission)
        appointment = await db.scalar(same) or abort(409)
    else:
        await flash("Saved.", "success")
    return redirect(url_for(".detail", appointment_id=appointment.id), 303)


async def _show_form(
    form: AppointmentForm, appointment_id: int | None = None
) -> ResponseReturnValue:
    page = await render_template("appointments/form.html", form=form, appointment_id=appointment_id)
    return page, form.status


async def _with_zone(zone: str) -> MultiDict[str, str]:
    """The sent form, in ``zone`` where it names none."""
    sent = MultiDict(await request.form)
    if not sent.get("timezone", "").strip():
        sent["timezone"] = zone
    return sent


def _proposal() -> dict[str, Any]:
    """An hour from the next full hour on, in the user's zone."""
    zone = current_user.timezone
    hour = to_wall(now(), zone).replace(minute=0, second=0, microsecond=0)
    start = existing(hour + HOUR, zone)
    return {
        "start": start,
        "end": existing(start + HOUR, zone),
        "timezone": zone,
        "submission": secrets.token_urlsafe(16),
    }
