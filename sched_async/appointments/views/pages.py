"""The calendar: month, week, day and agenda, each at an address of its own."""

from typing import Any

from quart import Blueprint, abort, redirect, render_template, request
from quart.typing import ResponseReturnValue

from ...accounts.sessions import current_user, login_required
from ...times import now, to_wall
from ..words import words_of
from . import agenda, hours, month
from .entries import see
from .frame import VIEWS, Addresses, Frame
from .periods import NoDateError, parsed

LAYOUTS: dict[str, Any] = {
    "month": month.layout,
    "week": hours.layout,
    "day": hours.layout,
    "agenda": agenda.layout,
}
TEMPLATES = {"month": "month", "week": "hours", "day": "hours", "agenda": "agenda"}

blueprint = Blueprint("views", __name__, url_prefix="/calendar")


@blueprint.route("/")
@login_required
async def index() -> ResponseReturnValue:
    """The view that somebody begins with, or ``?view=``, at today or at ``?date=``."""
    user = current_user.known()
    view = request.args.get("view") or user.start_view or "month"
    day = to_wall(now(), user.timezone).date()
    if text := request.args.get("date"):
        try:
            day = parsed("day", text, user.week_start).first
        except NoDateError:
            abort(404)
    if view not in VIEWS:
        abort(404)
    return redirect(Addresses.here().of(view, day, user.week_start), 303)


@blueprint.route("/<any(month, week, day, agenda):view>/<key>/")
@login_required
async def show(view: str, key: str) -> ResponseReturnValue:
    user = current_user.known()
    try:
        shown = parsed(view, key, user.week_start)
    except NoDateError:
        abort(404)
    words = words_of(request.args.get("q", ""))
    seen = await see(user, shown.first, shown.last, words)
    frame = Frame(shown, user, seen.today, Addresses.here())
    more = LAYOUTS[view](seen, frame)
    page = f"calendar/{TEMPLATES[view]}.html"
    return await render_template(page, shown=shown, seen=seen, words=words, frame=frame, **more)
