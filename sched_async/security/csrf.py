"""No other site can make a signed-in browser act.

Two independent locks on every unsafe method.  The request must come from our own pages
(``Sec-Fetch-Site``, ``Origin``), and it must bring a token that only this browser's
session can have made: HMAC-SHA256 over a fresh nonce, keyed by a secret in the session.
The token comes in the field ``csrf_token`` or, from fetch, in the header X-CSRF-Token.
The session is cleared at each login and logout, and old tokens die with it: a form that
our own page has sent with one is a ``StaleFormError``, so that what was typed can be kept.
(OWASP ASVS 5.0, 3.5.1.)
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import MutableMapping
from typing import Any

from quart import Quart, request, session
from werkzeug.exceptions import Forbidden
from wtforms import ValidationError
from wtforms.csrf.core import CSRF, CSRFTokenField

from ..config import PublicUrl
from ..database import SAFE_METHODS

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
log = logging.getLogger("sched_async.security")


class StaleFormError(Forbidden):
    """Certainly sent by a page of ours, but with a token that is not valid any more."""


def init_app(app: Quart) -> None:
    app.jinja_env.globals["csrf_token"] = token
    public_url: PublicUrl = app.config["PUBLIC_URL"]
    scheme, own, is_loopback = public_url.scheme, str(public_url), public_url.is_loopback

    @app.before_request
    async def refuse_forged_requests() -> None:
        if request.method in SAFE_METHODS or request.routing_exception is not None:
            return
        here = f"{scheme}://{request.headers['Host']}" if is_loopback else own
        if not _from_our_pages(own, here):
            refuse("another site")
        if not is_valid(request.headers.get(HEADER) or (await request.form).get(FIELD, "")):
            refuse("no valid token", StaleFormError if _says_our_page(own, here) else Forbidden)


def refuse(reason: str, error: type[Forbidden] = Forbidden) -> None:
    log.warning("csrf refused: %s", reason)
    raise error


def _from_our_pages(*own: str) -> bool:
    """Whether nothing says that the request comes from elsewhere.

    Where a proxy has browsers send no referrer, their Origin says "null" on our own pages
    too; Sec-Fetch-Site, which no page can set, then says which it is.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in (None, "same-origin"):
        return False
    return origin is None or origin in own or (origin == "null" and site == "same-origin")


def _says_our_page(*own: str) -> bool:
    """Whether the browser itself says that it was a page of ours, which older ones do not."""
    return request.headers.get("Sec-Fetch-Site") == "same-origin" or (
        request.headers.get("Origin") in own
    )


def token() -> str:
    """A new token for this browser's session; any number of them are valid at once."""
    return token_for(session)


def token_for(session: MutableMapping[str, Any]) -> str:
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(32)
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_mac(session['csrf'], nonce)}"


def is_valid(given: str) -> bool:
    nonce, _, mac = given.partition(".")
    expected = _mac(session.get("csrf", ""), nonce)
    matches = hmac.compare_digest(mac.encode("utf-8"), expected.encode("utf-8"))
    return matches and "csrf" in session


def _mac(secret: str, nonce: str) -> str:
    return hmac.new(secret.encode(), nonce.encode("utf-8"), hashlib.sha256).hexdigest()


class SessionCSRF(CSRF):
    """WTForms' hook: forms render the token and check it like any other field."""

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        return token()

    def validate_csrf_token(self, form: Any, field: CSRFTokenField) -> None:
        if not is_valid(request.headers.get(HEADER) or field.data or ""):
            raise ValidationError("This form is no longer valid. Reload the page.")
