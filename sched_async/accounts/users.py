"""Which accounts there are."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import RefusedError
from ..models import User
from .emails import lookup_email


async def has_accounts(db: AsyncSession) -> bool:
    return await db.scalar(select(func.min(User.id))) is not None


async def is_taken(db: AsyncSession, email: str) -> bool:
    return await db.scalar(select(User.id).where(User.email == email)) is not None


async def is_last_administrator(db: AsyncSession, user: User) -> bool:
    """Whether no active administrator would remain without this one."""
    staying = (User.id != user.id, User.is_active, User.delete_at.is_(None))
    others = select(User.id).where(User.is_admin, *staying).limit(1)
    return user.is_admin and user.is_active and await db.scalar(others) is None


async def user_by_email(db: AsyncSession, email: str) -> User:
    """Whose address it is; RefusedError when it is nobody's."""
    user = await db.scalar(select(User).where(User.email == lookup_email(email)))
    if user is None:
        raise RefusedError(f"There is no account with the address {email}.")
    return user
