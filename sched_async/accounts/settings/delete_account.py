"""Your data, and having it deleted with the account.

An account that is to be deleted has seven days left, in which its owner need only sign in
to keep it.  Then it goes, and with it every row that is the person's.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from quart import (
    Blueprint,
    Quart,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from quart.typing import ResponseReturnValue
from quart_auth import Unauthorized
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from ... import mail
from ...database import SAFE_METHODS, begin, db, reading
from ...forms import Form
from ...human_times import in_words
from ...jobs import add_job
from ...models import OutgoingMail, User
from ...purging import empty_user
from ...times import now
from .. import activity
from ..factors import is_unchanged
from ..fresh_login import fresh_login_required
from ..sessions import current_user, login_required, logout_user, revoke_all
from ..users import is_last_administrator, locked_with_administrators

GRACE = timedelta(days=7)
LOOK_EVERY = timedelta(hours=1)
MOST = 100  # accounts in one query
SOLE_ADMINISTRATOR = (
    "You are the only administrator, and other people have accounts here. Make one of them "
    "an administrator first."
)

blueprint = Blueprint("delete_account", __name__, url_prefix="/account/data")
log = logging.getLogger("sched_async.security")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)
    add_job(app, delete_due, LOOK_EVERY)


@blueprint.route("/")
@login_required
@fresh_login_required
async def index() -> ResponseReturnValue:
    return await render_template("settings/data.html", days=GRACE.days)


@blueprint.route("/delete/", methods=["GET", "POST"])
@login_required
@fresh_login_required
async def delete_account() -> ResponseReturnValue:
    """Ask, and give seven days to think it over."""
    form = Form(await request.form)
    is_get = request.method in SAFE_METHODS
    if not is_get and form.validate():
        return await _ask_to_delete()
    refusal = SOLE_ADMINISTRATOR if await _is_sole_administrator(current_user.known()) else None
    return await _page(form, refusal), 200 if is_get else 422


async def _ask_to_delete() -> ResponseReturnValue:
    user = await _locked()
    if await _is_sole_administrator(user):
        await db.rollback()
        return await _page(Form(), SOLE_ADMINISTRATOR), 409
    user.delete_at = now() + GRACE
    until = in_words(user.delete_at, user)
    await revoke_all(db, user.id, browsers=False)  # signing in keeps the account
    activity.record(db, user.id, "deletion_asked")
    context = {"name": user.name, "until": until}
    await mail.post(db, user.email, "deletion_asked", **context)
    await logout_user()
    await db.commit()
    await flash(f"Your account will be deleted on {until}. Sign in before then to keep it.", "info")
    return redirect(url_for("login.login"), 303)


async def _locked() -> User:
    """The current user, unchanged since the request came, or Unauthorized."""
    known = current_user.known()
    user = (await locked_with_administrators(db, known.id)).get(known.id)
    if user is None or not is_unchanged(user, known):
        raise Unauthorized
    return user


async def _is_sole_administrator(user: User) -> bool:
    """Whether other people would be left without an administrator."""
    if not await is_last_administrator(db, user):
        return False
    others = select(User.id).where(User.id != user.id, User.delete_at.is_(None))
    return await db.scalar(others.limit(1)) is not None


async def _page(form: Form, refusal: str | None) -> str:
    page = {"form": form, "refusal": refusal, "days": GRACE.days}
    return await render_template("settings/delete.html", **page)


async def delete_due() -> None:
    """Delete the accounts whose time is over, each in one transaction.

    One that fails is tried again the next time, and does not keep the others, however many fail.
    """
    last = 0
    while user_ids := await _next_due(last):
        for user_id in user_ids:
            try:
                async with begin() as work:
                    await _delete_one(work, user_id)
            except Exception:
                log.exception("account not deleted user=%s", user_id)
        last = user_ids[-1]


async def _next_due(last: int) -> Sequence[int]:
    due = select(User.id).where(User.delete_at <= now(), User.id > last).order_by(User.id)
    async with reading() as work:
        return (await work.scalars(due.limit(MOST))).all()


async def _delete_one(work: AsyncSession, user_id: int) -> None:
    """If it is still due; the lock makes a sign-in that keeps it come first or never."""
    due = select(User).where(User.id == user_id, User.delete_at <= now())
    user = await work.scalar(due.with_for_update(skip_locked=True))
    if user is None:
        return
    await empty_user(work, user.id)  # each statement has little time
    await work.execute(delete(OutgoingMail).where(OutgoingMail.recipient == user.email))
    await work.execute(delete(User).where(User.id == user.id))
    log.info("account deleted user=%s", user.id)
