"""Import a calendar file: upload it, look at what it would do, and do that."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from quart import Blueprint, Quart, abort, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import delete, select
from werkzeug.datastructures import MultiDict
from wtforms import FileField, SelectField, ValidationError

from .. import mail
from ..accounts.sessions import current_user, login_required
from ..accounts.tokens import hash_token, new_token
from ..appointments import calendar_changes
from ..appointments.acts import ChangedError, TakenError
from ..appointments.calendars import MAX_NAME
from ..appointments.forms import NOT_YOURS
from ..appointments.messages import called, flash_undo
from ..appointments.reading import own_calendars
from ..database import begin, db, reading
from ..errors import RefusedError
from ..forms import CheckboxField, Form
from ..jobs import add_job
from ..models import Upload
from ..plurals import counted
from ..security.guard import take_file
from ..times import now
from .export_view import slots
from .import_ics import MOST_BYTES, Plan, Reading, planned, read_file, take_in
from .import_preview import preview_of

KEPT = timedelta(hours=1)
NEW = 0  # instead of a calendar's number
CHANGED = "This calendar has changed in the meantime. Please check the import again."

blueprint = Blueprint("import", __name__, url_prefix="/import")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)
    take_file("/import/", MOST_BYTES)
    add_job(app, forget, timedelta(minutes=10))


async def forget() -> None:
    """Delete files that nobody has imported within the hour."""
    async with begin() as work:
        await work.execute(delete(Upload).where(Upload.expires_at <= now()))


class UploadForm(Form):
    file = FileField("File")
    calendar = SelectField(  # type: ignore[call-arg]  # newer than its types
        "Into", coerce=int, choices=[], invalid_choice_message=NOT_YOURS
    )

    def __init__(self, formdata: Any = None, *, calendars: Any, **given: Any) -> None:
        super().__init__(formdata, **given)
        names = [(one.id, one.name) for one in calendars if not one.is_followed]
        self.calendar.choices = [*names, (NEW, "A new calendar")]

    def validate_file(self, field: Any) -> None:
        if not getattr(field.data, "filename", ""):
            raise ValidationError("Choose a file.")


class ImportForm(Form):
    reminders = CheckboxField("Send me this file's reminders by email")


@blueprint.route("/", methods=["GET", "POST"])
@login_required
async def index() -> ResponseReturnValue:
    """Choose a file, and the calendar it is to go into."""
    calendars = await own_calendars()
    if request.method == "GET":
        form = UploadForm(calendars=calendars, data={"calendar": calendars[0].id})
        return await _show(form)
    sent = MultiDict(await request.form)
    sent.setdefault("calendar", str(calendars[0].id))
    sent.update(await request.files)
    form = UploadForm(sent, calendars=calendars)
    if not form.validate():
        return await _show(form)
    data = await asyncio.to_thread(form.file.data.read)
    try:
        heard = await _heard(data)
    except RefusedError as refused:
        form.refuse("file", str(refused))
        return await _show(form)
    name = heard.name or str(form.file.data.filename).rpartition(".")[0]
    token = await _keep(data, form.calendar.data, name)
    return redirect(url_for(".preview", token=token), 303)


@blueprint.route("/<token>/", methods=["GET", "POST"])
@login_required
async def preview(token: str) -> ResponseReturnValue:
    """What the import would do; and with POST, do it."""
    upload = await _upload(token) or abort(404)
    try:
        heard = await _heard(upload.data)
    except RefusedError as refused:  # the machine is busier than it was a moment ago
        await flash(str(refused), "error")
        return redirect(url_for(".index"), 303)
    plan = await planned(current_user.user_id, upload.calendar_id, heard)
    form, problem = ImportForm(await request.form), ""
    if request.method == "POST" and form.validate():
        try:
            return await _import(upload, plan, heard.color, reminding=form.reminders.data)
        except (ChangedError, TakenError, RefusedError) as error:
            await db.rollback()
            problem = str(error) if isinstance(error, RefusedError) else CHANGED
    calendars = await own_calendars()
    page = await render_template(
        "import/preview.html",
        token=token,
        plan=plan,
        preview=preview_of(plan, heard, current_user.timezone, current_user.clock_hours),
        into=next((one.name for one in calendars if one.id == upload.calendar_id), None),
        name=_name(upload, calendars),
        form=form,
        sends_mail=mail.is_configured(),
        problem=problem,
    )
    return page, 422 if problem else form.status


async def _show(form: UploadForm) -> ResponseReturnValue:
    return await render_template("import/form.html", form=form), form.status


async def _heard(data: bytes) -> Reading:
    """Not many at once, since each takes a process."""
    async with slots("import"):
        return await read_file(data)


async def _keep(data: bytes, calendar_id: int, name: str) -> str:
    """One a person; what was uploaded before is forgotten."""
    token, user_id = new_token(), current_user.user_id
    await db.execute(delete(Upload).where(Upload.user_id == user_id))
    db.add(
        Upload(
            user_id=user_id,
            token_hash=hash_token(token),
            calendar_id=calendar_id,
            name=name,
            data=data,
            expires_at=now() + KEPT,
        )
    )
    await db.commit()
    return token


async def _upload(token: str) -> Upload | None:
    mine = (Upload.user_id == current_user.user_id, Upload.token_hash == hash_token(token))
    async with reading() as work:
        return await work.scalar(select(Upload).where(*mine, Upload.expires_at > now()))


def _name(upload: Upload, calendars: Sequence[Any]) -> str:
    """Of a new calendar: the one in the file, or the file's own, with a number if it is taken."""
    name = " ".join(upload.name.split())[: MAX_NAME - 5] or "Imported"
    return calendar_changes.free_name(calendars, name)


async def _import(
    upload: Upload, plan: Plan, color: str, *, reminding: bool
) -> ResponseReturnValue:
    user_id = current_user.user_id
    if upload.calendar_id == NEW and plan:
        calendars = await own_calendars()
        name = _name(upload, calendars)
        made = await calendar_changes.add_for_import(db, user_id, name, calendars, color)
        plan.calendar_id = made.id
    act_id = await take_in(db, user_id, plan, reminding=reminding) if plan else 0
    await db.execute(delete(Upload).where(Upload.user_id == user_id))
    await db.commit()
    many = counted(len(plan.new) + len(plan.changed), "appointment")
    calendar = next(one for one in await own_calendars() if one.id == (plan.calendar_id or one.id))
    await flash_undo(f"{many} imported into {called(calendar.name)}.", act_id)
    return redirect(url_for("appointments.index"), 303)
