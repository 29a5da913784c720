"""What an administrator does to accounts in the browser.

They see who has an account and its state, and never other people's appointments.  They never
see or set a password: a link to set one goes to its owner by email.  For everyone else
these pages do not exist.
"""

from functools import wraps
from typing import Any, cast

from quart import Blueprint, abort, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import func, select

from ... import mail
from ...database import db
from ...errors import RefusedError
from ...forms import Form
from ...models import User
from ...texts import isolated
from .. import activity, password_reset
from ..access import View
from ..emails import email_field, lookup_email
from ..fresh_login import fresh_login_required
from ..registration import invitations
from ..sessions import current_user, login_required
from ..users import locked_with_administrators
from .actions import ACTIONS, NOT_TO_ONESELF

PAGE = 50
REQUIRE = "require-second-factor"
NO_MAIL = (
    "This server can't send email. Its operator can print the link with “sched-async user {}”."
)

blueprint = Blueprint("admin", __name__, url_prefix="/admin/users")


def admin_required(view: View) -> View:
    """Answer 404 to everyone who is not an administrator right now."""

    @wraps(view)
    async def guarded(*arguments: Any, **values: Any) -> Any:
        if not current_user.is_admin:
            abort(404)
        return await view(*arguments, **values)

    return cast(View, guarded)


class InviteForm(Form):
    email = email_field("Email")


@blueprint.route("/")
@login_required
@admin_required
async def index() -> ResponseReturnValue:
    """Accounts by address; ``?q=`` is a part of a name or address, ``?after=`` goes on."""
    return await _show_list(InviteForm())


async def _show_list(form: InviteForm) -> str:
    wanted, after = request.args.get("q", "").strip(), request.args.get("after", "")
    query = select(User).where(User.email > after).order_by(User.email).limit(PAGE + 1)
    if wanted:
        named = func.lower(User.name).contains(wanted.lower(), autoescape=True)
        query = query.where(named | User.email.contains(lookup_email(wanted), autoescape=True))
    users = list(await db.scalars(query))
    more = users[PAGE - 1].email if len(users) > PAGE else None
    return await render_template(
        "admin/users.html", users=users[:PAGE], wanted=wanted, more=more, form=form
    )


@blueprint.route("/invite/", methods=["POST"])
@login_required
@admin_required
@fresh_login_required
async def invite() -> ResponseReturnValue:
    """Send someone a link that creates an account."""
    form = InviteForm(await request.form)
    if form.validate():
        email = form.email.data or ""
        try:
            _need_mail(f"invite {email}")
            await invitations.invite(db, email)
            activity.record(db, current_user.user_id, "invited")
        except RefusedError as refused:
            form.refuse("email", str(refused))
        else:
            await db.commit()
            await flash(f"We've sent an invitation to {isolated(email)}.", "success")
            return redirect(url_for(".index"), 303)
    return await _show_list(form), form.status


@blueprint.route("/<int:user_id>/")
@login_required
@admin_required
async def detail(user_id: int) -> ResponseReturnValue:
    return await render_template("admin/user.html", user=await _user(user_id))


@blueprint.route("/<int:user_id>/reset-link/", methods=["POST"])
@login_required
@admin_required
@fresh_login_required
async def reset_link(user_id: int) -> ResponseReturnValue:
    """Send the owner a link to set a new password; nobody else sees it. (ASVS 6.4.6)"""
    user = await _user(user_id)
    try:
        _need_mail(f"reset-link {user.email}")
        await password_reset.send_link(db, user)
    except RefusedError as refused:
        await flash(str(refused), "error")
    else:
        activity.record(db, user.id, "reset_asked", by_owner=False)
        await _done(f"We've sent a password reset link to {user.email}.")
    return redirect(url_for(".detail", user_id=user_id), 303)


@blueprint.route("/<int:user_id>/<act>/", methods=["POST"])
@login_required
@admin_required
@fresh_login_required
async def change(user_id: int, act: str) -> ResponseReturnValue:
    """Do one of ``actions.ACTIONS``."""
    if act not in ACTIONS:
        abort(404)
    user = await (_user_alone(user_id) if act in NOT_TO_ONESELF else _user(user_id))
    if act == REQUIRE and _shuts_oneself_out(user) and "sure" not in await request.form:
        return redirect(url_for(".require_of_oneself", user_id=user_id), 303)
    if act in NOT_TO_ONESELF and user.id == current_user.user_id:
        await flash("Only another administrator can do this to your account.", "error")
    else:
        await _done(await ACTIONS[act](db, user))
    return redirect(url_for(".detail", user_id=user_id), 303)


@blueprint.route(f"/<int:user_id>/{REQUIRE}/sure/")
@login_required
@admin_required
async def require_of_oneself(user_id: int) -> ResponseReturnValue:
    """Ask first: one press would leave nothing but setting up the second factor."""
    user = await _user(user_id)
    if not _shuts_oneself_out(user):
        return redirect(url_for(".detail", user_id=user_id), 303)
    return await render_template("admin/require_of_oneself.html", user=user, act=REQUIRE)


def _shuts_oneself_out(user: User) -> bool:
    """Whether the administrator would lock themselves out of everything but set-up."""
    is_free = not user.has_second_factor and not user.needs_second_factor
    return is_free and user.id == current_user.user_id


async def _done(sentence: str) -> None:
    await db.commit()
    await flash(sentence, "success")


def _need_mail(command: str) -> None:
    if not mail.is_configured():
        raise RefusedError(NO_MAIL.format(command))


async def _user(user_id: int) -> User:
    return await db.get(User, user_id) or abort(404)


async def _user_alone(user_id: int) -> User:
    """The same, while no administrator ends another: of two at once, the second is none."""
    users = await locked_with_administrators(db, user_id)
    actor = users.get(current_user.user_id)
    if actor is None or not (actor.is_admin and actor.is_active):
        abort(404)
    return users.get(user_id) or abort(404)
