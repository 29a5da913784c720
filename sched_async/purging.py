"""Removes for good what is over: deleted calendars, old changes, what was a person's.

A thousand rows at a time, so that no statement and no transaction takes long.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from .database import begin
from .models import Act, Appointment, Calendar, Change, Occurrence
from .times import now

KEPT = timedelta(days=30)
BATCH = 1000  # rows
CONTENTS: tuple[type[Any], ...] = (Occurrence, Appointment, Change)


async def purge() -> None:
    """The daily work: calendars whose thirty days in the trash are over, and old changes."""
    async with begin() as db:
        over = select(Calendar.id).where(Calendar.deleted_at <= now() - KEPT)
        calendars = (await db.scalars(over)).all()
    for number in calendars:
        more = True
        while more:
            async with begin() as db:
                more = await empty_calendar(db, number)
        async with begin() as db:
            await db.execute(delete(Calendar).where(Calendar.id == number))
    more = True
    while more:
        async with begin() as db:
            more = await _prune(db)


async def empty_calendar(db: AsyncSession, calendar_id: int) -> bool:
    """Remove a thousand rows of what is in it; whether there may be more."""
    for model in CONTENTS:
        if await _remove_some(db, model, model.calendar_id == calendar_id):
            return True
    return False


async def empty_user(db: AsyncSession, user_id: int) -> None:
    """Remove all that is in a person's calendars, before the account itself."""
    for number in (await db.scalars(select(Calendar.id).where(Calendar.user_id == user_id))).all():
        while await empty_calendar(db, number):
            pass
    while await _remove_some(db, Act, Act.user_id == user_id):
        pass


async def _remove_some(db: AsyncSession, model: Any, where: ColumnElement[bool]) -> int:
    key = tuple(model.__table__.primary_key)
    some = select(*key).where(where).limit(BATCH)
    gone = delete(model).where(tuple_(*key).in_(some) if len(key) > 1 else key[0].in_(some))
    found: Any = await db.execute(gone, execution_options={"synchronize_session": False})
    return int(found.rowcount)


async def _prune(db: AsyncSession) -> bool:
    """Changes that cannot be undone any more; acts go with them, but for names of forms."""
    over = Act.made_at <= now() - KEPT
    newest = await db.scalar(select(func.max(Act.id)).where(over))
    if newest is None:
        return False
    some = select(Change.calendar_id, Change.rev).where(Change.act_id <= newest).limit(BATCH)
    rows = (await db.execute(some)).all()
    if rows:
        for number in sorted({row.calendar_id for row in rows}):
            revs = [row.rev for row in rows if row.calendar_id == number]
            here = (Change.calendar_id == number, Change.rev.in_(revs))
            await db.execute(delete(Change).where(*here))
            mine = update(Calendar).where(Calendar.id == number, Calendar.pruned_rev < max(revs))
            await db.execute(mine.values(pruned_rev=max(revs)))
        return True
    return await _remove_some(db, Act, over & Act.submission.is_(None)) > 0
