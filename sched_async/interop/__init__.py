"""Appointments in the formats of other programs."""

from quart import Quart

from . import export_view, feeds, following_view, import_view


def init_app(app: Quart) -> None:
    export_view.init_app(app)
    feeds.init_app(app)
    following_view.init_app(app)
    import_view.init_app(app)
