"""The login page and the logout page."""

import logging
import re
from urllib.parse import urlsplit

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, EmailField, HiddenField, PasswordField
from wtforms.validators import InputRequired, Length

from ..database import db
from ..forms import Form, PlainText
from ..models import User
from .passwords import MAX_LENGTH, authenticate
from .sessions import current_user, load_user, login_user, logout_user, public

WRONG = "Incorrect username or password."
NOT_LOCAL = re.compile(r"[\\\x00-\x1f\x7f]|^//|^(?!/)")

blueprint = Blueprint("sessions", __name__)
log = logging.getLogger("sched_async.security")


class LoginForm(Form):
    username = EmailField("Email", [InputRequired(), Length(max=254), PlainText(address=True)])
    password = PasswordField("Password", [InputRequired(), Length(max=MAX_LENGTH)])
    remember = BooleanField("Keep me signed in for 30 days")
    next = HiddenField()


@blueprint.route("/login/", methods=["GET", "POST"])
@public
async def login() -> ResponseReturnValue:
    """Sign in, and go on to the page that was asked for."""
    if request.method == "POST":
        return await _sign_in(LoginForm(await request.form))
    await load_user()
    wanted = request.args.get("next", "")
    if current_user.is_authenticated:
        return redirect(local_path(wanted), 303)
    form = LoginForm(MultiDict({"next": wanted}) if wanted else None)
    return await render_template("accounts/login.html", form=form)


async def _sign_in(form: LoginForm) -> ResponseReturnValue:
    if not form.validate():
        form.say_only(WRONG)
        return await render_template("accounts/login.html", form=form), 422
    user = await authenticate(form.username.data or "", form.password.data or "")
    if user is None or not await _is_unchanged(user):
        log.warning("login failed")
        form.say_only(WRONG)
        return await render_template("accounts/login.html", form=form), 401
    await login_user(user, remember=form.remember.data)
    await db.commit()
    log.info("login user=%s", user.id)
    return redirect(local_path(form.next.data), 303)


async def _is_unchanged(user: User) -> bool:
    """Whether what was checked still holds: hashing took a while.

    The lock makes a change of password, which ends all sessions, end this one as well.
    """
    same = (User.id == user.id, User.password_hash == user.password_hash, User.is_active)
    return await db.scalar(select(User.id).where(*same).with_for_update()) is not None


@blueprint.route("/logout/", methods=["GET", "POST"])
async def logout() -> ResponseReturnValue:
    """End the session; a GET, which anybody's link can cause, only asks."""
    if request.method != "POST":
        return await render_template("accounts/logout.html")
    log.info("logout user=%s", current_user.user_id)
    await logout_user()
    await db.commit()
    await flash("You have signed out.", "success")
    return redirect(url_for(".login"), 303)


def local_path(wanted: str | None) -> str:
    """``wanted`` if it is a path of this site, else the appointments.

    Browsers read a backslash as a slash and drop control characters, so neither may
    occur: ``/\\\\evil.example`` would lead away.
    """
    home = url_for("appointments.index")
    try:
        parts = urlsplit(wanted or "")
    except ValueError:
        return home
    if not wanted or parts.scheme or parts.netloc or NOT_LOCAL.search(wanted):
        return home
    return wanted
