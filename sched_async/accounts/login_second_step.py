"""The second step of signing in: a code of the app, or a recovery code."""

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from .. import mail
from ..carried_form import CarriedForm
from ..database import db
from ..errors import TooManyAttemptsError
from ..forms import CheckboxField, Form, PlainText
from ..models import OneTimeToken, User
from ..security import throttle
from ..security.throttle import Tries
from . import activity, known_browsers, one_time_links
from .login import LoginForm, complete_login
from .sessions import public
from .two_factor import codes, pending_login
from .two_factor.codes import Verdict

OVER = "Your sign-in took too long or was interrupted. Please sign in again."
TOO_OFTEN = "Too many wrong codes. Please sign in again."

blueprint = Blueprint("login_second_step", __name__)


class StepForm(Form):
    code = StringField("Code", [InputRequired(), Length(max=codes.MAX_TYPED), PlainText()])
    trust = CheckboxField(f"Trust this device for {known_browsers.TRUSTED.days} days")
    link = one_time_links.link_field(one_time_links.SECOND_STEP)
    next = HiddenField()
    carried = HiddenField()


@blueprint.route("/login/second-step/", methods=["GET", "POST"])
@public
async def ask() -> ResponseReturnValue:
    """Ask for the code that the password alone does not replace."""
    waiting = await one_time_links.find(one_time_links.SECOND_STEP)
    if waiting is None or waiting.user_id is None:
        return await _over(OVER)
    form = StepForm(await request.form, **pending_login.to_keep(waiting))
    if not form.validate_on_submit():
        return await _page(form), form.status
    try:
        tries = await codes.admit(waiting.user_id, form.code.data or "")
    except TooManyAttemptsError as error:
        form.say_only(error.sentence)
        return await _page(form), 429, error.headers
    return await _judge(form, tries)


async def _judge(form: StepForm, tries: Tries) -> ResponseReturnValue:
    found = await pending_login.locked(db)
    if found is None:
        return await _over(OVER)
    step, user = found
    verdict = await codes.accept(db, user.id, form.code.data or "", tries)
    if not verdict.is_right:
        return await _refused(form, step, user, verdict)
    await db.delete(step)
    if form.trust.data:
        await known_browsers.trust(db, user.id)
    left = await codes.note_recovery(db, user) if verdict is Verdict.RECOVERY else None
    answer = await complete_login(user, **pending_login.onward(step))
    if left is not None:
        await flash(left, "info")
    return answer


async def _refused(
    form: StepForm, step: OneTimeToken, user: User, verdict: Verdict
) -> ResponseReturnValue:
    activity.record(db, user.id, "second_step_failed")
    is_over = pending_login.note_wrong(step)
    if is_over:
        await db.delete(step)
    await db.commit()
    if is_over:
        await _warn(user)
        return await _over(TOO_OFTEN)
    form.refuse("code", verdict.sentence)
    return await _page(form), 401


async def _warn(user: User) -> None:
    """Tell the owner, whose mailbox nobody can fill in this way.  After ``db`` is committed."""
    if await throttle.is_admitted(throttle.mail_to("second-step", user.email)):
        await mail.post(db, user.email, "second_step_failed", name=user.name)
        await db.commit()


async def _page(form: StepForm) -> str:
    by_recovery = "recovery" in request.args
    return await render_template("accounts/second_step.html", form=form, by_recovery=by_recovery)


async def _over(message: str) -> ResponseReturnValue:
    """Back to the sign-in page, with what it was to be followed by."""
    kept = await pending_login.kept()
    await one_time_links.drop(one_time_links.SECOND_STEP)
    await flash(message, "error")
    if CarriedForm.parse(kept["carried"]):
        return await render_template("accounts/login.html", form=LoginForm(MultiDict(kept))), 401
    return redirect(url_for("login.login", next=kept["next"] or None), 303)
