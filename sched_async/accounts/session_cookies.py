"""The two cookies: whose login session this is, and Quart's ``session`` for what is not secret.

Quart-Auth gives the API and signs the first; ``sessions`` gives it its meaning.

How long the first counts is for its row to say, never for the time in its signature: by the
clock of another node that may lie ahead of now.
"""

import hashlib
from datetime import timedelta
from typing import Any, cast

from itsdangerous import BadSignature
from quart import (
    Quart,
    Response,
    current_app,
    has_request_context,
    has_websocket_context,
    request,
    websocket,
)
from quart.sessions import SecureCookieSession, SecureCookieSessionInterface
from quart_auth import Action, AuthUser, QuartAuth
from werkzeug.local import LocalProxy

from ..config import PublicUrl
from ..request_scope import of_scope, storage
from ..times import now
from .current_user import CurrentUser
from .tokens import form_secret

REMEMBERED = timedelta(days=30)
MESSAGES = "_flashes"  # where Quart keeps them
MOST_MESSAGES = 5
MAX_COOKIE = 3900  # bytes, of the 4096 that browsers keep with name and attributes


class Sessions(QuartAuth):
    """Quart-Auth, with the user bound to the request instead of to ``g``."""

    user_class: type[AuthUser] = CurrentUser

    def __init__(self, app: Quart) -> None:
        super().__init__(app)
        self.serializers: dict[tuple[Any, ...], Any] = {}
        """Made once for their keys: to make one takes as long as to read a cookie."""

    def load_user(self) -> AuthUser:
        if has_request_context() or has_websocket_context():
            return cast(AuthUser, storage().get("user") or CurrentUser(None))
        return CurrentUser(None)

    def load_cookie(self) -> str | None:
        """The token of the one cookie; of two, one was planted, and who can tell which?"""
        token: Any = super().load_cookie() if self.cookies() == 1 else None
        return token if isinstance(token, str) and token.isascii() else None

    def load_token(self, token: str, app: Quart | None = None) -> str | None:
        """As Quart-Auth reads it, whatever its age: that of a clock ahead would be below zero."""
        app = app or current_app
        keys = (*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.secret_key)
        if keys not in self.serializers:
            self.serializers[keys] = self.serializer_class(list(keys), self.salt or "")
        try:
            return cast(str, self.serializers[keys].loads(token))
        except BadSignature:
            return None

    def cookies(self) -> int:
        """How many cookies of our name have come, those that cannot be read included.

        HTTP/2 may carry each in a header of its own.
        """
        current = request if has_request_context() else websocket
        pairs = ";".join(current.headers.getlist("Cookie")).split(";")
        return [pair.partition("=")[0].strip() for pair in pairs].count(str(self.cookie_name))

    def form_secret(self, *, was_sent: bool = False) -> str | None:
        """What the next forms of this browser are tied to, or those that it has sent.

        None without a login session; one that is over still tells that a form was its own.
        """
        user = None if was_sent else storage().get("user")
        token = self.load_cookie() if user is None else user.auth_id
        return None if token is None else form_secret(token)

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

    def __init__(self) -> None:
        self.serializers: dict[Any, Any] = {}

    def get_signing_serializer(self, app: Quart) -> Any:
        """Quart's, made once for each key as well."""
        if app.secret_key not in self.serializers:
            self.serializers[app.secret_key] = super().get_signing_serializer(app)
        return self.serializers[app.secret_key]

    async def open_session(self, app: Quart, request: Any) -> SecureCookieSession:
        """As Quart does it, only that one from a clock ahead of ours is not too old, but new."""
        cookie = request.cookies.get(self.get_cookie_name(app), "")
        try:
            found, signed_at = self.get_signing_serializer(app).loads(cookie, return_timestamp=True)
        except BadSignature:
            return self.session_class()
        is_over = now() - signed_at > app.permanent_session_lifetime
        of_scope(request.scope)["messages"] = list(found.get(MESSAGES, ()))
        return self.session_class(None if is_over else found)

    async def save_session(self, app: Quart, session: Any, response: Any) -> None:
        if response is None or response.status_code < 500:
            if session.modified:
                _limit_messages(session, is_json=response is not None and response.is_json)
            self._shorten(app, session)
            await super().save_session(app, session, response)

    def _shorten(self, app: Quart, session: Any) -> None:
        """Browsers ignore a cookie that is too large: the oldest messages go first."""
        serializer = self.get_signing_serializer(app)
        while serializer and session.modified and session.get(MESSAGES):
            if len(serializer.dumps(dict(session))) <= MAX_COOKIE:
                return
            session[MESSAGES] = session[MESSAGES][1:]


def _limit_messages(session: Any, *, is_json: bool) -> None:
    """Keep of what the next page has to say the newest, each once; to a script it says nothing."""
    messages = [tuple(message) for message in session.get(MESSAGES, ())]
    if is_json:  # what a page has to say yet stays
        waiting = [tuple(message) for message in storage().get("messages", ())]
        messages = [message for message in messages if message in waiting]
    newest = list(dict.fromkeys(reversed(messages)))[:MOST_MESSAGES]
    session.pop(MESSAGES, None)
    if newest:
        session[MESSAGES] = newest[::-1]


def extension() -> Sessions:
    return cast(Sessions, current_app.extensions["QUART_AUTH"][0])


current_user = cast(CurrentUser, LocalProxy(lambda: extension().load_user()))
"""The user of the current request; its ``user_id`` raises Unauthorized for nobody."""


def init_app(app: Quart) -> None:
    public_url: PublicUrl = app.config["PUBLIC_URL"]
    app.config["SESSION_COOKIE_NAME"] = public_url.cookie_name("sched_session")
    app.config["SESSION_COOKIE_SECURE"] = public_url.is_https
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.config["QUART_AUTH_COOKIE_NAME"] = public_url.cookie_name("sched_login")
    app.config["QUART_AUTH_COOKIE_SECURE"] = public_url.is_https
    app.config["QUART_AUTH_DURATION"] = int(REMEMBERED.total_seconds())
    app.session_interface = CookieSession()
    Sessions(app)
