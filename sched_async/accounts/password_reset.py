"""Forgotten password: a link to the owner's address lets them choose a new one.

Everyone who asks for a link gets the same page at once, whether or not there is an account:
the address is looked up after the answer.  A link works once, for an hour, and not any
more after a later sign-in, a newer link, a deactivation, or a change of the password or
the address.  Whoever asks again within five minutes is sent no newer one.  It signs nobody in,
so a second factor is still asked for.
(OWASP ASVS 5.0, 6.3.8, 6.4.3 and 7.6.2.)
"""

import logging
from datetime import timedelta
from typing import Any

from quart import (
    Blueprint,
    current_app,
    render_template,
    request,
    url_for,
)
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .. import mail
from ..database import begin, db, reading
from ..errors import RefusedError
from ..forms import Form
from ..models import OneTimeToken, User
from ..security import throttle
from ..times import now
from . import activity, one_time_links
from .clients import origin
from .emails import email_field
from .factors import password_state
from .login import lead_to_sign_in
from .new_passwords import NewPasswordForm, new_password_field, repeated_password_field
from .one_time_links import NEWER, RESET
from .passwords import hash_password
from .sessions import load_user, public, revoke_all
from .users import locked, user_by_email

LIFETIME = timedelta(hours=1)
QUIET = timedelta(minutes=5)  # after a link, for impatient people to find it before it ends
CHANGED = "Your password has been changed."
THEN = "Sign in with the new one."

blueprint = Blueprint("password_reset", __name__, url_prefix="/password")
log = logging.getLogger("sched_async.security")


# Asking for a link


class ForgotForm(Form):
    email = email_field("Email")


@blueprint.route("/forgot/", methods=["GET", "POST"])
@public
async def forgot() -> ResponseReturnValue:
    """Ask for a link; the response never reveals whether the address is known."""
    form = ForgotForm(await request.form)
    if mail.is_configured() and form.validate_on_submit():
        await throttle.admit(throttle.reset_request())
        current_app.add_background_task(_send_if_known, form.email.data or "", origin())
        return await one_time_links.sent(RESET, again=url_for(".forgot"))
    page = {"form": form, "can_mail": mail.is_configured()}
    return await render_template("accounts/forgot.html", **page), form.status


async def _send_if_known(email: str, where: dict[str, str]) -> None:
    """``where`` is the ``origin()`` of the request, for the owner to see."""
    async with reading() as work:
        is_under_way = await _is_under_way(work, email)
    if is_under_way or not await throttle.is_admitted(throttle.mail_to("reset", email)):
        return
    async with begin() as work:  # for an unknown address too: the next request waits alike
        theirs = select(User).where(User.email == email, User.is_active)
        user = await work.scalar(theirs.with_for_update())
        if user is not None and not await _is_under_way(work, email):
            await send_link(work, user)
            activity.record(work, user.id, "reset_asked", where=where)
    mail.send_soon()


async def _is_under_way(work: AsyncSession, email: str) -> bool:
    """Whether a link was mailed to the address just now, and is still good."""
    theirs = (OneTimeToken.purpose == RESET, OneTimeToken.email == email)
    recent = OneTimeToken.expires_at > now() + LIFETIME - QUIET
    newest = await work.scalar(select(OneTimeToken.data).where(*theirs, recent).limit(1))
    return newest is not None and newest.get("is_mailed", False)


async def send_link(work: AsyncSession, user: User) -> None:
    """Mail a new link to its owner; RefusedError as ``new_link``; the caller commits."""
    link = await new_link(work, user, is_mailed=True)
    context = {"name": user.name, "link": link}
    await mail.post(work, user.email, "reset_link", **context)


async def new_link(work: AsyncSession, user: User, *, is_mailed: bool = False) -> str:
    """A link that sets this user's password; earlier ones end.

    It remembers the password and the address of today: with another it is void.  Raises
    RefusedError for a deactivated user, who could not use it.
    """
    if not user.is_active:
        raise RefusedError(f"{user.email} is deactivated. Activate the account first.")
    await locked(work, user.id)
    await one_time_links.supersede(work, RESET, NEWER, user_id=user.id)
    data = {"password": password_state(user), "is_mailed": is_mailed}
    facts = {"user_id": user.id, "email": user.email, "data": data}
    token = await one_time_links.new(work, RESET, LIFETIME, **facts)
    log.info("reset link made user=%s", user.id)
    return one_time_links.link(f"/password/reset/{token}/")


async def link_for(email: str) -> str:
    """A link for the operator to hand over; RefusedError when nobody could use it."""
    async with begin() as work:
        return await new_link(work, await user_by_email(work, email))


# Using it


class ResetForm(NewPasswordForm):
    password = new_password_field("New password")
    password_again = repeated_password_field("Repeat new password")
    link = one_time_links.link_field(RESET)

    def __init__(self, formdata: Any, user: User) -> None:
        super().__init__(formdata)
        self.user = user

    def owner(self) -> tuple[str, str]:
        return self.user.name, self.user.email


@blueprint.route("/reset/<token>/")
@public
async def open_link(token: str) -> ResponseReturnValue:
    return one_time_links.carry(RESET, token, ".reset")


@blueprint.route("/reset/", methods=["GET", "POST"])
@public
async def reset() -> ResponseReturnValue:
    """Choose a new password."""
    user = await _owner()
    if user is None:
        return await _over()
    form = ResetForm(await request.form, user)
    if form.validate_on_submit():
        return await _set_password(user, await hash_password(form.password.data or ""))
    await load_user()
    return await render_template("accounts/reset.html", form=form, email=user.email), form.status


async def _over() -> ResponseReturnValue:
    return await one_time_links.over(RESET, again=url_for(".forgot"))


async def _owner() -> User | None:
    """Whose password the carried link may set, without using it up."""
    token = await one_time_links.find(RESET)
    if token is None:
        return None
    async with reading() as work:
        user = await work.scalar(select(User).where(User.id == token.user_id))
    return user if user is not None and _is_for(token, user) else None


async def _set_password(user: User, hashed: str) -> ResponseReturnValue:
    """Signing in locks the person first and the link second; so does this."""
    owner = await locked(db, user.id)
    token = await one_time_links.take(db, RESET)
    if owner is None or token is None or not _is_for(token, owner):
        return await _over()
    owner.password_hash = hashed
    await db.flush()
    await revoke_all(db, owner.id)
    activity.record(db, owner.id, "password_reset")
    await mail.post(db, owner.email, "was_reset", name=owner.name)
    await db.commit()
    return await lead_to_sign_in(CHANGED, THEN, owner.email)


def _is_for(token: OneTimeToken, user: User) -> bool:
    same = token.user_id == user.id and token.email == user.email
    return same and user.is_active and token.data.get("password") == password_state(user)
