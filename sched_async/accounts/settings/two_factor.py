"""Two-factor authentication: turn it on and off, and recovery codes.

While somebody enrols, the secret waits in this browser's ``session``, encrypted; it
becomes the account's with the first right code.  (OWASP ASVS 5.0, 6.4.4, 6.5 and 7.5.1.)
"""

from collections.abc import Sequence

from markupsafe import Markup
from quart import (
    Blueprint,
    Quart,
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
from werkzeug.exceptions import Forbidden
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from ... import mail
from ...carried_form import CarriedForm
from ...database import SAFE_METHODS, db
from ...error_pages import wants_json
from ...forms import CheckboxField, Form, PlainText
from ...models import User
from ...times import now
from .. import activity, known_browsers
from ..access import is_public
from ..fresh_login import fresh_login_required
from ..sessions import confirm_login, current_user, login_required, revoke_all
from ..two_factor import codes, totp
from ..users import locked, locked_as_loaded

OFFERED = "enrolment"
OFFER_LIFETIME = 60 * 60  # seconds
ALREADY = "That has already been done. If you didn't save the recovery codes, create new ones."
MISSING = (
    "An administrator requires two-factor authentication for your account. Set it up to continue."
)
# Their own data is theirs to take along, or to delete, in any case.
WITHOUT_FACTOR = frozenset(
    {"login.logout", "fresh_login.confirm", "delete_account", "two_factor", "export"}
)
REQUIRED = (
    "An administrator requires two-factor authentication for your account. You can set up another "
    "app, but not turn it off."
)

blueprint = Blueprint("two_factor", __name__, url_prefix="/account/two-factor")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)
    app.before_request(require_factor)
    app.before_websocket(require_factor_on_websocket)


async def require_factor() -> ResponseReturnValue | None:
    """Anyone who must set up two-factor authentication can do little else until then."""
    if not _is_missing() or request.endpoint is None or _works_without(request.endpoint):
        return None
    set_up = url_for("two_factor.set_up")
    if wants_json():
        return jsonify(status="Forbidden", message=MISSING, set_up=set_up), 403
    if request.method == "POST" and (carried := await CarriedForm.of_request()).fields:
        return await _set_up_first(carried)
    await flash(MISSING, "info")
    return redirect(set_up, 303)


@fresh_login_required
async def _set_up_first(carried: CarriedForm) -> ResponseReturnValue:
    """The page that sets it up, which carries on what was sent."""
    await flash(MISSING, "info")
    return await _enrol_page(EnrolForm(carried=carried.as_text()), _offered()), 403


async def require_factor_on_websocket() -> None:
    if _is_missing():
        raise Forbidden


def _is_missing() -> bool:
    user = current_user.user
    return user is not None and user.needs_second_factor and not user.has_second_factor


def _works_without(endpoint: str) -> bool:
    names = {endpoint, endpoint.partition(".")[0]}
    return bool(names & WITHOUT_FACTOR) or is_public(current_app, endpoint)


class EndOthersForm(Form):
    end_others = CheckboxField("Sign out everywhere else", default=True)


class EnrolForm(EndOthersForm):
    code = StringField("Code", [InputRequired(), Length(max=codes.MAX_TYPED), PlainText()])
    carried = HiddenField()


@blueprint.route("/", methods=["GET", "POST"])
@login_required
async def index() -> ResponseReturnValue:
    """Show the state of the second factor; a POST ends the trust in every device."""
    if request.method in SAFE_METHODS:
        return await _state_page()
    await known_browsers.end_trust(db, current_user.user_id)
    activity.record(db, current_user.user_id, "trust_ended")
    await db.commit()
    await flash("All trusted devices have been forgotten.", "success")
    return redirect(url_for(".index"), 303)


async def _state_page() -> str:
    user_id = current_user.user_id
    return await render_template(
        "settings/two_factor.html",
        is_on=_is_on(),
        codes_left=await codes.count_recovery_codes(db, user_id),
        trusted=await known_browsers.count_trusted(db, user_id),
        is_required=_user().needs_second_factor,
    )


