"""Registration: by invitation, or open to anyone who can confirm their address.

Where it is open, what was typed waits in the row of a link that is mailed to the address,
and the account is created when the link is opened.  Everyone who fills in the form gets the
same page at once, whether or not the address has an account: that is looked up after the answer,
and told by mail alone.  (OWASP ASVS 5.0, 6.3.8.)
"""

from datetime import timedelta

from quart import (
    Blueprint,
    abort,
    current_app,
    render_template,
    request,
    url_for,
)
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ... import mail
from ...database import begin, db, reading
from ...forms import Form
from ...models import User
from ...security import throttle
from .. import one_time_links
from ..one_time_links import INVITE, REGISTER
from ..sessions import load_user, public
from ..users import has_accounts
from . import invitations
from .rules import AccountForm, find_link, finish

LIFETIME = timedelta(days=1)

blueprint = Blueprint("register", __name__, url_prefix="/register")


@blueprint.route("/", methods=["GET", "POST"])
@public
async def register() -> ResponseReturnValue:
    """Create an account: at once with an invitation, else once the address is confirmed."""
    if current_app.config["REGISTRATION"] != "closed":
        email = await invitations.invited()
        if email is not None:
            return await invitations.accept(email)
        if await one_time_links.carried(INVITE):
            answer = await invitations.over()
            await one_time_links.drop(INVITE)
            return answer
    if current_app.config["REGISTRATION"] == "invite":
        return await invitations.over()
    return await _ask_for_proof() if await is_open() else abort(404)


async def is_open() -> bool:
    """Not before there is an administrator: a stranger must not be the first."""
    if current_app.config["REGISTRATION"] != "open":
        return False
    async with reading() as work:
        return await has_accounts(work)


async def _ask_for_proof() -> ResponseReturnValue:
    form = AccountForm(await request.form)
    if form.validate_on_submit():
        await throttle.admit(throttle.registration())
        current_app.add_background_task(_write_to, await form.user())
        return await one_time_links.sent(REGISTER, again=url_for(".register"))
    page = {"form": form, "invited": None}
    return await render_template("accounts/register.html", **page), form.status


async def _write_to(user: User) -> None:
    """One message to the address, about the account that it has, or that it may have."""
    if not await throttle.is_admitted(throttle.mail_to("register", user.email)):
        return
    async with begin() as work:
        known = await work.scalar(select(User).where(User.email == user.email))
        if known is None:
            await _send_link(work, user)
        else:
            context = {
                "name": known.name,
                "active": known.is_active,
                "link": one_time_links.link("/password/forgot/"),
            }
            await mail.post(work, known.email, "registered_already", **context)
    mail.send_soon()


async def _send_link(work: AsyncSession, user: User) -> None:
    """Earlier links stay good: else a stranger could put theirs in the place of one's own.

    The message holds nothing that was typed, which could be an advertisement.
    """
    data = {"name": user.name, "password_hash": user.password_hash, "timezone": user.timezone}
    token = await one_time_links.new(work, REGISTER, LIFETIME, email=user.email, data=data)
    link = one_time_links.link(f"/register/confirm/{token}/")
    await mail.post(work, user.email, "confirm_registration", link=link)


class ConfirmForm(Form):
    link = one_time_links.link_field(REGISTER)


@blueprint.route("/confirm/<token>/")
@public
async def open_link(token: str) -> ResponseReturnValue:
    return one_time_links.carry(REGISTER, token, ".confirm_address")


@blueprint.route("/confirm/", methods=["GET", "POST"])
@public
async def confirm_address() -> ResponseReturnValue:
    """Make the account of a proven address; a GET, which a mail scanner does too, only asks."""
    token = await find_link(REGISTER) if await is_open() else None
    if token is None:
        return await _over()
    form = ConfirmForm(await request.form)
    if form.validate_on_submit():
        return await _make()
    await load_user()
    page = {"form": form, "token": token}
    return await render_template("accounts/register_confirm.html", **page), form.status


async def _make() -> ResponseReturnValue:
    token = await one_time_links.take(db, REGISTER)
    if token is None:
        return await _over()
    return await finish(User(email=token.email, **token.data)) or await _over()


async def _over() -> ResponseReturnValue:
    again = url_for(".register") if await is_open() else None
    return await one_time_links.over(REGISTER, again=again)
