"""A person's appointments: the pages that show them, and the rules they keep."""

from datetime import timedelta

from quart import Quart

from .. import purging
from ..jobs import add_job
from . import calendars, crud, reminders, search, trash, undoing, upkeep, words
from . import deleting as deleting  # which adds its view to those of ``crud``
from . import editing as editing
from .views import pages, periods

DAILY = timedelta(days=1)


def init_app(app: Quart) -> None:
    app.jinja_env.filters["pieces"] = words.marked
    app.jinja_env.filters["day_name"] = periods.day_name
    app.register_blueprint(crud.blueprint)
    app.register_blueprint(undoing.blueprint)
    app.register_blueprint(calendars.blueprint)
    app.register_blueprint(trash.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(search.blueprint)
    add_job(app, reminders.remind, reminders.EVERY)
    for work in (upkeep.work_off_version, upkeep.move_horizon, purging.purge):
        add_job(app, work, DAILY)
