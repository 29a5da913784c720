"""Sign in, sign out, and know who is asking.

Quart-Auth gives the API and the signed cookie; a ``LoginSession`` row gives the cookie
its meaning.  The cookie carries a random token, the row its SHA-256; without the row, or
when it has expired, or its user is not active, the request is anonymous.  So signing
out, deactivating or deleting the row takes effect at the next request, for a copied
cookie too.

Every view is private unless it says ``@public``.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar, cast

from quart import (
    Quart,
    Response,
    current_app,
    flash,
    has_request_context,
    has_websocket_context,
    redirect,
    request,
    session,
    url_for,
    websocket,
)
from quart.sessions import SecureCookieSessionInterface
from quart.typing import ResponseReturnValue
from quart_auth import Action, AuthUser, QuartAuth, Unauthorized, login_required
from sqlalchemy import ColumnElement, and_, bindparam, delete, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached
from werkzeug.local import LocalProxy

from ..config import PublicUrl
from ..database import begin, db, fetch
from ..errors import http_error, wants_json
from ..models import LoginSession, OneTimeToken, User
from ..request_scope import storage
from ..times import now
from . import known_browsers
from .clients import origin
from .current_user import CurrentUser
from .tokens import hash_token, new_token

__all__ = ["current_user", "login_required", "login_user", "logout_user", "public"]

LOGIN_MESSAGE = "Please log in to see your appointments."
REMEMBERED = timedelta(days=30)
ABSOLUTE = timedelta(hours=24)
IDLE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
MOST = 20  # sessions a person may have: more browsers than anyone uses, few enough to review
MAX_COOKIE = 3900  # bytes, of the 4096 that browsers keep with name and attributes
PUBLIC_ENDPOINTS = frozenset({"static"})

Row = TypeVar("Row", LoginSession, User)
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


class Sessions(QuartAuth):
    """Quart-Auth, with the user bound to the request instead of to ``g``."""

    user_class: type[AuthUser] = CurrentUser

    def load_user(self) -> AuthUser:
        if has_request_context() or has_websocket_context():
            return cast(AuthUser, storage().get("user") or CurrentUser(None))
        return CurrentUser(None)

    def load_cookie(self) -> str | None:
        """The token of the one cookie; of two, one was planted, and who can tell which?"""
        token: Any = super().load_cookie() if self.cookies() == 1 else None
        return token if isinstance(token, str) and token.isascii() else None

    def cookies(self) -> int:
        """How many cookies of our name have come, those that cannot be read included.

        HTTP/2 may carry each in a header of its own.
        """
        current = request if has_request_context() else websocket
        pairs = ";".join(current.headers.getlist("Cookie")).split(";")
        return [pair.partition("=")[0].strip() for pair in pairs].count(str(self.cookie_name))

    def login_user(self, user: AuthUser) -> None:
        storage()["user"] = user

    def logout_user(self) -> None:
        self.login_user(CurrentUser(None))
        self.load_user().action = Action.DELETE

    async def after_request(self, response: Response) -> Response:
        if response.status_code >= 500:
            return response  # what failed signs nobody in
        return await super().after_request(response)


class CookieSession(SecureCookieSessionInterface):
    """Quart's ``session``, signed with SHA-256, and left as it was by a failure."""

    digest_method = staticmethod(hashlib.sha256)

    async def save_session(self, app: Quart, session: Any, response: Any) -> None:
        if response is None or response.status_code < 500:
            self._shorten(app, session)
            await super().save_session(app, session, response)

    def _shorten(self, app: Quart, session: Any) -> None:
        """Browsers ignore a cookie that is too large: the oldest messages go first."""
        serializer = self.get_signing_serializer(app)
        while serializer and session.modified and session.get("_flashes"):
            if len(serializer.dumps(dict(session))) <= MAX_COOKIE:
                return
            session["_flashes"] = session["_flashes"][1:]


current_user = cast(CurrentUser, LocalProxy(lambda: _extension().load_user()))
"""The user of the current request; its ``user_id`` raises Unauthorized for nobody."""


