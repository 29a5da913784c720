"""Sign in and out: a ``LoginSession`` row gives this browser's cookie its meaning.

With ``access``, Flask-Login's names on async Python.
"""

from datetime import timedelta

from quart import session
from quart_auth import Action, Unauthorized, login_required
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import db
from ..models import LoginSession, OneTimeToken, User
from ..times import now
from . import known_browsers, renewals
from .access import has_ended, load_user, public
from .clients import origin
from .current_user import CurrentUser
from .session_cookies import REMEMBERED, current_user, extension
from .tokens import hash_token, new_token, renewal

__all__ = ["current_user", "load_user", "login_required", "login_user", "logout_user", "public"]

ABSOLUTE = timedelta(hours=24)
MOST = 20  # sessions a person may have: more browsers than anyone uses, few enough to review


async def login_user(user: User, remember: bool = False) -> None:
    """Sign a user in with a new token; a view commits before it answers.

    The session that this browser had before ends, and so do the forms made in it.
    """
    await _end_session()
    session.clear()
    token, login = new_session(user, remember)
    db.add(login)
    await _make_room(user.id)
    signed_in = CurrentUser(token, user, login)
    signed_in.action = Action.WRITE_PERMANENT if remember else Action.WRITE
    extension().login_user(signed_in)


def new_session(user: User, remember: bool) -> tuple[str, LoginSession]:
    """The token for the cookie, and the row, not saved yet, that gives it its meaning."""
    token, moment = new_token(), now()
    login = LoginSession(
        user_id=user.id,
        token_hash=hash_token(token),
        remember=remember,
        created_at=moment,
        last_seen_at=moment,
        expires_at=moment + (REMEMBERED if remember else ABSOLUTE),
        proven_at=moment,
        **origin(),
    )
    return token, login


async def confirm_login() -> None:
    """Note that this is the owner, and give the session a new token; the old one ends.

    Its lifetime goes on as it was, and forms made in it stay good.  A session that has ended
    since the request came is not renewed, and its request changes nothing.  A view commits
    before it answers.  (ASVS 7.2.4 and 7.4.1.)
    """
    user, login, before = current_user.user, current_user.login, current_user.auth_id
    if user is None or login is None or before is None:
        raise Unauthorized
    token = renewal(before)
    this = LoginSession.id == login.id
    old = await db.scalar(select(LoginSession.token_hash).where(this).with_for_update())
    if old is None:
        raise Unauthorized
    renewals.note(db, old)
    changed = {"token_hash": hash_token(token), "proven_at": now()}
    await db.execute(update(LoginSession).where(this).values(changed))
    renewed = CurrentUser(token, user, login)
    renewed.action = Action.WRITE_PERMANENT if login.remember else Action.WRITE
    extension().login_user(renewed)


async def _make_room(user_id: int) -> None:
    """Delete expired sessions, and beyond the maximum those that were not used for longest."""
    theirs = LoginSession.user_id == user_id
    await db.execute(delete(LoginSession).where(theirs, has_ended(now())))
    by_use = LoginSession.last_seen_at.desc(), LoginSession.id.desc()
    kept = select(LoginSession.id).where(theirs).order_by(*by_use).limit(MOST)
    await db.execute(delete(LoginSession).where(theirs, LoginSession.id.not_in(kept)))


async def logout_user() -> None:
    """Delete this browser's login session; a view commits before it answers."""
    await _end_session()
    session.clear()
    extension().logout_user()


async def revoke_all(
    work: AsyncSession,
    user_id: int,
    *,
    keep: LoginSession | None = None,
    links: bool = True,
    browsers: bool = True,
) -> int:
    """End every session and every link of a person, and know none of their browsers any more.

    ``keep`` is the session of this browser, where its owner goes on; the browser stays known,
    but stands for no code.  ``links=False`` is for what leaves the owner's mailbox in their
    hands, and ``browsers=False`` for what must not make it harder for them to come back.
    Returns how many sessions ended; the caller commits.
    """
    theirs = (LoginSession.user_id == user_id, LoginSession.id != (keep.id if keep else 0))
    ended = await work.scalars(delete(LoginSession).where(*theirs).returning(LoginSession.id))
    if links:
        await work.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user_id))
    if browsers:
        await known_browsers.forget(work, user_id, keep_here=keep is not None)
    return len(ended.all())


async def _end_session() -> None:
    token = extension().load_cookie()
    if token is not None:
        ended = delete(LoginSession).where(LoginSession.token_hash == hash_token(token))
        if old := await db.scalar(ended.returning(LoginSession.token_hash)):
            renewals.note(db, old)
