"""Browsers that someone has signed in with before, each known by its own cookie.

The cookie holds a random token and lasts over sign-outs; a row holds its SHA-256 and one
person who has signed in there.  So it tells nobody else's sign-ins apart, and a copy of
the database is of no use.

Its owner may trust one for a while: it then stands for the second factor, for that person.
"""

from datetime import timedelta
from typing import Any

from quart import Quart, after_this_request, current_app, request
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..config import PublicUrl
from ..database import reading
from ..models import KnownBrowser, User
from ..request_scope import storage
from ..times import now
from .tokens import TOKEN, hash_token, new_token

REMEMBERED = timedelta(days=365)
TRUSTED = timedelta(days=30)
MOST = 20  # of one person; the one that was used longest ago goes


def init_app(app: Quart) -> None:
    public_url: PublicUrl = app.config["PUBLIC_URL"]
    app.config["DEVICE_COOKIE_NAME"] = public_url.cookie_name("sched_device")


async def current(db: AsyncSession, user_id: int) -> KnownBrowser | None:
    """This browser, if this person has signed in here before."""
    token = _token()
    return None if token is None else await _find(db, user_id, token)


async def known_to(account: ColumnElement[bool]) -> str | None:
    """The name of this browser, if the person of that account has signed in here before."""
    token = _token()
    if token is None:
        return None
    here = (
        KnownBrowser.token_hash == hash_token(token),
        KnownBrowser.last_used_at > now() - REMEMBERED,
    )
    async with reading() as work:
        return await work.scalar(select(KnownBrowser.token_hash).join(User).where(account, *here))


async def remember(db: AsyncSession, user_id: int) -> KnownBrowser:
    """Remember this browser when someone signs in; the caller commits.

    For a new person it gets a new token: the old one could have been planted.
    """
    token = _token()
    if token is None or await _find(db, user_id, token) is None:
        return await renew(db, user_id)
    return await _remember(db, user_id, token)


async def renew(db: AsyncSession, user_id: int) -> KnownBrowser:
    """Know this browser by a new token, so that a planted or copied one is worth nothing."""
    old, token = _token() or "", new_token()
    here = KnownBrowser.token_hash == hash_token(old)
    await db.execute(update(KnownBrowser).where(here).values(token_hash=hash_token(token)))
    return await _remember(db, user_id, token)


async def forget(db: AsyncSession, user_id: int, *, keep_here: bool = False) -> None:
    """Forget all of a person's browsers, or all but this one, and trust none.

    Each has tries of its own, so that nobody may go on who signed in there.  The caller commits.
    """
    here = await current(db, user_id) if keep_here else None
    await db.execute(delete(KnownBrowser).where(*_others(user_id, here)))
    if here is not None:
        here.trusted_until = None


def _others(user_id: int, here: KnownBrowser | None) -> tuple[ColumnElement[bool], ...]:
    return KnownBrowser.user_id == user_id, KnownBrowser.id != (here.id if here else 0)


async def _remember(db: AsyncSession, user_id: int, token: str) -> KnownBrowser:
    device = await _find(db, user_id, token)
    if device is None:
        device = KnownBrowser(user_id=user_id, token_hash=hash_token(token))
        db.add(device)
    device.last_used_at = now()
    await db.flush()
    await _forget_oldest(db, user_id)
    _send(token)
    return device


async def _find(db: AsyncSession, user_id: int, token: str) -> KnownBrowser | None:
    known = (KnownBrowser.user_id == user_id, KnownBrowser.token_hash == hash_token(token))
    return await db.scalar(select(KnownBrowser).where(*known).limit(1))


async def _forget_oldest(db: AsyncSession, user_id: int) -> None:
    theirs = select(KnownBrowser.id).where(KnownBrowser.user_id == user_id)
    newest = theirs.order_by(KnownBrowser.last_used_at.desc(), KnownBrowser.id.desc()).limit(MOST)
    forgotten = KnownBrowser.user_id == user_id, KnownBrowser.id.not_in(newest)
    await db.execute(
        delete(KnownBrowser).where(*forgotten), execution_options={"synchronize_session": False}
    )


def _token() -> str | None:
    """What this browser will have after this answer."""
    name = current_app.config["DEVICE_COOKIE_NAME"]
    token = storage().get("device") or request.cookies.get(name, "")
    return token if TOKEN.fullmatch(token) else None


def _send(token: str) -> None:
    storage()["device"] = token
    after_this_request(_set_cookie)


async def _set_cookie(response: Any) -> Any:
    if response.status_code < 500:
        response.set_cookie(
            current_app.config["DEVICE_COOKIE_NAME"],
            storage()["device"],
            max_age=REMEMBERED,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return response


# Trust


async def is_trusted(db: AsyncSession, user_id: int) -> bool:
    """Whether this person needs no code in this browser."""
    device = await current(db, user_id)
    until = device.trusted_until if device is not None else None
    return until is not None and until > now()


async def trust(db: AsyncSession, user_id: int) -> None:
    """Let this browser stand for the second factor from now on; the caller commits."""
    device = await renew(db, user_id)
    device.trusted_until = now() + TRUSTED


async def end_trust(db: AsyncSession, user_id: int, *, keep_here: bool = False) -> None:
    """Ask for a code again on every device, or on every other; the caller commits."""
    here = await current(db, user_id) if keep_here else None
    others = _others(user_id, here)
    await db.execute(update(KnownBrowser).where(*others).values(trusted_until=None))


async def count_trusted(db: AsyncSession, user_id: int) -> int:
    return await db.scalar(select(func.count()).where(*_trusted(user_id))) or 0


def _trusted(user_id: int) -> Any:
    return KnownBrowser.user_id == user_id, KnownBrowser.trusted_until > now()
