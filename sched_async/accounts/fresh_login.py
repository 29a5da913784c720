"""Confirm it is you: before what can do lasting harm, the password is asked for again.

``@fresh_login_required`` lets a view run only when this login session has proven itself in the
last ten minutes, by signing in or here.  Otherwise the page of this module comes first,
and leads back to what was being done, with what was typed.  (OWASP ASVS 5.0, 7.5.1.)
"""

import json
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from quart import (
    Blueprint,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from ..database import SAFE_METHODS, db
from ..errors import TooManyAttemptsError, wants_json
from ..forms import Form, PlainText
from ..security import throttle
from ..security.csrf import FIELD
from ..security.throttle import Tries
from ..times import now
from . import activity
from .login import local_path
from .passwords import MAX_LENGTH, check_within_limits
from .sessions import View, confirm_login, current_user, login_required
from .two_factor import codes

PROOF_LIFETIME = timedelta(minutes=10)
MAX_KEPT = 1500  # bytes: the cookie that keeps them has room for about 3000
KEPT_FOR = timedelta(hours=1)
WRONG = "Incorrect password."
ONCE_MORE = "Thank you. Nothing has been changed yet: please try again."

blueprint = Blueprint("fresh_login", __name__)


class ConfirmForm(Form):
    password = PasswordField("Password", [InputRequired(), Length(max=MAX_LENGTH)])
    next = HiddenField()


class ConfirmWithCodeForm(ConfirmForm):
    """For whoever has a second factor."""

    code = StringField("Code", [InputRequired(), Length(max=codes.MAX_TYPED), PlainText()])


def fresh_login_required(view: View) -> View:
    """Mark a view that only somebody who has just proven to be the owner may use."""

    @wraps(view)
    async def guarded(*arguments: Any, **values: Any) -> Any:
        if not login_fresh():
            return await _ask_first()
        return await view(*arguments, **values)

    guarded.fresh_login_required = True  # type: ignore[attr-defined]
    return cast(View, guarded)


def login_fresh() -> bool:
    login = current_user.login
    return login is not None and now() - login.proven_at < PROOF_LIFETIME


async def _ask_first() -> ResponseReturnValue:
    """To the page that asks; a script is told where that is."""
    path = _page()
    page = url_for("fresh_login.confirm", next=path + _query())
    if wants_json():
        message = "Confirm it's you first."
        return jsonify(status="Forbidden", message=message, confirm=page), 403
    if request.method not in SAFE_METHODS:
        await _keep_typed(path)
    return redirect(page, 303)


def _page() -> str:
    """The path asked for; of one that only takes what is sent, the nearest page above it."""
    path = request.path
    while path != "/" and not _is_page(path):
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path


def _is_page(path: str) -> bool:
    adapter = current_app.create_url_adapter(request)
    return adapter is not None and adapter.test(path, "GET")


def _query() -> str:
    query = request.query_string.decode("utf-8", "replace")
    return f"?{query}" if query and request.method in SAFE_METHODS else ""


async def _keep_typed(path: str) -> None:
    """Until that page is shown again; passwords and codes are never kept."""
    typed = {
        name: value
        for name, value in (await request.form).items()
        if name != FIELD and "password" not in name and "code" not in name
    }
    if len(json.dumps(typed)) > MAX_KEPT:
        typed = {}
    session["kept"] = {"path": path, "typed": typed, "at": int(now().timestamp())}


def typed_before() -> MultiDict[str, str] | None:
    """What was typed into the form of this page before the confirmation, once."""
    kept = session.get("kept")
    if not kept or kept["path"] != request.path:
        return None
    del session["kept"]
    is_fresh = now().timestamp() - kept["at"] < KEPT_FOR.total_seconds()
    return MultiDict(kept["typed"]) if is_fresh else None


@blueprint.route("/confirm/", methods=["GET", "POST"])
@login_required
async def confirm() -> ResponseReturnValue:
    """Ask for the password, and go on to what was being done."""
    if request.method in SAFE_METHODS:
        form = _form_class()(MultiDict({"next": request.args.get("next", "")}))
        return await render_template("accounts/confirm.html", form=form)
    form = _form_class()(await request.form)
    if not form.validate():
        return await render_template("accounts/confirm.html", form=form), 422
    try:
        refused = await _judge(form)
    except TooManyAttemptsError as error:
        form.say_only(error.sentence)
        return await render_template("accounts/confirm.html", form=form), 429, error.headers
    if refused:
        return refused
    await confirm_login()
    await db.commit()
    wanted = local_path(form.next.data)
    if session.get("kept", {}).get("path") == wanted:
        await flash(ONCE_MORE, "info")
        if not session["kept"]["typed"]:
            del session["kept"]
    return redirect(wanted, 303)


async def _judge(form: ConfirmForm) -> tuple[str, int] | None:
    """The answer, unless all is right; every try is counted before ``db`` is used."""
    user, tries = await check_within_limits(current_user.email, form.password.data or "")
    if user is None or not user.is_active:
        return await _refused(form)
    if isinstance(form, ConfirmWithCodeForm):
        code_tries = await codes.admit(user.id, form.code.data or "")
        await throttle.take_back(db, tries)
        return await _judge_code(form, code_tries)
    await throttle.take_back(db, tries)
    return None


def _form_class() -> type[ConfirmForm]:
    user = current_user.user
    return ConfirmWithCodeForm if user is not None and user.totp_secret else ConfirmForm


async def _judge_code(form: ConfirmWithCodeForm, tries: Tries) -> tuple[str, int] | None:
    user_id = current_user.user_id
    verdict = await codes.accept(db, user_id, form.code.data or "")
    if verdict is codes.Verdict.RECOVERY:
        await flash(await codes.note_recovery(db, current_user.known()), "info")
    if verdict.is_right:
        await throttle.take_back(db, tries)
        return None
    activity.record(db, user_id, "confirm_code_failed")
    await db.commit()
    form.refuse("code", verdict.sentence)
    return await render_template("accounts/confirm.html", form=form), 401


async def _refused(form: ConfirmForm) -> tuple[str, int]:
    activity.record(db, current_user.user_id, "confirm_failed")
    await db.commit()
    form.refuse("password", WRONG)
    return await render_template("accounts/confirm.html", form=form), 401
