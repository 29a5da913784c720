"""The login page and the logout page."""

import logging
from datetime import UTC, datetime

from quart import Blueprint, current_app, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import update
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from ..carried_form import CarriedForm
from ..database import db
from ..error_pages import UNREACHABLE
from ..errors import TooManyAttemptsError
from ..forms import CheckboxField, Form, PlainText
from ..local_paths import local_path
from ..models import User
from ..security import throttle
from ..security.throttle import Tries
from ..texts import isolated
from . import activity, known_browsers, one_time_links
from .clients import origin
from .emails import MAX_EMAIL, TYPED
from .new_passwords import MAX_LENGTH
from .passwords import check_within_limits
from .sessions import current_user, load_user, login_user, logout_user, public
from .two_factor import pending_login
from .users import has_accounts, locked_as_loaded

WRONG = "Incorrect username or password."
DEACTIVATED = "Your account is deactivated. Contact an administrator."
SIGNED_IN = "You have signed in."
NOT_PROVEN = datetime.fromtimestamp(0, UTC)

blueprint = Blueprint("login", __name__)
log = logging.getLogger("sched_async.security")


class LoginForm(Form):
    username = StringField(
        "Email",
        [InputRequired(), Length(max=MAX_EMAIL), PlainText(address=True)],
        render_kw=TYPED,
    )
    password = PasswordField("Password", [InputRequired(), Length(max=MAX_LENGTH)])
    remember = CheckboxField("Keep me signed in for 30 days")
    next = HiddenField()
    carried = HiddenField()

    @property
    def onward(self) -> dict[str, str]:
        """What follows the sign-in."""
        return {"wanted": self.next.data or "", "carried": self.carried.data or ""}


@blueprint.route("/login/", methods=["GET", "POST"])
@public
async def login() -> ResponseReturnValue:
    """Sign in, and go on to the page that was asked for.

    With ``?other=1``, for whom a mailed link leads here, somebody else may have to sign out first.
    """
    if request.method == "POST":
        return await _sign_in(LoginForm(await request.form))
    await load_user()
    wanted = request.args.get("next", "")
    if current_user.is_authenticated:
        return redirect(url_for(".logout") if "other" in request.args else local_path(wanted), 303)
    form = LoginForm(MultiDict({"next": wanted}) if wanted else None)
    return await render_template("accounts/login.html", form=form, is_new=await _is_new())


async def _is_new() -> bool:
    """Whether nobody has an account yet; the page is there without a database as well."""
    try:
        return not await has_accounts(db)
    except UNREACHABLE:
        return False


async def _sign_in(form: LoginForm) -> ResponseReturnValue:
    if not form.validate():
        form.say_only(WRONG)
        return await render_template("accounts/login.html", form=form), 422
    try:
        user, tries = await check_within_limits(form.username.data or "", form.password.data or "")
    except TooManyAttemptsError as error:
        log.warning("login refused, too many tries")
        form.say_only(error.sentence)
        return await render_template("accounts/login.html", form=form), 429, error.headers
    return await _judge(form, user, tries)


async def _judge(form: LoginForm, user: User | None, tries: Tries) -> ResponseReturnValue:
    if user is not None and not user.is_active:
        log.warning("login refused, deactivated user=%s", user.id)
        form.say_only(DEACTIVATED)
        return await render_template("accounts/login.html", form=form), 403
    # Hashing took a while.  The lock makes a change of password end this session as well.
    if user is None or await locked_as_loaded(db, user) is None:
        log.warning("login failed")
        current_app.add_background_task(activity.record_failure, form.username.data or "", origin())
        form.say_only(WRONG)
        return await render_template("accounts/login.html", form=form), 401
    await throttle.take_back(db, tries)
    if await pending_login.is_needed(db, user):
        return await pending_login.start(db, user, form.remember.data, **form.onward)
    is_fresh = not user.has_second_factor  # a trusted device proves less than a code
    return await complete_login(user, form.remember.data, is_fresh=is_fresh, **form.onward)


async def lead_to_sign_in(done: str, then: str, email: str) -> ResponseReturnValue:
    """What a link has done for an account, and what follows where nobody else is signed in."""
    await load_user()
    if not current_user.is_authenticated:
        await flash(f"{done} {then}", "success")
        return redirect(url_for("login.login"), 303)
    whose, here = isolated(email), isolated(current_user.email)
    but = f"The account is {whose}, but this browser is signed in as {here}."
    await flash(f"{done} {but} To use it here, sign out first.", "success")
    return redirect(url_for("login.logout"), 303)


async def complete_login(
    user: User, remember: bool, wanted: str | None, carried: str = "", *, is_fresh: bool = True
) -> ResponseReturnValue:
    """All that a good sign-in does, in one transaction; then on to ``carried`` or ``wanted``."""
    await login_user(user, remember=remember)
    await known_browsers.remember(db, user.id)
    if current_user.login is not None and not is_fresh:
        current_user.login.proven_at = NOT_PROVEN
    is_kept = await _keep(user.id)
    reset, why = one_time_links.RESET, one_time_links.SIGNED_IN
    await one_time_links.supersede(db, reset, why, user_id=user.id)
    activity.record(db, user.id, "login")
    await db.commit()
    if is_kept:
        await flash("Your account will not be deleted.", "success")
    if form := CarriedForm.parse(carried):
        return await form.send_again(SIGNED_IN)
    return redirect(local_path(wanted) if wanted else start_page(user), 303)


def start_page(user: User) -> str:
    """Where somebody lands who did not ask for a page."""
    return url_for("views.index" if user.start_view else "appointments.index")


async def _keep(user_id: int) -> bool:
    """Cancel the deletion of the account; return whether there was one."""
    doomed = (User.id == user_id, User.delete_at.is_not(None))
    kept = update(User).where(*doomed).values(delete_at=None).returning(User.id)
    if await db.scalar(kept) is None:
        return False
    activity.record(db, user_id, "deletion_cancelled")
    return True


@blueprint.route("/logout/", methods=["GET", "POST"])
async def logout() -> ResponseReturnValue:
    """End the session; a GET, which any link can cause, only asks."""
    if request.method != "POST":
        return await render_template("accounts/logout.html")
    activity.record(db, current_user.user_id, "logout")
    await logout_user()
    await db.commit()
    await flash("You have signed out.", "success")
    return redirect(url_for(".login"), 303)
