"""Your devices: every browser that is signed in, and how to sign it out.

Anyone who is signed in can look; signing devices out needs a recent confirmation.  A session
that was ended is nobody's at its next request, and no other device replaces the second factor.
(OWASP ASVS 5.0, 7.4.3 and 7.5.2.)
"""

from dataclasses import dataclass

from quart import Blueprint, flash, redirect, render_template, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import delete, not_, select

from ...database import db
from ...human_times import in_words, seen
from ...models import LoginSession, User
from ...times import now
from .. import activity, known_browsers
from ..access import has_ended
from ..clients import describe
from ..fresh_login import fresh_login_required
from ..sessions import MOST, current_user, login_required, revoke_all
from ..users import locked

OVER = "That session has already ended."
ALONE = "You are not signed in anywhere else."

blueprint = Blueprint("devices", __name__, url_prefix="/account/devices")


@dataclass(frozen=True)
class SignedIn:
    """One login session as its owner reads it."""

    id: int
    browser: str
    address: str
    since: str
    seen: str
    is_this: bool

    @classmethod
    def of(cls, login: LoginSession, user: User, this_id: int) -> "SignedIn":
        return cls(
            id=login.id,
            browser=describe(login.user_agent),
            address=login.address,
            since=in_words(login.created_at, user),
            seen=seen(login.last_seen_at, user),
            is_this=login.id == this_id,
        )


@blueprint.route("/")
@login_required
async def index() -> ResponseReturnValue:
    """Where one is signed in, this browser first."""
    user, this_id = current_user.known(), _this_id()
    theirs = (LoginSession.user_id == user.id, not_(has_ended(now())))
    order = ((LoginSession.id != this_id), LoginSession.last_seen_at.desc(), LoginSession.id.desc())
    logins = await db.scalars(select(LoginSession).where(*theirs).order_by(*order).limit(MOST))
    rows = [SignedIn.of(login, user, this_id) for login in logins]
    return await render_template("settings/devices.html", rows=rows, zone=user.timezone)


@blueprint.route("/<int:session_id>/sign-out/", methods=["POST"])
@login_required
@fresh_login_required
async def sign_out(session_id: int) -> ResponseReturnValue:
    """End one session; for the one of this browser there is the usual way."""
    if session_id == _this_id():
        return redirect(url_for("login.logout"), 303)
    theirs = (LoginSession.user_id == current_user.user_id, LoginSession.id == session_id)
    await locked(db, current_user.user_id)
    agent = await db.scalar(delete(LoginSession).where(*theirs).returning(LoginSession.user_agent))
    if agent is None:
        await flash(OVER, "info")
        return redirect(url_for(".index"), 303)
    return await _done("device_signed_out", f"Signed out {describe(agent)}.")


@blueprint.route("/sign-out-others/", methods=["POST"])
@login_required
@fresh_login_required
async def sign_out_others() -> ResponseReturnValue:
    """End all sessions but this one."""
    await locked(db, current_user.user_id)
    user_id, here = current_user.user_id, current_user.login
    if await revoke_all(db, user_id, keep=here, links=False, browsers=False) == 0:
        await flash(ALONE, "info")
        return redirect(url_for(".index"), 303)
    return await _done("others_signed_out", "Signed out everywhere else.")


async def _done(event: str, sentence: str) -> ResponseReturnValue:
    await known_browsers.end_trust(db, current_user.user_id, keep_here=True)
    activity.record(db, current_user.user_id, event)
    await db.commit()
    await flash(sentence, "success")
    return redirect(url_for(".index"), 303)


def _this_id() -> int:
    login = current_user.login
    return 0 if login is None else login.id
