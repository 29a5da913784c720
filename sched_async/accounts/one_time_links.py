"""Links that can be used for one thing, once.

The link carries 256 random bits, the row their SHA-256.  Opening it, which a mail scanner
does as well, only moves the token from the address into this browser's ``session``: it is
used up by ``take``, in the transaction that does what the link is for.

The page that it leads to names its own token in the form, since the browser may have opened
another link meanwhile: what a form changes is what its page has shown.

Of a link that has been used, or has given way to something newer, a row without any facts is
left until it would have expired, so that whoever opens it again is told why it is over.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from quart import current_app, redirect, render_template, request, session, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import reading
from ..forms import SecretField
from ..models import OneTimeToken
from ..times import now
from .access import load_user
from .tokens import TOKEN, hash_token, new_token

# The purposes there are.
SETUP = "setup"
INVITE = "invite"
REGISTER = "register"
RESET = "reset"
CHANGE_EMAIL = "change-email"
SECOND_STEP = "second-step"
ENDED = "ended"  # of what is left of a link; it opens nothing

# Why a link is over.
USED = "used"
NEWER = "newer"  # another has been sent since
SIGNED_IN = "signed-in"
EXPIRED = "expired"
ELSEWHERE = "elsewhere"  # nothing was opened in this browser
UNKNOWN = "unknown"

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
    session[purpose] = token if TOKEN.fullmatch(token) else UNKNOWN
    return redirect(url_for(endpoint), 303)


def link_field(purpose: str) -> SecretField:
    """For a form's ``link``: the token that its page was opened with."""
    return SecretField(default=lambda: session.get(purpose, ""))


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
    query = row.returning(OneTimeToken)
    taken = await db.scalar(query, execution_options={"synchronize_session": False})
    if taken is not None:
        left = {"token_hash": taken.token_hash, "expires_at": taken.expires_at, **_ended(USED)}
        await db.execute(insert(OneTimeToken).values(left))
    return taken


async def sent(purpose: str, *, again: str) -> str:
    """The page that says to look for a link; the same whether or not one was sent."""
    return await render_template("accounts/mail_sent.html", purpose=purpose, again=again)


async def over(
    purpose: str, token: str | None = None, *, again: str | None = None
) -> ResponseReturnValue:
    """The page for a link that cannot be used, with the reason; ``again`` is where to get another.

    Only whoever has the token is told what became of it.
    """
    await load_user()
    why = await _why_over(purpose, await carried(purpose) if token is None else token)
    page = {"purpose": purpose, "why": why, "again": again}
    return await render_template("accounts/link_over.html", **page), 404


async def _why_over(purpose: str, token: str) -> str:
    if not token:
        return ELSEWHERE
    async with reading() as db:
        row = await db.get(OneTimeToken, hash_token(token))
    if row is not None and row.purpose == ENDED:
        return str(row.data["why"])
    is_expired = row is not None and row.purpose == purpose and row.expires_at <= now()
    return EXPIRED if is_expired else UNKNOWN


async def void(db: AsyncSession, purpose: str, **whose: Any) -> Sequence[str]:
    """End all links for one purpose, of that user or address; returns the tokens' hashes."""
    ended = delete(OneTimeToken).filter_by(purpose=purpose, **whose)
    return (await db.scalars(ended.returning(OneTimeToken.token_hash))).all()


async def supersede(db: AsyncSession, purpose: str, why: str, **whose: Any) -> None:
    """The same, of links whose owners may wonder why."""
    ended = update(OneTimeToken).filter_by(purpose=purpose, **whose)
    await db.execute(ended.values(**_ended(why)))


def _ended(why: str) -> dict[str, Any]:
    return {"purpose": ENDED, "user_id": None, "email": None, "data": {"why": why}}


def good(purpose: str, token: str) -> tuple[ColumnElement[bool], ...]:
    """What holds of a token's row while it is good."""
    return (
        OneTimeToken.token_hash == hash_token(token),
        OneTimeToken.purpose == purpose,
        OneTimeToken.expires_at > now(),
    )
