"""Know who is asking, before each request: every view is private unless it says ``@public``.

The cookie carries a random token, a ``LoginSession`` row its SHA-256.  Without the row, or when
it has expired, or its user is not active, the request is anonymous.  So signing out,
deactivating or deleting the row takes effect at the next request, for a copied cookie too.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from quart import (
    Quart,
    current_app,
    has_request_context,
    request,
    websocket,
)
from quart_auth import Unauthorized
from sqlalchemy import ColumnElement, and_, bindparam, not_, or_, select, update

from ..database import begin, detached, fetch
from ..error_pages import UNREACHABLE
from ..models import LoginSession, User
from ..request_scope import storage
from ..security import csrf
from ..times import now
from . import renewals
from .current_user import CurrentUser
from .session_cookies import current_user, extension
from .tokens import hash_token

LOGIN_MESSAGE = "Please log in to see your appointments."
IDLE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
PUBLIC_ENDPOINTS = frozenset({"static"})

View = TypeVar("View", bound=Callable[..., Any])


def has_ended(moment: Any, unused_since: Any = None) -> ColumnElement[bool]:
    """Whether a login session's time is over at a moment: its whole life, or that without use."""
    unused_since = moment - IDLE if unused_since is None else unused_since
    unused = and_(not_(LoginSession.remember), LoginSession.last_seen_at <= unused_since)
    return or_(LoginSession.expires_at <= moment, unused)


LIVING_SESSION = (
    select(*LoginSession.__table__.columns, *User.__table__.columns)
    .join_from(LoginSession.__table__, User.__table__)
    .where(
        LoginSession.token_hash == bindparam("token_hash"),
        not_(has_ended(bindparam("moment"), bindparam("unused_since"))),
        User.is_active,
    )
)
SESSION_COLUMNS = len(LoginSession.__table__.columns)


def init_app(app: Quart) -> None:
    app.config.setdefault("LOGIN_VIEW", "login.login")
    app.config.setdefault("LOGIN_MESSAGE", LOGIN_MESSAGE)
    app.extensions["look_who_asks"] = look_who_asks
    app.before_request(require_login)
    app.before_request(csrf.require_token)  # who has to sign in first is told that
    app.before_websocket(require_login_on_websocket)


def public(view: View) -> View:
    """Mark a view that is public."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def is_public(app: Quart, endpoint: str) -> bool:
    view = app.view_functions[endpoint]
    return endpoint in PUBLIC_ENDPOINTS or getattr(view, "is_public", False)


async def require_login() -> None:
    """Default deny: before each request that is not public, load the user."""
    rule = request.url_rule
    if rule is not None and is_public(current_app, rule.endpoint):
        return
    await load_user()  # the 404 of an unknown address has a header with a name, too
    if rule is not None and not current_user.is_authenticated:
        await request.form  # what cannot be read is refused first; the rest may be kept
        raise Unauthorized


async def require_login_on_websocket() -> None:
    rule = websocket.url_rule
    if rule is not None and not is_public(current_app, rule.endpoint):
        await load_user()
        if not current_user.is_authenticated:
            raise Unauthorized


async def look_who_asks(*, is_database_away: bool) -> bool:
    """Whether somebody is signed in, or may be: an error page has their navigation.

    The error may have come before the user did, and the page is there without a database too.
    """
    if "user" not in storage() and not is_database_away:
        with suppress(*UNREACHABLE):
            await load_user()
    return extension().form_secret() is not None


async def load_user() -> None:
    """Bind the request to the user of its cookie, in one query.

    A cookie that names no living session is taken away from the browser, unless another
    request has just renewed it.
    """
    token = extension().load_cookie()
    found = None if token is None else await _living_session(token)
    if token is None or found is None:
        await _bind_nobody(token)
        return
    login, user = found
    extension().login_user(CurrentUser(token, user, login))
    storage()["user_id"] = user.id
    if abs(now() - login.last_seen_at) >= SEEN_EVERY:  # or is it of a clock that was ahead?
        current_app.add_background_task(_note_seen, login.id)


async def _bind_nobody(token: str | None) -> None:
    if token is not None and await renewals.look_up(token):
        extension().login_user(CurrentUser(None))
    elif has_request_context() and extension().cookies():
        extension().logout_user()


async def _living_session(token: str) -> tuple[LoginSession, User] | None:
    moment = now()
    times = {"moment": moment, "unused_since": moment - IDLE}
    for row in await fetch(LIVING_SESSION, token_hash=hash_token(token), **times):
        return detached(LoginSession, row[:SESSION_COLUMNS]), detached(User, row[SESSION_COLUMNS:])
    return None


async def _note_seen(login_id: int) -> None:
    """Beside the request, which may be a GET: nobody waits for it, and it may be late."""
    moment = now()
    just_now = LoginSession.last_seen_at.between(moment - SEEN_EVERY, moment + SEEN_EVERY)
    due = (LoginSession.id == login_id, not_(just_now))
    async with begin() as session:
        await session.execute(update(LoginSession).where(*due).values(last_seen_at=moment))
