"""What happened to an account, written down for its owner to read.

An event is recorded in the transaction that makes it true, so it is written once, and
only if it happened.  Entries are kept for 90 days.
"""

from datetime import timedelta

from sqlalchemy import insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import begin
from ..models import Activity, User
from ..times import now
from .clients import origin
from .emails import lookup_email

KEPT = timedelta(days=90)
EVENTS = {
    "login": "Signed in",
    "login_failed": "Failed sign-in: wrong password",
    "logout": "Signed out",
    "deactivated": "Account deactivated",
    "activated": "Account reactivated",
    "signed_out": "Signed out everywhere",
    "password_set": "Password changed",
    "second_factor_required": "Two-factor authentication required",
    "second_factor_optional": "Two-factor authentication made optional",
    "made_administrator": "Administrator role given",
    "not_administrator": "Administrator role removed",
    "reset_asked": "Password reset link requested",
    "password_reset": "Password changed with a reset link",
    "registered": "Account created",
    "invited": "Invitation sent",
    "factor_on": "Two-factor authentication set up",
    "factor_off": "Two-factor authentication turned off",
    "factor_removed": "Two-factor authentication removed",
    "recovery_renewed": "Recovery codes replaced",
    "recovery_used": "Recovery code used",
    "trust_ended": "Trusted devices forgotten",
    "second_step_failed": "Failed sign-in: right password, wrong code",
    "confirm_code_failed": "Failed confirmation: wrong code",
    "confirm_failed": "Failed confirmation: wrong password",
    "device_signed_out": "Signed out another device",
    "others_signed_out": "Signed out all other devices",
    "profile_changed": "Profile changed",
    "password_changed": "Password changed",
    "email_asked": "Email address change requested",
    "email_changed": "Email address changed",
    "email_set": "Email address changed",
    "deletion_asked": "Account deletion requested",
    "deletion_cancelled": "Account deletion cancelled",
}


def record(db: AsyncSession, user_id: int, event: str, *, by_owner: bool = True) -> None:
    """Write an event of ``EVENTS`` down, with where it came from; the caller commits.

    Where somebody else does it, their browser and address are not the owner's to know.
    """
    if event not in EVENTS:
        raise ValueError(event)
    db.add(Activity(user_id=user_id, event=event, **(origin() if by_owner else {})))


async def record_failure(email: str, where: dict[str, str]) -> None:
    """Beside the request: whoever gave a wrong password waits no longer for a known address.

    ``where`` is the ``origin()`` of the request.
    """
    fields = {"event": "login_failed", "happened_at": now(), **where}
    columns = Activity.__table__.c
    values = (literal(value, columns[name].type) for name, value in fields.items())
    known = select(User.id, *values).where(User.email == lookup_email(email))
    async with begin() as work:
        await work.execute(insert(Activity).from_select(["user_id", *fields], known))
