"""Looking at login sessions and activity, and letting time pass for them."""

from datetime import timedelta

from quart import Quart
from sqlalchemy import select, update

from sched_async.database import begin, reading
from sched_async.models import LoginSession

LONG_AGO = timedelta(minutes=11)


async def login_rows(app: Quart, user_id: int) -> list[LoginSession]:
    async with app.app_context(), reading() as db:
        theirs = select(LoginSession).where(LoginSession.user_id == user_id)
        return list(await db.scalars(theirs.order_by(LoginSession.id)))


async def age_proof(app: Quart, by: timedelta = LONG_AGO) -> None:
    """As if everybody had proven who they are that much earlier."""
    async with app.app_context(), begin() as db:
        for row in await db.scalars(select(LoginSession)):
            row.proven_at -= by


async def last_login(app: Quart, user_id: int, **values: object) -> int:
    """Change the newest session of somebody; gives its number."""
    newest = (await login_rows(app, user_id))[-1].id
    async with app.app_context(), begin() as db:
        if values:
            its = LoginSession.id == newest
            await db.execute(update(LoginSession).where(its).values(**values))
    return newest
