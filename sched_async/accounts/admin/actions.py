"""What administrators and the operator can do to an account.

Each takes the account and a writing session, which the caller commits, and returns a sentence
that says what was done.  Its docstring is the help of its command.  Whatever takes trust away
also ends the person's login sessions, and all is written down in their activity.
"""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ... import mail
from ...database import begin, reading
from ...errors import RefusedError
from ...models import User
from ...plurals import counted
from .. import activity
from ..new_passwords import check_new
from ..passwords import hash_password
from ..sessions import revoke_all
from ..two_factor import codes
from ..users import is_last_administrator, locked_with_administrators, user_by_email

MOST_USERS = 10_000
LAST_ADMINISTRATOR = (
    "{} is the last administrator. Make someone else one first, or pass --yes to confirm."
)


async def deactivate(db: AsyncSession, user: User) -> str:
    """Deactivate an account and end its sessions; nothing is deleted."""
    user.is_active = False
    user.delete_at = None  # its owner could no longer sign in to keep it
    await revoke_all(db, user.id)
    activity.record(db, user.id, "deactivated", by_owner=False)
    return f"{user.email} has been deactivated and signed out everywhere."


async def activate(db: AsyncSession, user: User) -> str:
    """Reactivate a deactivated account."""
    user.is_active = True
    activity.record(db, user.id, "activated", by_owner=False)
    return f"{user.email} is active again."


async def sign_out(db: AsyncSession, user: User) -> str:
    """End all sessions of an account."""
    ended = counted(await revoke_all(db, user.id, links=False), "session")
    activity.record(db, user.id, "signed_out", by_owner=False)
    return f"{user.email} has been signed out everywhere ({ended})."


async def require_second_factor(db: AsyncSession, user: User) -> str:
    """Require two-factor authentication for an account."""
    user.needs_second_factor = True
    activity.record(db, user.id, "second_factor_required", by_owner=False)
    return f"{user.email} must now use two-factor authentication."


async def release_second_factor(db: AsyncSession, user: User) -> str:
    """Make two-factor authentication optional for an account again."""
    user.needs_second_factor = False
    activity.record(db, user.id, "second_factor_optional", by_owner=False)
    return f"Two-factor authentication is now optional for {user.email}."


async def make_administrator(db: AsyncSession, user: User) -> str:
    """Make someone an administrator."""
    user.is_admin = True
    activity.record(db, user.id, "made_administrator", by_owner=False)
    return f"{user.email} is now an administrator."


async def end_administrator(db: AsyncSession, user: User) -> str:
    """Remove the administrator role."""
    user.is_admin = False
    activity.record(db, user.id, "not_administrator", by_owner=False)
    return f"{user.email} is no longer an administrator."


async def remove_second_factor(db: AsyncSession, user: User) -> str:
    """Turn off two-factor authentication for an account and end its sessions."""  # ASVS 6.4.4
    if not user.has_second_factor:
        raise RefusedError(f"{user.email} does not use two-factor authentication.")
    await codes.remove_factor(db, user.id)
    await revoke_all(db, user.id, links=False)
    activity.record(db, user.id, "factor_removed", by_owner=False)
    await mail.post(db, user.email, "factor_off", name=user.name)
    return f"Two-factor authentication is now off for {user.email}."


Action = Callable[[AsyncSession, User], Awaitable[str]]
ACTIONS: dict[str, Action] = {
    "deactivate": deactivate,
    "activate": activate,
    "sign-out": sign_out,
    "require-second-factor": require_second_factor,
    "release-second-factor": release_second_factor,
    "make-administrator": make_administrator,
    "end-administrator": end_administrator,
}
OF_THE_OPERATOR: dict[str, Action] = {"remove-second-factor": remove_second_factor}
NOT_TO_ONESELF = frozenset({"deactivate", "end-administrator"})


async def act_on(email: str, act: str, *, sure: bool = False) -> str:
    """Do an action outside a request, and say so; RefusedError where it cannot be done.

    The last administrator stays one, unless ``sure``.
    """
    async with begin() as db:
        user = await user_by_email(db, email)
        if act in NOT_TO_ONESELF and not sure:
            await _refuse_last_administrator(db, user)
        return await {**ACTIONS, **OF_THE_OPERATOR}[act](db, user)


async def _refuse_last_administrator(db: AsyncSession, user: User) -> None:
    await locked_with_administrators(db, user.id)
    if await is_last_administrator(db, user):
        raise RefusedError(LAST_ADMINISTRATOR.format(user.email))


async def all_users() -> Sequence[User]:
    async with reading() as session:
        return (await session.scalars(select(User).order_by(User.email).limit(MOST_USERS))).all()


async def set_password(email: str, password: str) -> None:
    """For the operator; in the browser nobody sets another person's password."""
    async with reading() as session:
        user = await user_by_email(session, email)
    check_new(password, user.name, user.email)
    hashed = await hash_password(password)
    async with begin() as session:
        user = await user_by_email(session, email)
        user.password_hash = hashed
        await session.flush()
        await revoke_all(session, user.id)
        activity.record(session, user.id, "password_set", by_owner=False)
