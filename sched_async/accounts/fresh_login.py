"""Confirm it is you: before what can do lasting harm, the password is asked for again.

``@fresh_login_required`` lets a view run only when this login session has proven itself in the
last ten minutes, by signing in or here.  Otherwise the page of this module comes first,
and leads back to what was being done, or has what was sent sent again.  (OWASP ASVS 5.0, 7.5.1.)
"""

from datetime import timedelta
from functools import wraps
from typing import Any, cast

from quart import (
    Blueprint,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from quart.typing import ResponseReturnValue
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from ..carried_form import CarriedForm
from ..database import SAFE_METHODS, begin, db
from ..error_pages import wants_json
from ..errors import TooManyAttemptsError
from ..forms import Form, PlainText
from ..local_paths import local_path, page_to_return_to
from ..security import throttle
from ..security.throttle import AHEAD, Tries
from ..times import now
from . import activity
from .access import View
from .new_passwords import MAX_LENGTH
from .passwords import check_within_limits
from .sessions import confirm_login, current_user, login_required
from .two_factor import codes

PROOF_LIFETIME = timedelta(minutes=10)
WRONG = "Incorrect password."
CONFIRMED = "Thank you for confirming it's you."

blueprint = Blueprint("fresh_login", __name__)


class ConfirmForm(Form):
    password = PasswordField("Password", [InputRequired(), Length(max=MAX_LENGTH)])
    next = HiddenField()
    carried = HiddenField()


class ConfirmWithCodeForm(ConfirmForm):
    """For people who use two-factor authentication."""

    code = StringField("Code", [InputRequired(), Length(max=codes.MAX_TYPED), PlainText()])


def fresh_login_required(view: View) -> View:
    """Mark a view that needs a recent confirmation that this is the owner."""

    @wraps(view)
    async def guarded(*arguments: Any, **values: Any) -> Any:
        if not login_fresh():
            return await _ask_first()
        return await view(*arguments, **values)

    guarded.fresh_login_required = True  # type: ignore[attr-defined]
    return cast(View, guarded)


def login_fresh() -> bool:
    """A proof of the future is none: its clock was wrong, and set right it would last for long."""
    login = current_user.login
    return login is not None and -AHEAD <= now() - login.proven_at < PROOF_LIFETIME


async def _ask_first() -> ResponseReturnValue:
    """Show the page that asks, or lead there; a script is told where it is."""
    page = url_for("fresh_login.confirm", next=page_to_return_to())
    if wants_json():
        message = "Confirm it's you first."
        return jsonify(status="Forbidden", message=message, confirm=page), 403
    if request.method in SAFE_METHODS:
        return redirect(page, 303)
    carried = (await CarriedForm.of_request()).as_text()
    return await _show(_form_class()(next=page_to_return_to(), carried=carried)), 403


@blueprint.route("/confirm/", methods=["GET", "POST"])
@login_required
async def confirm() -> ResponseReturnValue:
    """Ask for the password, and go on to what was being done."""
    form = _form_class()(await request.form, next=request.args.get("next", ""))
    if not form.validate_on_submit():
        return await _show(form), form.status
    try:
        refused = await _judge(form)
    except TooManyAttemptsError as error:
        form.say_only(error.sentence)
        return await _show(form), 429, error.headers
    if refused:
        return refused
    await confirm_login()
    await db.commit()
    carried = CarriedForm.parse(form.carried.data or "")
    if carried:
        return await carried.send_again(CONFIRMED)
    return redirect(local_path(form.next.data), 303)


async def _show(form: ConfirmForm) -> str:
    carried = CarriedForm.parse(form.carried.data or "")
    return await render_template("accounts/confirm.html", form=form, carried=carried)


async def _judge(form: ConfirmForm) -> tuple[str, int] | None:
    """The answer, unless all is right; every try is counted before ``db`` is used."""
    user, tries = await check_within_limits(current_user.email, form.password.data or "")
    if user is None or not user.is_active:
        return await _refused(form)
    if isinstance(form, ConfirmWithCodeForm):
        async with begin() as work:  # even if no more codes are let in
            await throttle.take_back(work, tries)
        return await _judge_code(form, await codes.admit(user.id, form.code.data or ""))
    await throttle.take_back(db, tries)
    return None


def _form_class() -> type[ConfirmForm]:
    user = current_user.user
    return ConfirmWithCodeForm if user is not None and user.has_second_factor else ConfirmForm


async def _judge_code(form: ConfirmWithCodeForm, tries: Tries) -> tuple[str, int] | None:
    user_id = current_user.user_id
    verdict = await codes.accept(db, user_id, form.code.data or "", tries)
    if verdict is codes.Verdict.RECOVERY:
        await flash(await codes.note_recovery(db, current_user.known()), "info")
    if verdict.is_right:
        return None
    activity.record(db, user_id, "confirm_code_failed")
    await db.commit()
    form.refuse("code", verdict.sentence)
    return await _show(form), 401


async def _refused(form: ConfirmForm) -> tuple[str, int]:
    activity.record(db, current_user.user_id, "confirm_failed")
    await db.commit()
    form.refuse("password", WRONG)
    return await _show(form), 401
