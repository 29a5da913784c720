"""For scripts and tests: an async test client that is signed in.

    async with app.test_app():
        client = await signed_in(app, "ada@example.org")
        await client.post("/appointments/create/", form={...})

The login session is a row and the cookie a cookie, as if made by the login page.
"""

from secrets import token_urlsafe
from typing import Any, cast
from urllib.parse import urlencode

from quart import Quart, Response
from quart.testing import QuartClient
from quart.typing import TestClientProtocol
from quart_auth import generate_auth_token
from sqlalchemy import select

from .accounts.emails import lookup_email
from .accounts.sessions import new_session
from .accounts.tokens import form_secret
from .database import SAFE_METHODS, begin
from .models import User
from .security.csrf import HEADER, token_for

FORM = "application/x-www-form-urlencoded"


class Client(QuartClient):
    """Quart's test client that brings the CSRF token along on unsafe methods.

    A field of ``form`` may be a list, as boxes are sent of which several are ticked.
    """

    async def open(self, path: str, *, method: str = "GET", **given: Any) -> Response:
        if any(isinstance(value, list) for value in (given.get("form") or {}).values()):
            given["data"] = urlencode(given.pop("form"), doseq=True)
            given["headers"] = {**(given.get("headers") or {}), "Content-Type": FORM}
        if method not in SAFE_METHODS and HEADER not in (given.get("headers") or {}):
            given["headers"] = {**(given.get("headers") or {}), HEADER: await self.csrf_token()}
        return await super().open(path, method=method, **given)

    async def csrf_token(self) -> str:
        """A token as any page has it that this client would be shown."""
        app = self.app
        name = app.config["QUART_AUTH_COOKIE_NAME"]
        held = next((cookie.value for cookie in self.cookie_jar or () if cookie.name == name), "")
        if login := app.extensions["QUART_AUTH"][0].load_token(held or "", app):
            return token_for(form_secret(login))
        async with self.session_transaction() as session:
            return token_for(session.setdefault("csrf", token_urlsafe(32)))


async def signed_in(app: Quart, email: str, *, remember: bool = False) -> Client:
    """A client with a live login session of the user with this email.

    The app must be running (``app.test_app()``).  Raises LookupError for an unknown one.
    """
    async with app.app_context(), begin() as db:
        user = await db.scalar(select(User).where(User.email == lookup_email(email)))
        if user is None:
            raise LookupError(f"there is no user {email}")
        token, login = new_session(user, remember)
        db.add(login)
    client = Client(app)
    name = app.config["QUART_AUTH_COOKIE_NAME"]
    client.set_cookie(
        "localhost", name, generate_auth_token(cast(TestClientProtocol, client), token)
    )
    return client
