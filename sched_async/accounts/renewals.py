"""Tokens of login sessions that have just given way to newer ones.

What was under way at that moment, by a double click or from another tab, still brings the old
one.  It is nobody's, but the answer must not take away the cookie, which is the new one by then.
"""

from datetime import timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import fetch
from ..models import OneTimeToken
from ..request_scope import storage
from ..times import now
from .tokens import hash_token

RENEWED = "renewed"
UNDER_WAY = timedelta(minutes=2)  # longer than any request, by clocks that differ by a minute

JUST_NOW = select(OneTimeToken.token_hash).where(
    OneTimeToken.token_hash == bindparam("token_hash"),
    OneTimeToken.purpose == RENEWED,
    OneTimeToken.expires_at > bindparam("moment"),
)


def note(db: AsyncSession, token_hash: str) -> None:
    """The session has another token from now on; the caller commits."""
    until = now() + UNDER_WAY
    db.add(OneTimeToken(token_hash=token_hash, purpose=RENEWED, expires_at=until))


async def look_up(token: str) -> bool:
    """Whether this token, which is of no session, was renewed just now."""
    was_renewed = bool(await fetch(JUST_NOW, token_hash=hash_token(token), moment=now()))
    storage()["was_renewed"] = was_renewed
    return was_renewed


def is_under_way() -> bool:
    """Whether this request was under way meanwhile."""
    return bool(storage().get("was_renewed"))
