"""The whole wiring on one screen, in the order in which things happen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypercorn.middleware import ProxyFixMiddleware
from quart import Quart

from . import cli, config, database, errors, filters, health, lifespan, mail, static_files
from .accounts import (
    account,
    activity,
    admin,
    change_email,
    change_password,
    confirm,
    devices,
    devices_known,
    invitations,
    login,
    own_data,
    passwords,
    profile,
    reset,
    second_factor,
    second_step,
    sessions,
    setup,
    signup,
    sweep,
)
from .appointments import crud
from .interop import takeout
from .security import csrf, guard, throttle
from .security.headers import Headers

PACKAGE = Path(__file__).parent
# People edit the templates at the top of a checkout; a wheel carries them in the package.
TEMPLATES = next(
    path for path in (PACKAGE / "templates", PACKAGE.parent / "templates") if path.is_dir()
)


def create_app(settings: Mapping[str, Any] | None = None) -> Quart:
    """An app by ``settings`` (names without ``SCHED_``) and the environment.

    Raises SettingError.  Nothing is opened or written before it is served.
    """
    app = Quart(__name__, template_folder=str(TEMPLATES))
    app.config.from_mapping(config.load(settings))

    guard.init_app(app)
    csrf.init_app(app)
    database.init_app(app)
    throttle.init_app(app)
    errors.init_app(app)
    filters.init_app(app)
    static_files.init_app(app)
    passwords.init_app(app)
    sessions.init_app(app)
    devices_known.init_app(app)
    mail.init_app(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(login.blueprint)
    app.register_blueprint(second_step.blueprint)
    app.register_blueprint(confirm.blueprint)
    app.register_blueprint(setup.blueprint)
    app.register_blueprint(reset.blueprint)
    app.register_blueprint(signup.blueprint)
    app.register_blueprint(invitations.blueprint)
    account.init_app(app)
    second_factor.init_app(app)
    app.register_blueprint(profile.blueprint)
    app.register_blueprint(change_email.blueprint)
    app.register_blueprint(change_password.blueprint)
    own_data.init_app(app)
    app.register_blueprint(devices.blueprint)
    app.register_blueprint(activity.blueprint)
    sweep.init_app(app)
    app.register_blueprint(admin.blueprint)
    app.register_blueprint(crud.blueprint)
    takeout.init_app(app)
    cli.init_app(app)

    lifespan.init_app(app)
    app.asgi_app = Headers(app.asgi_app, app.config["PUBLIC_URL"])  # type: ignore[method-assign]
    if hops := app.config["TRUSTED_PROXIES"]:
        app.asgi_app = ProxyFixMiddleware(app.asgi_app, trusted_hops=hops)  # type: ignore
    return app
