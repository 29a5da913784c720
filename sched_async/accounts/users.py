"""Find accounts, and lock one while what hangs on it changes.

The account is locked before its sessions, links and codes, everywhere, so that nobody waits
in a circle; and several accounts in the order of their numbers.
"""

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import RefusedError
from ..models import User
from .emails import lookup_email
from .factors import is_unchanged

MOST_ADMINISTRATORS = 1000


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


# Locking


async def locked(db: AsyncSession, user_id: int) -> User | None:
    """The account as it is now; others who want it wait until the caller commits."""
    query = select(User).where(User.id == user_id).with_for_update()
    return await db.scalar(query, execution_options={"populate_existing": True})


async def locked_as_loaded(db: AsyncSession, loaded: User) -> User | None:
    """The same, while all that was checked of the loaded one still holds."""
    user = await locked(db, loaded.id)
    return user if user is not None and is_unchanged(user, loaded) else None


async def locked_with_administrators(db: AsyncSession, user_id: int) -> dict[int, User]:
    """An account and those of all administrators, so that the last two cannot both leave."""
    involved = select(User).where(or_(User.is_admin, User.id == user_id)).order_by(User.id)
    query = involved.limit(MOST_ADMINISTRATORS).with_for_update()
    users = await db.scalars(query, execution_options={"populate_existing": True})
    return {user.id: user for user in users}
