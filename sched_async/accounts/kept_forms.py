"""What was typed is not lost when a session ends, or a page has become too old to be sent.

Whoever is not signed in gets the sign-in page, which carries the form on; whoever is, the form
once more with a new token.  Scripts are told the status, as ever.
"""

from quart import Quart, current_app, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from quart_auth import Unauthorized
from werkzeug.datastructures import MultiDict

from ..carried_form import CARRIED, CarriedForm
from ..error_pages import http_error, wants_json
from ..local_paths import page_to_return_to
from ..security import csrf
from . import renewals
from .login import LoginForm
from .sessions import current_user, load_user

OUT_OF_DATE = "The page you sent this from was out of date."
LOGIN_OUT_OF_DATE = "This page was out of date. Please enter your password again."
FORM_NO_COOKIES = f"{csrf.NO_COOKIES} Allow them for this site first."
LOGIN_NO_COOKIES = f"{csrf.NO_COOKIES} Allow them for this site, then enter your password again."


def init_app(app: Quart) -> None:
    app.register_error_handler(Unauthorized, send_to_login)
    app.register_error_handler(csrf.StaleFormError, send_again)


async def send_to_login(error: Unauthorized) -> ResponseReturnValue:
    """The sign-in page with what was typed, or 303 to it; JSON for fetch and for scripts."""
    if wants_json() or not _names_pages():
        return await http_error(error, as_json=True)
    if not await csrf.is_ours():
        return await http_error(await csrf.refusal())
    login = current_app.config["LOGIN_VIEW"]
    if request.endpoint == "login.logout":  # nobody signs in in order to sign out
        return redirect(url_for(login), 303)
    if request.method == "POST" and (carried := await _typed()):
        kept = LoginForm(MultiDict({"next": page_to_return_to(), CARRIED: carried}))
        return await render_template("accounts/login.html", form=kept), 401
    if not renewals.is_under_way():  # or the message of the twin's answer would be lost
        await flash(current_app.config["LOGIN_MESSAGE"], "info")
    return redirect(url_for(login, next=page_to_return_to()), 303)


async def _typed() -> str:
    """What was typed, to be carried; nothing of a button alone, whose page can be led back to."""
    carried = await CarriedForm.of_request()
    return carried.as_text() if any(name != "next" for name, _ in carried.fields) else ""


def _names_pages() -> bool:
    """Whether a browser shows the answer as a page: curl and the like accept anything alike."""
    if request.headers.get("Sec-Fetch-Dest") == "document":
        return True
    accepted = list(request.accept_mimetypes.values())
    return not accepted or any(name.startswith(("text/", "application/xhtml")) for name in accepted)


async def send_again(error: csrf.StaleFormError) -> ResponseReturnValue:
    """The page with one button, and what was wrong; of the sign-in page, that page once more."""
    if wants_json() or request.method != "POST" or not await csrf.is_ours():
        return await http_error(error)
    await load_user()
    has_cookies = not isinstance(error, csrf.NoCookiesError)
    carried = await CarriedForm.of_request()
    is_waiting = carried.action != request.path and current_user.is_authenticated
    if request.endpoint == "login.login" and not is_waiting:
        return await _login_again(LOGIN_OUT_OF_DATE if has_cookies else LOGIN_NO_COOKIES)
    return await carried.send_again(OUT_OF_DATE if has_cookies else FORM_NO_COOKIES), 403


async def _login_again(happened: str) -> ResponseReturnValue:
    """The password is not carried, so that a button alone would not do."""
    form = LoginForm(await request.form)
    form.say_only(happened)
    return await render_template("accounts/login.html", form=form), 403
