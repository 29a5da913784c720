"""Delete rows that have expired.

None of it works or shows after its time; this only keeps the tables small, and the
promise that activity goes after 90 days.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from quart import Quart
from sqlalchemy import ColumnElement, delete, inspect, select

from ..database import begin
from ..jobs import add_job
from ..models import Activity, Base, LoginSession, OneTimeToken
from ..times import now
from .access import has_ended
from .activity import KEPT

EVERY = timedelta(hours=1)
BATCH = 500  # rows in one transaction, so that nobody's request waits long behind it

log = logging.getLogger("sched_async.background")


def init_app(app: Quart) -> None:
    add_job(app, sweep, EVERY)


async def sweep() -> None:
    moment = now()
    for model, is_over in _over(moment):
        try:
            while await _sweep_batch(model, is_over) == BATCH:
                pass
        except Exception:  # one table's trouble keeps no other from being cleared
            log.exception("%s not cleared away", model.__tablename__)


def _over(moment: datetime) -> tuple[tuple[type[Base], ColumnElement[bool]], ...]:
    return (
        (LoginSession, has_ended(moment)),
        (OneTimeToken, OneTimeToken.expires_at <= moment),
        (Activity, Activity.happened_at <= moment - KEPT),
    )


async def _sweep_batch(model: type[Base], is_over: ColumnElement[bool]) -> int:
    """Delete some and return how many; skips rows that another node is deleting."""
    (key,) = inspect(model).primary_key
    some: Any = select(key).where(is_over).limit(BATCH).with_for_update(skip_locked=True)
    async with begin() as db:
        gone = await db.execute(delete(model).where(key.in_(some)).returning(key))
        return len(gone.all())
