"""What is in the database, whatever the pages say."""

from typing import TypeVar

from quart import Quart
from sqlalchemy import select

from sched_async.database import reading
from sched_async.models import Activity, Base

Row = TypeVar("Row", bound=Base)


async def all_rows(app: Quart, model: type[Row]) -> list[Row]:
    """The rows of a table, in the order of its key."""
    async with app.app_context(), reading() as db:
        return list(await db.scalars(select(model).order_by(*model.__table__.primary_key)))


async def activities(app: Quart, user_id: int) -> list[str]:
    async with app.app_context(), reading() as db:
        query = select(Activity.event).where(Activity.user_id == user_id).order_by(Activity.id)
        return list(await db.scalars(query))


async def contents(app: Quart) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but for what only counts and tells what was tried."""
    async with app.app_context(), reading() as db:
        return {
            table.name: sorted(tuple(row) for row in await db.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in ("attempt", "activity")
        }