@blueprint.route("/set-up/", methods=["GET", "POST"])
@login_required
@fresh_login_required
async def set_up() -> ResponseReturnValue:
    """Show a new secret, and make it the account's once a code shows that an app has it."""
    secret = _offered()
    form = EnrolForm(await request.form)
    if form.validate_on_submit():
        step = totp.matching_step(secret, form.code.data or "", now())
        if step is not None:
            return await _turn_on(secret, step, form)
        form.refuse("code", codes.Verdict.WRONG.sentence)
    return await _enrol_page(form, secret), form.status


def _offered() -> str:
    """The secret that this browser is being shown: the same one after a reload."""
    user_id = current_user.user_id
    kept = session.get(OFFERED, "")
    secret = totp.decrypt(kept, user_id, codes.keys(), ttl=OFFER_LIFETIME)
    if secret is None:
        secret = totp.new_secret()
        session[OFFERED] = codes.encrypted(secret, user_id)
    return secret


async def _enrol_page(form: EnrolForm, secret: str) -> str:
    return await render_template(
        "settings/two_factor_set_up.html",
        form=form,
        picture=Markup(totp.picture(secret, current_user.email)),  # noqa: S704 (our own SVG)
        secret=totp.readable(secret),
        is_on=_is_on(),
    )


async def _turn_on(secret: str, step: int, form: EnrolForm) -> ResponseReturnValue:
    """Of the same form sent twice, the second changes nothing."""
    user = _user()
    session.pop(OFFERED, None)
    owner = await locked_as_loaded(db, user)
    if owner is None or _is_offered_already(secret):
        return await _already()
    owner.totp_secret, owner.totp_step = codes.encrypted(secret, user.id), step
    new_codes = await codes.new_recovery_codes(db, user.id)
    await _changed("factor_on", form.end_others.data)
    return await _codes_page(new_codes, CarriedForm.parse(form.carried.data or ""))


def _is_offered_already(secret: str) -> bool:
    user = _user()
    kept = user.totp_secret
    return kept is not None and totp.decrypt(kept, user.id, codes.keys()) == secret


@blueprint.route("/turn-off/", methods=["GET", "POST"])
@login_required
@fresh_login_required
async def turn_off() -> ResponseReturnValue:
    """Let the password alone be enough again."""
    if not _is_on() or _user().needs_second_factor:
        await flash(REQUIRED if _is_on() else "Two-factor authentication is off.", "info")
        return redirect(url_for(".index"), 303)
    form = EndOthersForm(await request.form)
    if not form.validate_on_submit():
        return await render_template("settings/two_factor_turn_off.html", form=form), form.status
    await codes.remove_factor(db, current_user.user_id)
    await _changed("factor_off", form.end_others.data)
    await flash("Two-factor authentication is off.", "success")
    return redirect(url_for(".index"), 303)


@blueprint.route("/recovery-codes/", methods=["GET", "POST"])
@login_required
@fresh_login_required
async def recovery_codes() -> ResponseReturnValue:
    """Make new recovery codes, which end the old: the page shown last has those that work."""
    user_id = current_user.user_id
    if not _is_on():
        return redirect(url_for(".index"), 303)
    form = Form(await request.form)
    if not form.validate_on_submit():
        left = await codes.count_recovery_codes(db, user_id)
        page = await render_template("settings/two_factor_codes.html", form=form, left=left)
        return page, form.status
    await locked(db, user_id)
    new_codes = await codes.new_recovery_codes(db, user_id)
    await _changed("recovery_renewed", end_others=False)
    return await _codes_page(new_codes)


async def _changed(event: str, end_others: bool) -> None:
    """What every change ends with: nothing that was trusted by the old state remains."""
    user = _user()
    if end_others:
        await revoke_all(db, user.id, keep=current_user.login, links=False)
    elif event != "recovery_renewed":
        await known_browsers.forget(db, user.id, keep_here=True)
    await confirm_login()
    activity.record(db, user.id, event)
    await mail.post(db, user.email, event, name=user.name)
    await db.commit()


async def _already() -> ResponseReturnValue:
    await flash(ALREADY, "info")
    return redirect(url_for(".index"), 303)


async def _codes_page(new_codes: Sequence[str], carried: CarriedForm | None = None) -> str:
    page = {"codes": new_codes, "carried": carried}
    return await render_template("settings/two_factor_codes_once.html", **page)


def _user() -> User:
    return current_user.known()


def _is_on() -> bool:
    return _user().totp_secret is not None
