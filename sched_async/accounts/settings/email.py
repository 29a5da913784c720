"""Changing your email address, which takes effect once the new one is confirmed.

A link goes to the new address, works once, for a day, in a browser where that person is
signed in, and dies with a newer one and with a change of the password.  Opening it, which a
mail scanner does as well, uses nothing up.  People see the same whether or not the
address has an account already: that is told by mail alone, to the address itself, and the
unique column has the last word.  (OWASP ASVS 5.0, 6.3.8, 7.5.1.)
"""

from datetime import timedelta

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from quart_auth import Unauthorized
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import Field, ValidationError

from ... import mail
from ...database import SAFE_METHODS, begin, db
from ...errors import RefusedError
from ...forms import Form
from ...models import OneTimeToken, User
from ...security import throttle
from ...texts import isolated
from .. import activity, one_time_links
from ..emails import canonical_email, email_field
from ..fresh_login import fresh_login_required
from ..one_time_links import CHANGE_EMAIL, NEWER
from ..registration.rules import TAKEN
from ..sessions import current_user, login_required
from ..users import locked_as_loaded, user_by_email

LIFETIME = timedelta(hours=24)
NO_MAIL = "This server can't send email."
SAME = "This is already your email address."

blueprint = Blueprint("email", __name__, url_prefix="/account/email")


# Asking for a link


class EmailForm(Form):
    email = email_field("New email")

    def validate_email(self, field: Field) -> None:
        if not mail.is_configured():
            raise ValidationError(NO_MAIL)
        if field.data == current_user.email:
            raise ValidationError(SAME)


@blueprint.route("/", methods=["GET", "POST"])
@login_required
@fresh_login_required
async def index() -> ResponseReturnValue:
    """Ask for the new address, and mail a link to it."""
    form = EmailForm(await request.form)
    if form.validate_on_submit():
        return await _ask_for_proof(form.email.data or "")
    page = {"form": form, "can_mail": mail.is_configured()}
    return await render_template("settings/email.html", **page), form.status


async def _ask_for_proof(email: str) -> ResponseReturnValue:
    await throttle.admit(throttle.new_email(current_user.user_id))
    is_admitted = await throttle.is_admitted(throttle.mail_to("change-email", email))
    user = await _locked()
    if is_admitted:  # an earlier link stays good where no newer one goes out
        await one_time_links.supersede(db, CHANGE_EMAIL, NEWER, user_id=user.id)
        await _write_to(email, user)
    activity.record(db, user.id, "email_asked")
    await db.commit()
    await flash(f"We've sent a link to {isolated(email)}. It works once, within 24 hours.", "info")
    return redirect(url_for(".index"), 303)


async def _locked() -> User:
    """The current user, unchanged since the request came, or Unauthorized.

    The lock makes a change of the password find the link that it has to end.
    """
    user = await locked_as_loaded(db, current_user.known())
    if user is None:
        raise Unauthorized
    return user


async def _write_to(email: str, user: User) -> None:
    """One message, and as much work, whether or not the address has an account.

    A stranger may read it, so it holds nothing that was typed but their own address.
    """
    token = await one_time_links.new(db, CHANGE_EMAIL, LIFETIME, user_id=user.id, email=email)
    owner = await db.scalar(select(User).where(User.email == email).limit(1))
    if owner is not None:  # nobody will have the token
        await mail.post(db, email, "email_taken", name=owner.name)
        return
    link = one_time_links.link(url_for(".confirm_address", token=token))
    await mail.post(db, email, "email_confirm", link=link)


# Using it


@blueprint.route("/<token>/", methods=["GET", "POST"])
@login_required
async def confirm_address(token: str) -> ResponseReturnValue:
    """Ask once more, and then let the proven address count."""
    if request.method not in SAFE_METHODS:
        return await _change(token)
    waiting = await one_time_links.find(CHANGE_EMAIL, token, user_id=current_user.user_id)
    if waiting is None:
        return await _over(token)
    return await render_template("settings/email_confirm.html", token=token, email=waiting.email)


async def _change(token: str) -> ResponseReturnValue:
    """Signing in and changing a password lock the account first; so does this."""
    user = await _locked()
    taken = await one_time_links.take(db, CHANGE_EMAIL, token, user_id=user.id)
    if taken is None or taken.email is None:
        return await _over(token)
    email = taken.email
    try:
        await set_address(db, user, email, "email_changed")
    except IntegrityError:
        await db.rollback()
        return await render_template("settings/email_taken.html", taken=email), 409
    await db.commit()
    await flash(f"Your email address is now {isolated(email)}. Use it to sign in.", "success")
    return redirect(url_for(".index"), 303)


async def _over(token: str) -> ResponseReturnValue:
    return await one_time_links.over(CHANGE_EMAIL, token, again=url_for(".index"))


async def set_address(work: AsyncSession, user: User, email: str, event: str) -> None:
    """Let an address count, end every link, tell the old address; the caller commits.

    Raises IntegrityError when another account has it.
    """
    old, user.email = user.email, email
    await work.flush()
    await work.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user.id))
    activity.record(work, user.id, event)
    await mail.post(work, old, "email_changed", name=user.name)


async def change_for(email: str, new: str) -> str:
    """For the operator, even without email; returns the address as it is stored."""
    address = canonical_email(new)
    try:
        async with begin() as work:
            user = await user_by_email(work, email)
            if address == user.email:
                raise RefusedError(f"{address} is already the address of this account.", "email")
            await set_address(work, user, address, "email_set")
    except IntegrityError:
        raise RefusedError(TAKEN, "email") from None
    return address
