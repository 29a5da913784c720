"""The rules for new accounts, however they come to be.

The first account is made by the link printed at start, or by the command line, and is an
administrator.  The link is permission to do one thing once: its row is taken, with all others of
its kind, in the transaction that makes the account.  So of several people with a link
exactly one wins.
"""

from datetime import timedelta
from typing import Any

from quart.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from ...database import begin, db, reading
from ...errors import RefusedError
from ...first_calendar import first_calendar
from ...forms import Checked, LineField, stripped
from ...models import OneTimeToken, User
from ...texts import UnfitTextError, one_line
from ...times import canonical_zone
from .. import activity, one_time_links
from ..emails import canonical_email, email_field
from ..login import lead_to_sign_in
from ..new_passwords import NewPasswordForm, check_new, new_password_field, repeated_password_field
from ..one_time_links import INVITE, SETUP
from ..passwords import hash_password
from ..users import has_accounts, is_taken

SETUP_LIFETIME = timedelta(hours=1)
MAX_NAME = 100
READY = "Your account is ready."
THEN = "Sign in to start."
TAKEN = "There is already an account with this address."


def canonical_name(text: str) -> str:
    try:
        name = one_line(text)
    except UnfitTextError as unfit:
        raise RefusedError(str(unfit), "name") from None
    if not 1 <= len(name) <= MAX_NAME:
        raise RefusedError(f"Use 1 to {MAX_NAME} characters.", "name")
    return name


async def new_user(name: str, email: str, password: str, timezone: str) -> User:
    """A ``User`` of values that have been checked; not saved yet."""
    hashed = await hash_password(password)
    return User(name=name, email=email, password_hash=hashed, timezone=timezone)


async def create_account(*, name: str, email: str, password: str, timezone: str) -> User:
    """Make an account outside a request; RefusedError names what will not do."""
    name, email, zone = canonical_name(name), canonical_email(email), canonical_zone(timezone)
    user = await new_user(name, email, check_new(password, name, email), zone)
    try:
        async with begin() as work:
            await add_account(work, user)
    except IntegrityError:
        raise RefusedError(TAKEN, "email") from None
    return user


async def add_account(work: AsyncSession, user: User) -> None:
    """Save a new account, with a calendar, the first as an administrator.

    Raises IntegrityError when the address is taken; the caller commits.
    """
    await one_time_links.void(work, SETUP)
    user.is_admin = not await has_accounts(work)
    work.add(user)
    await work.flush()
    work.add(first_calendar(user))
    await work.flush()


async def finish(user: User) -> ResponseReturnValue | None:
    """Make the account of a link that was taken, and have its owner sign in.

    None when the address has got one meanwhile.
    """
    try:
        await add_account(db, user)
    except IntegrityError:
        await db.rollback()
        return None
    activity.record(db, user.id, "registered")
    await db.commit()
    return await lead_to_sign_in(READY, THEN, user.email)


async def find_link(purpose: str) -> OneTimeToken | None:
    """The link that this browser carries, while it is good and its address has no account."""
    token = await one_time_links.find(purpose)
    if token is None or token.email is None:
        return None
    async with reading() as work:
        return None if await is_taken(work, token.email) else token


async def setup_link() -> str | None:
    """A new link to create the first account, valid for an hour; None once there is one."""
    async with reading() as work:
        if await has_accounts(work):
            return None
    async with begin() as work:
        token = await one_time_links.new(work, SETUP, SETUP_LIFETIME)
    return one_time_links.link(f"/setup/{token}/")


class InvitedForm(NewPasswordForm):
    """What an account needs besides its address."""

    name = LineField("Your name", [InputRequired(), Length(max=MAX_NAME), Checked(canonical_name)])
    timezone = StringField("Time zone", [Checked(canonical_zone)], [stripped], default="UTC")
    password = new_password_field("Password")
    password_again = repeated_password_field("Repeat password")
    link = one_time_links.link_field(INVITE)

    def __init__(self, formdata: Any = None, address: str = "") -> None:
        super().__init__(formdata)
        self.address = address

    def owner(self) -> tuple[str, str]:
        return self.name.data or "", self.address

    async def user(self) -> User:
        """Whom it describes, not saved yet."""
        name, email = self.owner()
        return await new_user(name, email, self.password.data or "", self.timezone.data or "")


class AccountForm(InvitedForm):
    email = email_field("Email")

    def owner(self) -> tuple[str, str]:
        return self.name.data or "", self.email.data or ""
