"""Delete an appointment: pages ask nothing before, since it can be undone."""

from functools import partial
from typing import Any

from quart import abort, jsonify, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.exceptions import UnprocessableEntity

from ..accounts.sessions import current_user, login_required
from ..carried_form import CarriedForm
from ..database import SAFE_METHODS, db, reading
from ..error_pages import http_error
from ..errors import RefusedError
from ..ics.derive import Derived
from ..ics.scopes import MissingError, deleted, was_there
from ..models import Act, Change
from ..purging import KEPT
from ..times import now
from . import changes
from .acts import ChangedError
from .crud import blueprint
from .display import Item
from .expanding import derived, in_thread
from .messages import called, flash_undo
from .reading import find_appointment, own_appointment, text_of
from .saving import NOT_CLEAR
from .shown import shown_of
from .which import show_which

KINDS = {"one": "delete_one", "following": "delete_following", "all": "delete"}
SENTENCES = {
    "delete": "{} has been deleted.",
    "delete_one": "One date of {} has been deleted.",
    "delete_following": "This and all later dates of {} have been deleted.",
}


@blueprint.route("/appointments/<int:appointment_id>/delete/", methods=["GET", "POST", "DELETE"])
@login_required
async def delete(appointment_id: int) -> ResponseReturnValue:
    """POST is for pages, also when it comes twice; DELETE answers JSON; GET is for old links.

    Of a series with ``on`` the ``scope`` says which: DELETE takes it from its query.
    """
    on = request.args.get("on")
    if request.method in SAFE_METHODS:
        return await _confirm(appointment_id, on)
    try:
        scope = await _scope(on)
        if on is not None and not scope:
            return await _ask(appointment_id, on), 422
        act = await _delete(appointment_id, on, scope)
    except RefusedError as refused:
        await db.rollback()
        return await http_error(UnprocessableEntity(), str(refused))
    if request.method == "POST":
        act = act or await _deleted_before(appointment_id, on)
    if act is None:
        abort(404)
    if request.method == "DELETE":
        return jsonify(status="OK")
    await flash_undo(SENTENCES[act.kind].format(called(act.title)), act.id)
    return redirect(url_for(".index"), 303)


async def _scope(on: str | None) -> str:
    if request.method == "DELETE":
        scope = request.args.get("scope", "one" if on is not None else "all")
    else:
        scope = (await request.form).get("scope", "" if on is not None else "all")
    if scope not in ("", *KINDS) or (on is None and scope != "all"):
        raise RefusedError(NOT_CLEAR)
    return scope


async def _confirm(appointment_id: int, on: str | None) -> str:
    if on is not None:
        return await _ask(appointment_id, on)
    row = await own_appointment(appointment_id)
    item = Item(row, current_user.timezone, current_user.clock_hours)
    return await render_template("appointments/delete.html", item=item)


async def _ask(appointment_id: int, on: str) -> str:
    shown = await shown_of(await own_appointment(appointment_id), on) or abort(404)
    carried = CarriedForm(url_for(".delete", appointment_id=appointment_id, on=on), ())
    return await show_which(shown, carried, list(KINDS), "Delete")


async def _delete(appointment_id: int, on: str | None, scope: str) -> Any:
    """The act; None where there is nothing to delete."""
    while row := await find_appointment(appointment_id):
        try:
            left = None if on is None else await _left(row, on, scope)
            kind = KINDS[scope] if left else "delete"
            async with changes.act(db, current_user.user_id, kind, row.title) as act:
                if left:
                    act.replace(row, left)
                else:
                    act.delete(row)
            await db.commit()
        except ChangedError:
            await db.rollback()
        except MissingError:
            return None
        else:
            return act
    return None


async def _left(row: Any, on: str, scope: str) -> Derived | None:
    text = await text_of(row)
    left = await in_thread(partial(deleted, text, on, scope, now()))
    return await derived(left) if left else None


async def _deleted_before(appointment_id: int, on: str | None) -> Any:
    """By which act, as when a button is pressed twice: the first answer is not seen."""
    mine = (Act.user_id == current_user.user_id, Act.made_at > now() - KEPT)
    query = (
        select(Act.id, Act.title, Act.kind, Change.before)
        .join(Change, Change.act_id == Act.id)
        .where(*mine)
    )
    deleting = Act.kind.in_(SENTENCES)
    its = (Change.appointment_id == appointment_id, deleting, Act.undone_at.is_(None))
    async with reading() as seen:
        row = (await seen.execute(query.where(*its).order_by(Act.id.desc()).limit(1))).first()
    if row is None or on is None:
        return row
    return row if await in_thread(partial(was_there, row.before, on, now())) else None
