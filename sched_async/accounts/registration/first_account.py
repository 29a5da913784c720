"""The first account, made by the link that is printed at start; its owner is signed in at once."""

import logging

from quart import Blueprint, flash, render_template, request
from quart.typing import ResponseReturnValue

from ...database import db, reading
from ...models import User
from .. import activity, one_time_links
from ..login import complete_login
from ..one_time_links import SETUP
from ..sessions import public
from ..tokens import hash_token
from ..users import has_accounts
from .rules import AccountForm, add_account

blueprint = Blueprint("first_account", __name__)
log = logging.getLogger("sched_async.security")


@blueprint.route("/setup/<token>/", methods=["GET", "POST"])
@public
async def setup(token: str) -> ResponseReturnValue:
    """Make the first account."""
    if not await _may_set_up(token):
        return await one_time_links.over(SETUP, token)
    form = AccountForm(await request.form)
    if form.validate_on_submit():
        return await _first_account(token, await form.user())
    return await render_template("accounts/setup.html", form=form), form.status


async def _may_set_up(token: str) -> bool:
    if await one_time_links.find(SETUP, token) is None:
        return False
    async with reading() as session:
        return not await has_accounts(session)


async def _first_account(token: str, user: User) -> ResponseReturnValue:
    if hash_token(token) not in await one_time_links.void(db, SETUP) or await has_accounts(db):
        return await one_time_links.over(SETUP, token)
    await add_account(db, user)
    activity.record(db, user.id, "registered")
    answer = await complete_login(user, remember=False, wanted=None)
    log.info("first account user=%s", user.id)
    await flash("Your account is ready.", "success")
    return answer
