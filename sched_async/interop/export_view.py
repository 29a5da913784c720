"""Your data, to take with you: the download of ``export``'s zip."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import IO

from quart import Blueprint, Quart, Response, current_app
from quart.typing import ResponseReturnValue

from ..accounts.fresh_login import fresh_login_required
from ..accounts.sessions import current_user, login_required
from ..times import now, to_wall
from . import export

AT_ONCE = 2  # exports
WAIT = 10  # seconds for one's turn
SEND_SECONDS = 600
CHUNK = 64 * 1024

blueprint = Blueprint("export", __name__)
log = logging.getLogger("sched_async.security")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)

    @app.after_serving
    async def forget_slots() -> None:  # they belong to the loop that served
        app.extensions.pop("export_slots", None)


def slots() -> asyncio.Semaphore:
    """The places of those who wait for an export at the same time."""
    made: asyncio.Semaphore = current_app.extensions.setdefault(
        "export_slots", asyncio.Semaphore(AT_ONCE)
    )
    return made


@blueprint.route("/account/data/export/")
@login_required
@fresh_login_required
async def download() -> ResponseReturnValue:
    """Everything in one zip; a few at a time, the next one waits a little."""
    user = current_user.known()
    await asyncio.wait_for(slots().acquire(), WAIT)
    try:
        made = await export.make(user)
    finally:
        slots().release()
    log.info("data exported user=%s", user.id)
    return _as_download(made, f"sched-{to_wall(now(), user.timezone):%Y-%m-%d}.zip")


def _as_download(file: IO[bytes], name: str) -> Response:
    response = Response(_chunks(file), mimetype="application/zip")
    response.content_length = file.seek(0, 2)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.timeout = SEND_SECONDS
    return response


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
