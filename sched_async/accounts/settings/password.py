"""Change your password: takes the current one, and signs out everywhere else.

Links that were mailed die with it, and its owner is told by mail.
(OWASP ASVS 5.0, 6.2.2, 6.2.3, 7.2.4 and 7.4.3.)
"""

from quart import Blueprint, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from wtforms import Field, PasswordField, ValidationError
from wtforms.validators import InputRequired, Length

from ... import mail
from ...database import db
from ...errors import TooManyAttemptsError
from ...models import User
from ...security import throttle
from ...security.throttle import Tries
from .. import activity
from ..fresh_login import WRONG, fresh_login_required
from ..new_passwords import MAX_LENGTH, NewPasswordForm, new_password_field, repeated_password_field
from ..passwords import check_within_limits, hash_password, uncounted_if_busy
from ..sessions import confirm_login, current_user, login_required, revoke_all
from ..users import locked_as_loaded

SAME = "This is already your password. Choose another."

blueprint = Blueprint("password", __name__, url_prefix="/account/password")


class PasswordForm(NewPasswordForm):
    current_password = PasswordField("Current password", [InputRequired(), Length(max=MAX_LENGTH)])
    password = new_password_field("New password")
    password_again = repeated_password_field("Repeat new password")

    def owner(self) -> tuple[str, str]:
        return current_user.name, current_user.email

    def validate_password(self, field: Field) -> None:
        super().validate_password(field)
        if field.data == self.current_password.data:
            raise ValidationError(SAME)


@blueprint.route("/", methods=["GET", "POST"])
@login_required
@fresh_login_required
async def index() -> ResponseReturnValue:
    """Ask for the current password and a new one."""
    form = PasswordForm(await request.form)
    if not form.validate_on_submit():
        return await _page(form), form.status
    try:
        return await _judge(form)
    except TooManyAttemptsError as error:
        form.say_only(error.sentence)
        return await _page(form), 429, error.headers


async def _judge(form: PasswordForm) -> ResponseReturnValue:
    """All hashing is done before ``db`` is used."""
    user, tries = await check_within_limits(current_user.email, form.current_password.data or "")
    if user is None or user.id != current_user.user_id:
        return await _refused(form)
    async with uncounted_if_busy(tries):
        hashed = await hash_password(form.password.data or "")
    owner = await locked_as_loaded(db, user)
    if owner is None:  # of several requests one wins
        return await _refused(form)
    owner.password_hash = hashed
    return await _end_all_else(owner, tries)


async def _end_all_else(user: User, tries: Tries) -> ResponseReturnValue:
    await throttle.take_back(db, tries)
    await revoke_all(db, user.id, keep=current_user.login)
    await confirm_login()
    activity.record(db, user.id, "password_changed")
    await mail.post(db, user.email, "password_changed", name=user.name)
    await db.commit()
    await flash(
        "Your password has been changed. You have been signed out everywhere else.", "success"
    )
    return redirect(url_for(".index"), 303)


async def _refused(form: PasswordForm) -> ResponseReturnValue:
    activity.record(db, current_user.user_id, "confirm_failed")
    await db.commit()
    form.refuse("current_password", WRONG)
    return await _page(form), 401


async def _page(form: PasswordForm) -> str:
    return await render_template("settings/password.html", form=form)
