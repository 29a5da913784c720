"""Subscriptions: secret addresses at which other programs read a calendar, again and again.

An address opens one calendar and nothing else, and nobody has to sign in there.  It is shown once;
the database has only its hash.
"""

import asyncio
from datetime import datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from typing import IO, Any

from quart import (
    Blueprint,
    Quart,
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from quart.typing import ResponseReturnValue
from sqlalchemy import bindparam, delete, select, update

from ..accounts import activity
from ..accounts.fresh_login import fresh_login_required
from ..accounts.sessions import current_user, login_required, public
from ..accounts.tokens import hash_token, new_token
from ..appointments.reading import own_calendar
from ..config import PublicUrl
from ..database import begin, db, fetch
from ..human_times import in_words
from ..ics import derive
from ..models import Appointment, Calendar, Feed, User
from ..times import now
from . import calendar_file
from .busy import Busy
from .export_view import CHUNK, ICS, in_turn, streamed

MOST_NAMES = 1000
KINDS = {"all": False, "busy": True}
WRITER = f"1 {derive.VERSION} {version('tzdata')}"
"""What else decides what is written; raise the first when the same calendar comes out otherwise."""
NOTED_EVERY = timedelta(hours=1)
REVALIDATED = "private, no-cache"  # may be kept, if its reader asks each time whether it is good
OPENED: Any = (
    select(Feed.id, Feed.is_busy_only, Feed.token_hash, Feed.last_used_at)
    .add_columns(Feed.calendar_id, Calendar.user_id, Calendar.name, Calendar.color, Calendar.rev)
    .join(Calendar, Calendar.id == Feed.calendar_id)
    .join(User, User.id == Calendar.user_id)
    .where(Feed.token_hash == bindparam("token"), Calendar.deleted_at.is_(None))
    .where(User.is_active, User.delete_at.is_(None))
)
OF_CALENDAR: Any = select(Feed.is_busy_only, Feed.created_at, Feed.last_used_at).where(
    Feed.calendar_id == bindparam("calendar")
)

blueprint = Blueprint("feeds", __name__)


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)


# For other programs


@blueprint.route("/feeds/<token>.ics")
@public
async def read(token: str) -> ResponseReturnValue:
    """The calendar as it is now; 304 for whoever has that already, by one query."""
    rows = await fetch(OPENED, token=hash_token(token))
    feed = rows[0] if rows else abort(404)
    moment = now()
    if feed.last_used_at is None or moment - feed.last_used_at >= NOTED_EVERY:
        current_app.add_background_task(_note_used, feed.id, moment)
    version, file = _version(feed, moment), None
    etag = _names().get(version, "") if feed.is_busy_only else version
    if not _has(etag):
        file = await _whole(feed)
        etag = await _name(version, file) if feed.is_busy_only else version
    if file is not None and not _has(etag):
        response = streamed(file, ICS)
    else:
        response = Response(status=304)
        if file is not None:
            file.close()
    response.set_etag(etag)
    response.headers["Cache-Control"] = REVALIDATED
    return response


def _has(etag: str) -> bool:
    """Whether whoever asks has these contents already."""
    return bool(etag) and request.if_none_match.contains_weak(etag)


def _version(feed: Any, moment: datetime) -> str:
    """The rules of zones are written up to a year that depends on this one."""
    parts = (WRITER, moment.year, feed.token_hash, feed.rev, feed.name, feed.color)
    return sha256(repr(parts).encode()).hexdigest()[:32]


async def _whole(feed: Any) -> IO[bytes]:
    mine = Appointment.readable_by(feed.user_id).where(Appointment.calendar_id == feed.calendar_id)
    how: dict[str, Any] = {"name": feed.name, "color": feed.color}
    if feed.is_busy_only:
        how = {"name": "Busy", "shape": Busy(feed.token_hash)}
    return await in_turn(calendar_file.make(mine, feed.calendar_id, again=True, **how), "feeds")


# What is busy only has a name for its contents: one for each version of the calendar would tell
# whenever anything in it changes.


