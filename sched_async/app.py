"""The whole wiring on one screen, in the order in which things happen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quart import Quart

from . import (
    accounts,
    appointments,
    cli,
    config,
    database,
    error_pages,
    filters,
    health,
    interop,
    lifespan,
    mail,
    security,
    static_files,
    templating,
)
from .security.headers import Headers
from .security.proxies import Proxies

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

    templating.init_app(app)
    security.init_app(app)
    database.init_app(app)
    error_pages.init_app(app)
    filters.init_app(app)
    static_files.init_app(app)
    mail.init_app(app)
    health.init_app(app)

    accounts.init_app(app)
    appointments.init_app(app)
    interop.init_app(app)

    cli.init_app(app)
    lifespan.init_app(app)
    app.asgi_app = Headers(  # type: ignore[method-assign]
        app.asgi_app, app.config["PUBLIC_URL"], app.config["HSTS"]
    )
    if hops := app.config["TRUSTED_PROXIES"]:
        app.asgi_app = Proxies(app.asgi_app, hops)  # type: ignore[method-assign]
    return app
