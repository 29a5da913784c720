"""No other site can make a signed-in browser act.

Two independent locks on every unsafe method.  The request must come from our own pages
(``Sec-Fetch-Site``, ``Origin``), and it must bring a token that only this browser can have
got: HMAC-SHA256 over a fresh nonce, keyed by a secret.  It comes in the field ``csrf_token``
or, from fetch, in the header X-CSRF-Token.  (OWASP ASVS 5.0, 3.5.1.)

The secret of whoever is signed in goes with the login session, so that all tabs share it, and
forms die with the session; nobody's is in Quart's ``session``.  A form that our own page has
sent with an old token is a ``StaleFormError``, so that what was typed can be kept.
"""

import hashlib
import hmac
import logging
import re
import secrets
from typing import Any

from quart import Quart, current_app, request, session
from werkzeug.exceptions import Forbidden
from wtforms import ValidationError
from wtforms.csrf.core import CSRF, CSRFTokenField

from ..config import PublicUrl
from ..database import SAFE_METHODS
from ..error_pages import Page

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
SHAPE = re.compile(r"[\w-]{16}\.[0-9a-f]{64}")
NO_COOKIES = "Your browser sent no cookie, and this form works only with cookies."
log = logging.getLogger("sched_async.security")


class StaleFormError(Forbidden):
    """Sent with a token that is not valid any more, or never was."""


class NoCookiesError(StaleFormError):
    """Sent with a token by a browser that has kept no cookie from the page it was on."""

    page = Page(
        "Your browser keeps no cookies",
        NO_COOKIES,
        "Allow cookies for this site, reload the page and send the form again.",
    )


def init_app(app: Quart) -> None:
    app.jinja_env.globals["csrf_token"] = token
    app.before_request(refuse_other_sites)


async def refuse_other_sites() -> None:
    if _can_change_something() and not _from_our_pages():
        log.warning("csrf refused: another site")
        raise Forbidden


async def require_token() -> None:
    """Comes after signing in, without which there may be nothing to compare a token with."""
    if _can_change_something() and not is_valid(await _given()):
        raise await refusal()


async def refusal() -> StaleFormError:
    log.warning("csrf refused: no valid token")
    is_new = SHAPE.fullmatch(await _given()) and not request.cookies
    return NoCookiesError() if is_new else StaleFormError()


def _can_change_something() -> bool:
    return request.method not in SAFE_METHODS and request.routing_exception is None


async def is_ours() -> bool:
    """Whether a page of ours has sent it for certain: its browser says so, or its token does.

    Older browsers do not say where a request comes from.  What changes nothing may be anybody's.
    """
    if not _can_change_something():
        return True
    says_so = (
        request.headers.get("Sec-Fetch-Site") == "same-origin"
        or request.headers.get("Origin") in _own_origins()
    )
    return says_so or is_valid(await _given())


async def _given() -> str:
    return request.headers.get(HEADER) or str((await request.form).get(FIELD, ""))


def _own_origins() -> tuple[str, ...]:
    public_url: PublicUrl = current_app.config["PUBLIC_URL"]
    if not public_url.is_loopback:
        return (str(public_url),)
    return str(public_url), f"{public_url.scheme}://{request.headers['Host']}"


def _from_our_pages() -> bool:
    """Whether nothing says that the request comes from elsewhere.

    Where a proxy has browsers send no referrer, their Origin says "null" on our own pages
    too; Sec-Fetch-Site, which no page can set, then says which it is.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in (None, "same-origin"):
        return False
    own = (None, *_own_origins())
    return origin in own or (origin == "null" and site == "same-origin")


def token() -> str:
    """A new token for this browser; any number of them are valid at once."""
    of_login = _auth().form_secret()
    return token_for(of_login or session.setdefault("csrf", secrets.token_urlsafe(32)))


def token_for(secret: str) -> str:
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_mac(secret, nonce)}"


def is_valid(given: str) -> bool:
    nonce, _, mac = given.partition(".")
    macs = [_mac(secret, nonce) for secret in _secrets()]
    return any(hmac.compare_digest(mac.encode("utf-8"), own.encode("utf-8")) for own in macs)


def _secrets() -> list[str]:
    """Those that a token may be made with: of whoever is signed in, the login session's alone."""
    is_signed_in = bool(_auth().load_user().is_authenticated)
    others = [] if is_signed_in else [session.get("csrf")]
    return [secret for secret in (_auth().form_secret(was_sent=True), *others) if secret]


def _auth() -> Any:
    return current_app.extensions["QUART_AUTH"][0]


def _mac(secret: str, nonce: str) -> str:
    return hmac.new(secret.encode(), nonce.encode("utf-8"), hashlib.sha256).hexdigest()


class SessionCSRF(CSRF):
    """WTForms' hook: forms render the token and check it like any other field."""

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        return token()

    def validate_csrf_token(self, form: Any, field: CSRFTokenField) -> None:
        if not is_valid(request.headers.get(HEADER) or field.data or ""):
            raise ValidationError("This form is no longer valid. Reload the page.")
