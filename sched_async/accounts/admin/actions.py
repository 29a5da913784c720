"""What is done to an account by somebody else: its operator or an administrator.

Each act takes the account and a writing session, which the caller commits.  Whatever
takes trust away also ends the person's login sessions, and everything is written down in
the person's activity.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ... import mail
from ...database import begin, reading
from ...errors import RefusedError
from ...models import User
from .. import activity
from ..emails import user_by_email
from ..passwords import check_new, hash_password
from ..sessions import revoke_all
from ..two_factor import codes

MOST_USERS = 10_000


@dataclass(frozen=True)
class Action:
    """Something done to an account, and the sentence that says it was done."""

    do: Callable[[AsyncSession, User], Awaitable[None]]
    done: str


async def deactivate(db: AsyncSession, user: User) -> None:
    """Whoever cannot sign in could not keep an account that is to be deleted: it stays."""
    user.is_active = False
    user.delete_at = None
    await revoke_all(db, user.id)
    activity.record(db, user.id, "deactivated", by_owner=False)


async def activate(db: AsyncSession, user: User) -> None:
    user.is_active = True
    activity.record(db, user.id, "activated", by_owner=False)


async def sign_out(db: AsyncSession, user: User) -> None:
    await revoke_all(db, user.id, links=False)
    activity.record(db, user.id, "signed_out", by_owner=False)


async def require_second_factor(db: AsyncSession, user: User) -> None:
    user.needs_second_factor = True
    activity.record(db, user.id, "second_factor_required", by_owner=False)


async def release_second_factor(db: AsyncSession, user: User) -> None:
    user.needs_second_factor = False
    activity.record(db, user.id, "second_factor_optional", by_owner=False)


async def make_administrator(db: AsyncSession, user: User) -> None:
    user.is_admin = True
    activity.record(db, user.id, "made_administrator", by_owner=False)


async def end_administrator(db: AsyncSession, user: User) -> None:
    user.is_admin = False
    activity.record(db, user.id, "not_administrator", by_owner=False)


ACTIONS = {
    "deactivate": Action(deactivate, "The account has been deactivated and signed out everywhere."),
    "activate": Action(activate, "The account is active again."),
    "sign-out": Action(sign_out, "The account has been signed out everywhere."),
    "require-second-factor": Action(
        require_second_factor, "The account now requires two-factor authentication."
    ),
    "release-second-factor": Action(
        release_second_factor, "Two-factor authentication is now optional for this account."
    ),
    "make-administrator": Action(make_administrator, "The account is now an administrator."),
    "end-administrator": Action(end_administrator, "The account is no longer an administrator."),
}
NOT_TO_ONESELF = frozenset({"deactivate", "end-administrator"})


async def act_on(email: str, act: str) -> None:
    """Do one of ``ACTIONS`` outside a request; RefusedError where there is no such account."""
    async with begin() as db:
        await ACTIONS[act].do(db, await user_by_email(db, email))


async def all_users() -> Sequence[User]:
    async with reading() as session:
        return (await session.scalars(select(User).order_by(User.email).limit(MOST_USERS))).all()


async def set_password(email: str, password: str) -> None:
    """The operator's way; in the browser nobody sets another person's password."""
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


async def remove_second_factor(email: str) -> None:
    """The operator's way when phone and recovery codes are lost (ASVS 6.4.4)."""
    async with begin() as session:
        user = await user_by_email(session, email)
        if user.totp_secret is None:
            raise RefusedError(f"{user.email} does not use two-factor authentication.")
        await codes.remove_factor(session, user.id)
        await revoke_all(session, user.id, links=False)
        activity.record(session, user.id, "factor_removed", by_owner=False)
        await mail.post(session, user.email, "factor_off", name=user.name)


async def count_and_sign_out(email: str) -> int:
    """End every login session of a person; returns how many there were."""
    async with begin() as session:
        user = await user_by_email(session, email)
        activity.record(session, user.id, "signed_out", by_owner=False)
        return await revoke_all(session, user.id, links=False)
