"""Downloads: an appointment or a calendar as iCalendar, and all of one's data in a zip."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import IO, Any

from quart import Blueprint, Quart, Response, current_app
from quart.typing import ResponseReturnValue

from ..accounts.fresh_login import fresh_login_required
from ..accounts.sessions import current_user, login_required
from ..appointments.reading import own_appointment, own_calendar
from ..models import Appointment
from ..times import now, to_wall
from . import calendar_file, export, file_names

AT_ONCE = 2  # exports
WAIT = 10  # seconds for one's turn
SEND_SECONDS = 600
CHUNK = 64 * 1024
ICS = "text/calendar; charset=utf-8"

blueprint = Blueprint("export", __name__)
log = logging.getLogger("sched_async.security")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)

    @app.after_serving
    async def forget_slots() -> None:  # they belong to the loop that served
        app.extensions.pop("slots", None)


def slots(name: str) -> asyncio.Semaphore:
    """The places for one kind of work that takes long, so that no kind keeps another waiting."""
    kinds: dict[str, asyncio.Semaphore] = current_app.extensions.setdefault("slots", {})
    return kinds.setdefault(name, asyncio.Semaphore(AT_ONCE))


@blueprint.route("/account/data/export/")
@login_required
@fresh_login_required
async def download() -> ResponseReturnValue:
    """Everything in one zip; a few at a time, the next one waits a little."""
    user = current_user.known()
    made = await in_turn(export.make(user))
    log.info("data exported user=%s", user.id)
    name = f"sched-{to_wall(now(), user.timezone):%Y-%m-%d}.zip"
    return _as_download(made, name, "application/zip")


@blueprint.route("/appointments/<int:appointment_id>.ics")
@login_required
async def appointment(appointment_id: int) -> ResponseReturnValue:
    """One appointment, with all that repeats of it."""
    row = await own_appointment(appointment_id)
    mine = Appointment.readable_by(current_user.user_id).where(Appointment.id == row.id)
    name = file_names.safe(row.title, "appointment")
    made = await calendar_file.make(mine, row.calendar_id)
    return _as_download(made, f"{name}.ics", ICS)


@blueprint.route("/calendars/<int:calendar_id>.ics")
@login_required
async def calendar(calendar_id: int) -> ResponseReturnValue:
    """One calendar with all that is in it."""
    row = await own_calendar(calendar_id)
    mine = Appointment.readable_by(current_user.user_id).where(Appointment.calendar_id == row.id)
    made = await in_turn(calendar_file.make(mine, row.id, row.name, row.color))
    return _as_download(made, f"{file_names.safe(row.name, 'calendar')}.ics", ICS)


async def in_turn(making: Coroutine[Any, Any, IO[bytes]], of: str = "export") -> IO[bytes]:
    """A few at a time, since each takes a while; the next one waits a little."""
    try:
        await asyncio.wait_for(slots(of).acquire(), WAIT)
    except BaseException:
        making.close()
        raise
    try:
        return await making
    finally:
        slots(of).release()


def _as_download(file: IO[bytes], name: str, kind: str) -> Response:
    response = streamed(file, kind)
    response.headers["Content-Disposition"] = file_names.disposition(name)
    return response


def streamed(file: IO[bytes], kind: str) -> Response:
    """The file as an answer, which closes it."""
    response = Response(_chunks(file), content_type=kind)
    response.content_length = file.seek(0, 2)
    response.timeout = SEND_SECONDS
    return response


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
