"""What an operator does to accounts, by e-mail address, outside any request.

Each function is one unit of work and raises RefusedError for an address that has no
account.  Whatever takes trust away also ends the person's login sessions.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import begin, reading
from ..errors import RefusedError
from ..models import LoginSession, User
from .passwords import check_new, hash_password

MOST_USERS = 10_000


async def all_users() -> Sequence[User]:
    async with reading() as session:
        return (await session.scalars(select(User).order_by(User.email).limit(MOST_USERS))).all()


async def set_active(email: str, active: bool) -> None:
    async with begin() as session:
        user = await _user(session, email)
        user.is_active = active
        if not active:
            await _end_sessions(session, user)


async def set_password(email: str, password: str) -> None:
    async with reading() as session:
        user = await _user(session, email)
    check_new(password, user.name, user.email)
    hashed = await hash_password(password)
    async with begin() as session:
        user = await _user(session, email)
        user.password_hash = hashed
        await session.flush()
        await _end_sessions(session, user)


async def sign_out(email: str) -> int:
    """End every login session of a person; returns how many there were."""
    async with begin() as session:
        return await _end_sessions(session, await _user(session, email))


async def _user(session: AsyncSession, email: str) -> User:
    user = await session.scalar(select(User).where(User.email == email.strip().lower()))
    if user is None:
        raise RefusedError(f"There is no account with the address {email}.")
    return user


async def _end_sessions(session: AsyncSession, user: User) -> int:
    ended: CursorResult[Any] = await session.execute(  # type: ignore[assignment]
        delete(LoginSession).where(LoginSession.user_id == user.id)
    )
    return ended.rowcount
