"""How accounts come to be: the first one, by invitation, and by open registration."""

from quart import Quart

from . import first_account, invitations, register


def init_app(app: Quart) -> None:
    app.register_blueprint(first_account.blueprint)
    app.register_blueprint(register.blueprint)
    app.register_blueprint(invitations.blueprint)
