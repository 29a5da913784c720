"""What was deleted or overwritten in the last thirty days, each with its undo."""

from collections.abc import Sequence
from typing import Any

from quart import Blueprint, abort, render_template, request
from quart.typing import ResponseReturnValue
from sqlalchemy import Row, bindparam, select, tuple_

from ..accounts.sessions import current_user, login_required
from ..database import fetch
from ..human_times import in_words
from ..models import Act, UtcSeconds
from ..models.calendars import IN_TRASH
from ..plurals import counted
from ..purging import KEPT
from ..times import now
from .messages import called

PAGE = 50
LAST = 2**53  # beyond any instant, and any number of an act
SENTENCES = {
    "edit": "{} was changed",
    "edit_one": "One date of {} was changed",
    "edit_following": "{} was changed from one date on",
    "delete_one": "One date of {} was deleted",
    "delete_following": "{} was deleted from one date on",
    "move": "{} was moved to another calendar",
    "delete": "{} was deleted",
    "delete_calendar": "The calendar {} was deleted",
    "import": "{} imported",
    "undo": "{}: a change was undone",
}
OVERWRITING: Any = (
    select(Act.id, Act.kind, Act.title, Act.count.label("many"), Act.made_at)
    .where(Act.user_id == bindparam("owner"), IN_TRASH)
    .where(Act.kind.in_(SENTENCES), Act.made_at > bindparam("since", type_=UtcSeconds))
    .where(Act.made_at <= bindparam("until", type_=UtcSeconds))
    .where(
        tuple_(Act.made_at, Act.id) < tuple_(bindparam("until", type_=UtcSeconds), bindparam("id"))
    )
    .order_by(Act.made_at.desc(), Act.id.desc())
    .limit(PAGE + 1)
)
PLACE: Any = select(Act.id, Act.made_at).where(
    Act.id == bindparam("id"), Act.user_id == bindparam("owner")
)

blueprint = Blueprint("trash", __name__)


@blueprint.route("/trash/")
@login_required
async def index() -> ResponseReturnValue:
    """Newest first; ``?after=`` is the act behind which a page begins."""
    user = current_user.known()
    rows = await _acts(request.args.get("after"))
    shown = [(row.id, sentence(row), in_words(row.made_at, user)) for row in rows[:PAGE]]
    after = rows[PAGE - 1].id if len(rows) > PAGE else None
    return await render_template("appointments/trash.html", rows=shown, after=after)


async def _acts(after: str | None) -> Sequence[Row[Any]]:
    moment, number = now(), LAST
    if after is not None:
        if not (after.isascii() and after.isdigit() and 0 < len(after) < 16):
            abort(400)
        mine = await fetch(PLACE, owner=current_user.user_id, id=int(after))
        if not mine:
            abort(404)
        moment, number = mine[0].made_at, mine[0].id
    since = now() - KEPT
    return await fetch(
        OVERWRITING, owner=current_user.user_id, since=since, until=moment, id=number
    )


def sentence(row: Row[Any]) -> str:
    is_of_many = row.kind == "import" or (not row.title and row.many != 1)
    what = counted(row.many, "appointment") if is_of_many else called(row.title)
    return SENTENCES[row.kind].format(what)
