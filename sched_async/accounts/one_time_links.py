"""Links that give leave to do one thing once.

The link carries 256 random bits, the row their SHA-256.  Opening it, which a mail scanner
does as well, only moves the token from the address into this browser's ``session``: it is
used up by ``take``, in the transaction that does what it gives leave for.
"""

import re
import secrets
from datetime import timedelta
from typing import Any

from quart import current_app, redirect, session, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import reading
from ..models import OneTimeToken
from ..times import now
from .sessions import hash_token

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


async def new_token(db: AsyncSession, purpose: str, lifetime: timedelta, **facts: Any) -> str:
    """The token of a new row, which the caller commits."""
    token = secrets.token_urlsafe(32)
    row = {"token_hash": hash_token(token), "purpose": purpose, "expires_at": now() + lifetime}
    db.add(OneTimeToken(**row, **facts))
    return token


def link(path: str) -> str:
    """An address for mails: its host is the one that is set, never the one of a request."""
    return f"{current_app.config['PUBLIC_URL']}{path}"


def carry(purpose: str, token: str, endpoint: str) -> ResponseReturnValue:
    """On to a page whose address does not hold the token, for logs and screens to keep."""
    session.pop(purpose, None)
    if TOKEN.fullmatch(token):
        session[purpose] = token
    return redirect(url_for(endpoint), 303)


async def find(purpose: str) -> OneTimeToken | None:
    """The row of the token that this browser carries, while it is good; not used up."""
    async with reading() as db:
        return await db.scalar(select(OneTimeToken).where(*carried(purpose)).limit(1))


async def take(db: AsyncSession, purpose: str) -> OneTimeToken | None:
    """Use it up: of several requests that carry the same one, one gets the row."""
    taken = delete(OneTimeToken).where(*carried(purpose)).returning(OneTimeToken)
    return await db.scalar(taken, execution_options={"synchronize_session": False})


def carried(purpose: str) -> Any:
    return (
        OneTimeToken.token_hash == hash_token(session.get(purpose, "")),
        OneTimeToken.purpose == purpose,
        OneTimeToken.expires_at > now(),
    )
