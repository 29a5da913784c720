"""The account area: the page one comes to, and the ways to all others."""

from quart import Blueprint, Quart, redirect, url_for
from quart.typing import ResponseReturnValue

from .sessions import login_required

# In the order in which they are shown: the endpoint and the name of each page.
PAGES = (
    ("profile.index", "Profile"),
    ("change_email.index", "Email"),
    ("change_password.index", "Password"),
    ("second_factor.index", "Second factor"),
    ("devices.index", "Devices"),
    ("activity.index", "Activity"),
    ("own_data.index", "Your data"),
)

blueprint = Blueprint("account", __name__, url_prefix="/account")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)
    app.jinja_env.globals["account_pages"] = PAGES


@blueprint.route("/")
@login_required
async def index() -> ResponseReturnValue:
    return redirect(url_for(PAGES[0][0]), 303)
