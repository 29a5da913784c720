"""A person's appointments: the pages that show them, and the rules they keep."""

from quart import Quart

from . import crud


def init_app(app: Quart) -> None:
    app.register_blueprint(crud.blueprint)
