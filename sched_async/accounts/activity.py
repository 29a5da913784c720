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
    "login_failed": "Somebody gave a wrong password",
    "logout": "Signed out",
    "deactivated": "The account was deactivated",
    "activated": "The account was activated again",
    "signed_out": "Signed out everywhere, by whoever runs this server",
    "password_set": "The operator set a new password",
    "second_factor_required": "An administrator required a second factor",
    "second_factor_optional": "An administrator made the second factor optional",
    "made_administrator": "Became an administrator",
    "not_administrator": "Is no administrator any more",
    "reset_asked": "Somebody asked for a link to set a new password",
    "password_reset": "Set a new password by a link",
    "registered": "Made the account",
    "invited": "Invited somebody",
    "factor_on": "Set up a second factor",
    "factor_off": "Turned the second factor off",
    "factor_removed": "The operator removed the second factor",
    "recovery_renewed": "Made new recovery codes",
    "recovery_used": "Used a recovery code",
    "trust_ended": "Ended the trust in all devices",
    "second_step_failed": "Somebody gave the right password, but a wrong code",
    "confirm_code_failed": "Gave a wrong code to confirm",
    "confirm_failed": "Gave a wrong password to confirm",
    "device_signed_out": "Signed out another device",
    "others_signed_out": "Signed out all other devices",
    "profile_changed": "Changed the profile",
    "password_changed": "Changed the password",
    "email_asked": "Asked for another e-mail address",
    "email_changed": "Changed the e-mail address",
    "email_set": "The operator changed the e-mail address",
    "deletion_asked": "Asked to have the account deleted",
    "deletion_cancelled": "Signed in again, so the account is kept",
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
