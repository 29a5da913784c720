"""Invitations: a link, by mail or from the operator, that makes one account.

The address is fixed by the invitation, so the person who opens it has confirmed it, or is known
to the operator who handed it over.
"""

from datetime import timedelta

from quart import (
    Blueprint,
    current_app,
    render_template,
    request,
)
from quart.typing import ResponseReturnValue
from sqlalchemy.ext.asyncio import AsyncSession

from ... import mail
from ...database import db
from ...errors import RefusedError
from ...models import User
from .. import one_time_links
from ..emails import canonical_email
from ..one_time_links import INVITE, NEWER
from ..sessions import load_user, public
from ..users import is_taken
from .rules import TAKEN, InvitedForm, find_link, finish

LIFETIME = timedelta(days=7)
CLOSED = "Registration is closed. Set SCHED_REGISTRATION to “invite” to invite people."

blueprint = Blueprint("invitations", __name__)


async def invite(work: AsyncSession, email: str) -> str:
    """The link of a new invitation, also mailed where there is mail; earlier ones end.

    Raises RefusedError for an address that cannot be invited; the caller commits.
    """
    if current_app.config["REGISTRATION"] == "closed":
        raise RefusedError(CLOSED)
    email = canonical_email(email)
    if await is_taken(work, email):
        raise RefusedError(TAKEN, "email")
    await one_time_links.supersede(work, INVITE, NEWER, email=email)
    token = await one_time_links.new(work, INVITE, LIFETIME, email=email)
    link = one_time_links.link(f"/register/{token}/")
    await mail.post(work, email, "invitation", link=link)
    return link


@blueprint.route("/register/<token>/")
@public
async def open_link(token: str) -> ResponseReturnValue:
    return one_time_links.carry(INVITE, token, "register.register")


async def invited() -> str | None:
    """The address of the invitation that this browser carries, while it is good."""
    token = await find_link(INVITE)
    return token.email if token is not None else None


async def accept(email: str) -> ResponseReturnValue:
    """The form for an invited person, which creates their account at once."""
    form = InvitedForm(await request.form, email)
    if form.validate_on_submit():
        return await _make(await form.user())
    await load_user()
    page = {"form": form, "invited": email}
    return await render_template("accounts/register.html", **page), form.status


async def over() -> ResponseReturnValue:
    return await one_time_links.over(INVITE)


async def _make(user: User) -> ResponseReturnValue:
    token = await one_time_links.take(db, INVITE)
    if token is None or token.email != user.email:
        return await over()
    return await finish(user) or await over()
