"""The account area: its first page, and the menu of all others."""

from quart import Blueprint, Quart, redirect, url_for
from quart.typing import ResponseReturnValue

from ..sessions import login_required
from . import activity, delete_account, devices, email, password, profile, two_factor

# In the order in which they are shown: the endpoint and the name of each page.
PAGES = (
    ("profile.index", "Profile"),
    ("email.index", "Email"),
    ("password.index", "Password"),
    ("two_factor.index", "Two-factor authentication"),
    ("devices.index", "Devices"),
    ("activity.index", "Activity"),
    ("delete_account.index", "Your data"),
)

blueprint = Blueprint("settings", __name__, url_prefix="/account")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)
    for page in (profile, email, password, devices, activity):
        app.register_blueprint(page.blueprint)
    two_factor.init_app(app)
    delete_account.init_app(app)
    app.jinja_env.globals["account_pages"] = PAGES


@blueprint.route("/")
@login_required
async def index() -> ResponseReturnValue:
    return redirect(url_for(PAGES[0][0]), 303)
