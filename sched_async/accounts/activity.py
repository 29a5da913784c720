"""What happened to an account, written down for its owner, and in the log for the operator.

An event is recorded in the transaction that makes it true, so it is written once, and
only if it happened.  Entries are kept for 90 days.
"""

import logging
from datetime import timedelta
from logging import INFO, WARNING

from quart import has_request_context
from sqlalchemy import insert, literal, select
from sqlalchemy.event import listens_for
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ..database import begin
from ..models import Activity, User
from ..request_scope import storage
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
    "feed_created": "Secret address of a calendar created",
    "feed_removed": "Secret address of a calendar removed",
    "profile_changed": "Profile changed",
    "password_changed": "Password changed",
    "email_asked": "Email address change requested",
    "email_changed": "Email address changed",
    "email_set": "Email address changed",
    "deletion_asked": "Account deletion requested",
    "deletion_cancelled": "Account deletion cancelled",
}

FAILURES = frozenset({"second_step_failed", "confirm_failed", "confirm_code_failed"})
LINES = "log_lines"

log = logging.getLogger("sched_async.security")


def record(
    db: AsyncSession,
    user_id: int,
    event: str,
    *,
    by_owner: bool = True,
    where: dict[str, str] | None = None,
) -> None:
    """Write an event of ``EVENTS`` down, with where it came from; the caller commits.

    If someone else does it, their browser and address are not recorded.  Beside
    a request, ``where`` is its ``origin()``.
    """
    if event not in EVENTS:
        raise ValueError(event)
    db.add(Activity(user_id=user_id, event=event, **(where or origin() if by_owner else {})))
    line = f"{event} user={user_id}" if by_owner else f"{event} user={user_id} by={_actor()}"
    db.info.setdefault(LINES, []).append((WARNING if event in FAILURES else INFO, line))


def _actor() -> str:
    return str(storage()["user_id"]) if has_request_context() else "operator"


@listens_for(Session, "after_commit")
def _log(session: Session) -> None:
    for level, line in session.info.pop(LINES, ()):
        log.log(level, line)


@listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(LINES, None)


async def record_failure(email: str, where: dict[str, str]) -> None:
    """Beside the request, so that a known address does not make the response slower.

    ``where`` is the ``origin()`` of the request.
    """
    fields = {"event": "login_failed", "happened_at": now(), **where}
    columns = Activity.__table__.c
    values = (literal(value, columns[name].type) for name, value in fields.items())
    known = select(User.id, *values).where(User.email == lookup_email(email))
    async with begin() as work:
        await work.execute(insert(Activity).from_select(["user_id", *fields], known))
