"""Links that can be used for one thing, once.

The link carries 256 random bits, the row their SHA-256.  Opening it, which a mail scanner
does as well, only moves the token from the address into this browser's ``session``: it is
used up by ``take``, in the transaction that does what the link is for.

The page that it leads to names its own token in the form, since the browser may have opened
another link meanwhile: what a form changes is what its page has shown.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from quart import current_app, redirect, render_template, request, session, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField

from ..database import reading
from ..models import OneTimeToken
from ..times import now
from .tokens import TOKEN, hash_token, new_token

# The purposes there are.
SETUP = "setup"
INVITE = "invite"
REGISTER = "register"
RESET = "reset"
CHANGE_EMAIL = "change-email"
SECOND_STEP = "second-step"

FIELD = "link"


async def new(db: AsyncSession, purpose: str, lifetime: timedelta, **facts: Any) -> str:
    """The token of a new row, which the caller commits."""
    token = new_token()
    row = {"token_hash": hash_token(token), "purpose": purpose, "expires_at": now() + lifetime}
    db.add(OneTimeToken(**row, **facts))
    return token


def link(path: str) -> str:
    """A URL for emails: its host comes from the settings, never from a request."""
    return f"{current_app.config['PUBLIC_URL']}{path}"


def carry(purpose: str, token: str, endpoint: str) -> ResponseReturnValue:
    """On to a page whose address does not hold the token, for logs and screens to keep."""
    session.pop(purpose, None)
    if TOKEN.fullmatch(token):
        session[purpose] = token
    return redirect(url_for(endpoint), 303)


def link_field(purpose: str) -> HiddenField:
    """For a form's ``link``: the token that its page was opened with."""
    return HiddenField(default=lambda: session.get(purpose, ""))


async def carried(purpose: str) -> str:
    """The token that the sent form names; of a page, or a form that names none, the browser's."""
    return str((await request.form).get(FIELD, session.get(purpose, "")))


async def drop(purpose: str) -> None:
    """Carry the token no further; another that this browser has got meanwhile stays."""
    if session.get(purpose) == await carried(purpose):
        session.pop(purpose, None)


async def find(purpose: str, token: str | None = None, **facts: Any) -> OneTimeToken | None:
    """The row of a token, or of the ``carried`` one, while it is ``good``; not used up.

    To somebody whom the ``facts`` do not fit, it does not exist.
    """
    token = await carried(purpose) if token is None else token
    async with reading() as db:
        found = select(OneTimeToken).where(*good(purpose, token)).filter_by(**facts)
        return await db.scalar(found.limit(1))


async def take(
    db: AsyncSession, purpose: str, token: str | None = None, **facts: Any
) -> OneTimeToken | None:
    """Use a token up: of several requests that have the same one, one gets the row."""
    token = await carried(purpose) if token is None else token
    row = delete(OneTimeToken).where(*good(purpose, token)).filter_by(**facts)
    taken = row.returning(OneTimeToken)
    return await db.scalar(taken, execution_options={"synchronize_session": False})


async def sent(purpose: str, *, again: str) -> str:
    """The page that says to look for a link; the same whether or not one was sent."""
    return await render_template("accounts/mail_sent.html", purpose=purpose, again=again)


async def over(purpose: str, *, again: str | None = None) -> ResponseReturnValue:
    """The page for a link that can no longer be used; ``again`` is where to get another."""
    page = await render_template("accounts/link_over.html", purpose=purpose, again=again)
    return page, 404


async def void(db: AsyncSession, purpose: str, **whose: Any) -> Sequence[str]:
    """End all links for one purpose, of that user or address; returns the tokens' hashes."""
    ended = delete(OneTimeToken).filter_by(purpose=purpose, **whose)
    return (await db.scalars(ended.returning(OneTimeToken.token_hash))).all()


def good(purpose: str, token: str) -> tuple[ColumnElement[bool], ...]:
    """What holds of a token's row while it is good."""
    return (
        OneTimeToken.token_hash == hash_token(token),
        OneTimeToken.purpose == purpose,
        OneTimeToken.expires_at > now(),
    )
