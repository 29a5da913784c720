"""Delete an appointment: pages ask nothing before, since it can be undone."""

from typing import Any

from quart import abort, jsonify, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from ..accounts.sessions import current_user, login_required
from ..database import SAFE_METHODS, db, reading
from ..models import Act, Change
from ..purging import KEPT
from ..times import now
from . import changes
from .acts import ChangedError
from .crud import blueprint
from .display import Item
from .messages import called, flash_undo
from .reading import find_appointment, own_appointment


@blueprint.route("/appointments/<int:appointment_id>/delete/", methods=["GET", "POST", "DELETE"])
@login_required
async def delete(appointment_id: int) -> ResponseReturnValue:
    """POST is for pages, also when it comes twice; DELETE answers JSON; GET is for old links."""
    if request.method in SAFE_METHODS:
        row = await own_appointment(appointment_id)
        item = Item(row, current_user.timezone, current_user.clock_hours)
        return await render_template("appointments/delete.html", item=item)
    act = await _delete(appointment_id)
    if request.method == "POST":
        act = act or await _deleted_before(appointment_id)
    if act is None:
        abort(404)
    if request.method == "DELETE":
        return jsonify(status="OK")
    await flash_undo(f"{called(act.title)} has been deleted.", act.id)
    return redirect(url_for(".index"), 303)


async def _delete(appointment_id: int) -> Any:
    while row := await find_appointment(appointment_id):
        try:
            async with changes.act(db, current_user.user_id, "delete", row.title) as act:
                act.delete(row)
            await db.commit()
        except ChangedError:
            await db.rollback()
        else:
            return act
    return None


async def _deleted_before(appointment_id: int) -> Any:
    """By which act, as when a button is pressed twice: the first answer is not seen."""
    mine = (Act.user_id == current_user.user_id, Act.made_at > now() - KEPT)
    query = select(Act.id, Act.title).join(Change, Change.act_id == Act.id).where(*mine)
    its = (Change.appointment_id == appointment_id, Act.kind == "delete", Act.undone_at.is_(None))
    async with reading() as seen:
        return (await seen.execute(query.where(*its).order_by(Act.id.desc()).limit(1))).first()
