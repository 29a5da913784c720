"""The whole wiring on one screen, in the order in which things happen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypercorn.middleware import ProxyFixMiddleware
from quart import Quart

from . import cli, config, database, errors, filters, health, lifespan, static_files
from .accounts import login, passwords, registration, sessions
from .appointments import crud
from .security import csrf, guard
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
    errors.init_app(app)
    filters.init_app(app)
    static_files.init_app(app)
    passwords.init_app(app)
    sessions.init_app(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(login.blueprint)
    app.register_blueprint(registration.blueprint)
    app.register_blueprint(crud.blueprint)
    cli.init_app(app)

    lifespan.init_app(app)
    app.asgi_app = Headers(app.asgi_app, app.config["PUBLIC_URL"])  # type: ignore[method-assign]
    if hops := app.config["TRUSTED_PROXIES"]:
        app.asgi_app = ProxyFixMiddleware(app.asgi_app, trusted_hops=hops)  # type: ignore
    return app