def public(view: View) -> View:
    """Mark a view that is public."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def is_public(app: Quart, endpoint: str) -> bool:
    view = app.view_functions[endpoint]
    return endpoint in PUBLIC_ENDPOINTS or getattr(view, "is_public", False)


def init_app(app: Quart) -> None:
    public_url: PublicUrl = app.config["PUBLIC_URL"]
    app.config.setdefault("LOGIN_VIEW", "login.login")
    app.config.setdefault("LOGIN_MESSAGE", LOGIN_MESSAGE)
    app.config["SESSION_COOKIE_NAME"] = public_url.cookie_name("sched_session")
    app.config["SESSION_COOKIE_SECURE"] = public_url.is_https
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.config["QUART_AUTH_COOKIE_NAME"] = public_url.cookie_name("sched_login")
    app.config["QUART_AUTH_COOKIE_SECURE"] = public_url.is_https
    app.config["QUART_AUTH_DURATION"] = int(REMEMBERED.total_seconds())
    app.session_interface = CookieSession()
    Sessions(app)
    app.before_request(require_login)
    app.before_websocket(require_login_on_websocket)
    app.register_error_handler(Unauthorized, send_to_login)


def _extension() -> Sessions:
    return cast(Sessions, current_app.extensions["QUART_AUTH"][0])


# Who is asking


async def require_login() -> None:
    """Default deny: before each request that is not public, load the user."""
    rule = request.url_rule
    if rule is not None and is_public(current_app, rule.endpoint):
        return
    await load_user()  # the 404 of an unknown address has a header with a name, too
    if rule is not None and not current_user.is_authenticated:
        raise Unauthorized


async def require_login_on_websocket() -> None:
    rule = websocket.url_rule
    if rule is not None and not is_public(current_app, rule.endpoint):
        await load_user()
        if not current_user.is_authenticated:
            raise Unauthorized


async def load_user() -> None:
    """Bind the request to the user of its cookie, in one query.

    A cookie that names no living session is taken away from the browser.
    """
    token = _extension().load_cookie()
    found = None if token is None else await _living_session(token)
    if found is None:
        if has_request_context() and _extension().cookies():
            _extension().logout_user()
        return
    login, user = found
    _extension().login_user(CurrentUser(token, user, login))
    storage()["user_id"] = user.id
    if now() - login.last_seen_at >= SEEN_EVERY:
        current_app.add_background_task(_note_seen, login.id)


async def _living_session(token: str) -> tuple[LoginSession, User] | None:
    moment = now()
    times = {"moment": moment, "unused_since": moment - IDLE}
    for row in await fetch(LIVING_SESSION, token_hash=hash_token(token), **times):
        return _loaded(LoginSession, row[:SESSION_COLUMNS]), _loaded(User, row[SESSION_COLUMNS:])
    return None


def _loaded(model: type[Row], values: Sequence[Any]) -> Row:
    """What a session would have loaded and let go of: nobody saves it by mistake."""
    instance = model()
    vars(instance).update(zip(model.__table__.columns.keys(), values, strict=True))
    make_transient_to_detached(instance)
    return instance


async def _note_seen(login_id: int) -> None:
    """Beside the request, which may be a GET: nobody waits for it, and it may be late."""
    moment = now()
    due = (LoginSession.id == login_id, LoginSession.last_seen_at <= moment - SEEN_EVERY)
    async with begin() as session:
        await session.execute(update(LoginSession).where(*due).values(last_seen_at=moment))


# Signing in and out


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
    _extension().login_user(signed_in)


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

    Its lifetime goes on as it was.  A session that has ended since the request came is not
    renewed, and its request changes nothing.  A view commits before it answers.
    (ASVS 7.2.4 and 7.4.1.)
    """
    user, login, token = current_user.user, current_user.login, new_token()
    if user is None or login is None:
        raise Unauthorized
    changed = {"token_hash": hash_token(token), "proven_at": now()}
    renewing = update(LoginSession).where(LoginSession.id == login.id).values(changed)
    if await db.scalar(renewing.returning(LoginSession.id)) is None:
        raise Unauthorized
    renewed = CurrentUser(token, user, login)
    renewed.action = Action.WRITE_PERMANENT if login.remember else Action.WRITE
    _extension().login_user(renewed)


async def _make_room(user_id: int) -> None:
    """Delete expired sessions, and the oldest beyond the maximum."""
    theirs = LoginSession.user_id == user_id
    await db.execute(delete(LoginSession).where(theirs, has_ended(now())))
    newest = select(LoginSession.id).where(theirs).order_by(LoginSession.id.desc()).limit(MOST)
    await db.execute(delete(LoginSession).where(theirs, LoginSession.id.not_in(newest)))


async def logout_user() -> None:
    """Delete this browser's login session; a view commits before it answers."""
    await _end_session()
    session.clear()
    _extension().logout_user()


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
    token = _extension().load_cookie()
    if token is not None:
        ended = LoginSession.token_hash == hash_token(token)
        await db.execute(delete(LoginSession).where(ended))


async def send_to_login(error: Unauthorized) -> ResponseReturnValue:
    """303 to the login page, which leads back; JSON for fetch and for scripts."""
    if wants_json():
        return await http_error(error)
    await flash_once(current_app.config["LOGIN_MESSAGE"])
    wanted = request.path + (f"?{request.query_string.decode()}" if request.query_string else "")
    return redirect(url_for(current_app.config["LOGIN_VIEW"], next=wanted), 303)


async def flash_once(message: str) -> None:
    """Say something on the next page, unless it is going to be said there already."""
    if ("info", message) not in map(tuple, session.get("_flashes", [])):
        await flash(message, "info")
