"""A person's appointments: the pages that show them, and the rules they keep."""

from datetime import timedelta

from quart import Quart

from .. import purging
from ..jobs import add_job
from . import calendars, crud, trash, undoing, upkeep
from . import deleting as deleting  # which adds its view to those of ``crud``

DAILY = timedelta(days=1)


def init_app(app: Quart) -> None:
    app.register_blueprint(crud.blueprint)
    app.register_blueprint(undoing.blueprint)
    app.register_blueprint(calendars.blueprint)
    app.register_blueprint(trash.blueprint)
    for work in (upkeep.work_off_version, upkeep.move_horizon, purging.purge):
        add_job(app, work, DAILY)
