"""Accounts: signing in and out, creating accounts, and managing them."""

from quart import Quart

from . import (
    access,
    cleanup,
    fresh_login,
    kept_forms,
    known_browsers,
    login,
    login_second_step,
    password_reset,
    passwords,
    registration,
    session_cookies,
    settings,
)
from .admin import pages


def init_app(app: Quart) -> None:
    passwords.init_app(app)
    session_cookies.init_app(app)
    access.init_app(app)
    kept_forms.init_app(app)
    known_browsers.init_app(app)
    app.register_blueprint(login.blueprint)
    app.register_blueprint(login_second_step.blueprint)
    app.register_blueprint(fresh_login.blueprint)
    app.register_blueprint(password_reset.blueprint)
    registration.init_app(app)
    settings.init_app(app)
    app.register_blueprint(pages.blueprint)
    cleanup.init_app(app)
