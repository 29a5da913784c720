"""How accounts come to be: the first one by the link printed at start, others by the
command line.

The link is leave to do one thing once: its row is taken, with all others of its kind, in
the transaction that makes the account.  Of several people with a link exactly one wins.
"""

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta

from email_validator import EmailNotValidError, validate_email
from quart import Blueprint, current_app, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from ..database import begin, db, reading
from ..errors import RefusedError
from ..forms import Form, PlainText, stripped
from ..models import OneTimeToken, User
from ..times import find_zone, now, zone_names
from .passwords import check_new, hash_password
from .sessions import hash_token, public

SETUP = "setup"
SETUP_LIFETIME = timedelta(hours=1)
MAX_NAME = 100
MAX_EMAIL = 254

blueprint = Blueprint("registration", __name__)
log = logging.getLogger("sched_async.security")


def canonical_email(text: str) -> str:
    """The address in lower case; RefusedError when it cannot be one.

    Addresses without a public domain are fine: this may be a household's own server.
    """
    try:
        checked = validate_email(
            text.strip(), check_deliverability=False, globally_deliverable=False
        )
    except EmailNotValidError:
        raise RefusedError("This is not an e-mail address.", "email") from None
    return checked.normalized.lower()


def canonical_zone(text: str) -> str:
    zone = find_zone(text)
    if zone is None:
        raise RefusedError("There is no such time zone. Try one like Europe/Berlin.", "timezone")
    return zone


async def new_user(name: str, email: str, password: str, timezone: str) -> User:
    """A checked ``User`` that is not saved yet; RefusedError names the field at fault."""
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise RefusedError(f"Use 1 to {MAX_NAME} characters.", "name")
    email, timezone = canonical_email(email), canonical_zone(timezone)
    check_new(password, name, email)
    hashed = await hash_password(password)
    return User(name=name, email=email, password_hash=hashed, timezone=timezone)


async def create_account(*, name: str, email: str, password: str, timezone: str) -> User:
    """Make an account outside a request; RefusedError when something will not do."""
    user = await new_user(name, email, password, timezone)
    try:
        async with begin() as session:
            await take_setup_tokens(session)
            session.add(user)
    except IntegrityError:
        raise RefusedError("There is an account with this address already.", "email") from None
    return user


async def setup_link() -> str | None:
    """A new link for making the first account, good for an hour; None once there is one."""
    async with reading() as session:
        if await session.scalar(select(User.id).limit(1)) is not None:
            return None
    token = secrets.token_urlsafe(32)
    async with begin() as session:
        await session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at <= now()))
        expires_at = now() + SETUP_LIFETIME
        session.add(
            OneTimeToken(token_hash=hash_token(token), purpose=SETUP, expires_at=expires_at)
        )
    return f"{current_app.config['PUBLIC_URL']}/setup/{token}/"


class SetupForm(Form):
    name = StringField("Your name", [InputRequired(), Length(max=MAX_NAME), PlainText()])
    email = EmailField("Email", [InputRequired(), Length(max=MAX_EMAIL)])
    timezone = StringField("Time zone", filters=[stripped], default="UTC")
    password = PasswordField("Password", [InputRequired()])
    password_again = PasswordField(
        "Password again", [EqualTo("password", "The two passwords are not the same.")]
    )

    def values(self) -> dict[str, str]:
        wanted = ("name", "email", "password", "timezone")
        return {name: self[name].data or "" for name in wanted}


@blueprint.route("/setup/<token>/", methods=["GET", "POST"])
@public
async def setup(token: str) -> ResponseReturnValue:
    """Make the first account."""
    if not await _may_set_up(token):
        return await render_template("accounts/setup_over.html"), 404
    form = SetupForm(await request.form)
    if request.method == "POST" and form.validate():
        try:
            user = await new_user(**form.values())
        except RefusedError as refused:
            form.refuse(refused.field, str(refused))
        else:
            return await _first_account(token, user)
    status = 422 if request.method == "POST" else 200
    return await render_template("accounts/setup.html", form=form, zones=zone_names()), status


async def _may_set_up(token: str) -> bool:
    valid = (OneTimeToken.token_hash == hash_token(token), OneTimeToken.expires_at > now())
    query = select(OneTimeToken.purpose).where(OneTimeToken.purpose == SETUP, *valid)
    async with reading() as session:
        return await session.scalar(query) is not None


async def _first_account(token: str, user: User) -> ResponseReturnValue:
    if hash_token(token) not in await take_setup_tokens(db):
        return await render_template("accounts/setup_over.html"), 404
    db.add(user)
    await db.commit()
    log.info("first account user=%s", user.id)
    await flash("Your account is ready. Sign in to begin.", "success")
    return redirect(url_for("sessions.login"), 303)


async def take_setup_tokens(session: AsyncSession) -> Sequence[str]:
    """All of them: with the first account made, no other link may make one."""
    setup = OneTimeToken.purpose == SETUP
    taken = await session.scalars(
        delete(OneTimeToken).where(setup).returning(OneTimeToken.token_hash)
    )
    return taken.all()