def _names() -> dict[str, str]:
    """The name of the contents by the calendar's version, for those that were asked for last."""
    names: dict[str, str] = current_app.extensions.setdefault("busy_contents", {})
    return names


async def _name(version: str, file: IO[bytes]) -> str:
    names = _names()
    while len(names) >= MOST_NAMES:
        del names[next(iter(names))]
    names[version] = await asyncio.to_thread(_digest, file)
    return names[version]


def _digest(file: IO[bytes]) -> str:
    found = sha256()
    file.seek(0)
    while chunk := file.read(CHUNK):
        found.update(chunk)
    return found.hexdigest()[:32]


async def _note_used(feed_id: int, moment: datetime) -> None:
    """Beside the request, which nobody waits for."""
    async with begin() as work:
        await work.execute(update(Feed).where(Feed.id == feed_id).values(last_used_at=moment))


# For their owner


@blueprint.route("/calendars/<int:calendar_id>/feeds/")
@login_required
async def index(calendar_id: int) -> ResponseReturnValue:
    """Which addresses a calendar has, and when they were last used."""
    calendar = await own_calendar(calendar_id)
    found = {row.is_busy_only: row for row in await fetch(OF_CALENDAR, calendar=calendar_id)}
    feeds = {kind: _told(found.get(is_busy_only)) for kind, is_busy_only in KINDS.items()}
    return await render_template("calendars/feeds.html", calendar=calendar, feeds=feeds)


def _told(feed: Any) -> str:
    if feed is None:
        return ""
    user = current_user.known()
    used = f"last used {in_words(feed.last_used_at, user)}" if feed.last_used_at else "never used"
    return f"Created {in_words(feed.created_at, user)}, {used}"


@blueprint.route("/calendars/<int:calendar_id>/feeds/<kind>/", methods=["POST"])
@login_required
@fresh_login_required
async def create(calendar_id: int, kind: str) -> ResponseReturnValue:
    """Make an address, and show it this once; one that there is already ends."""
    calendar, is_busy_only = await own_calendar(calendar_id), _is_busy_only(kind)
    token = new_token()
    await db.execute(_of(calendar.id, is_busy_only))
    feed = Feed(calendar_id=calendar.id, is_busy_only=is_busy_only, token_hash=hash_token(token))
    db.add(feed)
    activity.record(db, current_user.user_id, "feed_created")
    await db.commit()
    public_url: PublicUrl = current_app.config["PUBLIC_URL"]
    path = url_for(".read", token=token)
    return await render_template(
        "calendars/feed_once.html",
        calendar=calendar,
        is_busy_only=is_busy_only,
        address=f"{public_url}{path}",
        subscribe=f"webcal://{public_url.netloc}{path}",
    )


@blueprint.route("/calendars/<int:calendar_id>/feeds/<kind>/", methods=["GET"])
@login_required
async def to_index(calendar_id: int, kind: str) -> ResponseReturnValue:
    """Where somebody lands who reloads the page that showed an address."""
    calendar = await own_calendar(calendar_id)
    _is_busy_only(kind)
    return redirect(url_for(".index", calendar_id=calendar.id), 303)


@blueprint.route("/calendars/<int:calendar_id>/feeds/<kind>/remove/", methods=["POST"])
@login_required
async def remove(calendar_id: int, kind: str) -> ResponseReturnValue:
    """End an address at once."""
    calendar = await own_calendar(calendar_id)
    await db.execute(_of(calendar.id, _is_busy_only(kind)))
    activity.record(db, current_user.user_id, "feed_removed")
    await db.commit()
    await flash("The address has been removed. It no longer works.", "success")
    return redirect(url_for(".index", calendar_id=calendar_id), 303)


def _is_busy_only(kind: str) -> bool:
    return KINDS[kind] if kind in KINDS else abort(404)


def _of(calendar_id: int, is_busy_only: bool) -> Any:
    return delete(Feed).where(Feed.calendar_id == calendar_id, Feed.is_busy_only == is_busy_only)
