"""Every change of calendars themselves; what is in them is the business of ``changes``."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import chain, count
from typing import Any
from unicodedata import normalize

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import RefusedError
from ..first_calendar import COLOR
from ..models import Act, Calendar, User
from ..times import now
from . import changes
from .acts import ChangedError
from .changes import CORE
from .counts import FULL, MOST_CALENDARS, refuse_sums

COLORS = (
    "indigo",
    "amber",
    "rose",
    "brick",
    "sky",
    "plum",
    "teal",
    "olive",
    "moss",
    "slate",
)
"""In the order in which they are handed out: each as far as can be from those before."""
LAST = "This is your only calendar. Create another one before you delete it."
AS_WANTED = "There is nothing to undo: the calendar has been deleted or brought back since."
TAKEN = "You already have a calendar with this name."


async def add(
    db: AsyncSession, user_id: int, name: str, color: str, submission: str | None = None
) -> Calendar:
    """Save a new calendar behind the others, unless ``submission`` has made it already.

    The caller commits.  Raises RefusedError.
    """
    await _lock(db, user_id)
    if submission and (first := await _made_before(db, user_id, submission)):
        return first
    await refuse_too_many(db, user_id)
    await _refuse_taken(db, user_id, name)
    last = select(func.max(Calendar.position)).where(Calendar.user_id == user_id)
    position = (await db.scalar(last) or 0) + 1
    made = Calendar(user_id=user_id, name=name, color=color, position=position)
    db.add(made)
    await db.flush()
    named = changes.act(
        db, user_id, "create_calendar", name, submission=submission, calendar_id=made.id
    )
    async with named:
        pass
    return made


async def _made_before(db: AsyncSession, user_id: int, submission: str) -> Calendar | None:
    acts = select(Act.calendar_id).where(Act.user_id == user_id, Act.submission == submission)
    return await db.scalar(Calendar.readable_by(user_id).where(Calendar.id.in_(acts)))


async def _refuse_taken(
    db: AsyncSession, user_id: int, name: str, calendar_id: int | None = None
) -> None:
    """Two of one name cannot be told apart; undo can bring such a one back, and it may stay."""
    query = Calendar.readable_by(user_id).with_only_columns(Calendar.id, Calendar.name)
    names = {row.id: _compared(row.name) for row in await db.execute(query)}
    wanted = _compared(name)
    if names.pop(calendar_id, None) != wanted and wanted in names.values():
        raise RefusedError(TAKEN, "name")


def named(calendars: Iterable[Any], name: str) -> Any:
    """The one among them that has this name, as far as names differ; or None."""
    return next((one for one in calendars if _compared(one.name) == _compared(name)), None)


def free_name(calendars: Collection[Any], name: str) -> str:
    """The same, with a number if it is taken."""
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    return next(one for one in names if named(calendars, one) is None)


def _compared(name: str) -> str:
    return normalize("NFKC", normalize("NFKC", name).casefold())


async def change(db: AsyncSession, user_id: int, calendar_id: int, **values: Any) -> None:
    """Its name, color or is_hidden; RefusedError, or ChangedError when there is none."""
    if "name" in values:
        await _lock(db, user_id)
        await _refuse_taken(db, user_id, values["name"], calendar_id)
    mine = update(Calendar).where(Calendar.id == calendar_id, Calendar.user_id == user_id)
    mine = mine.where(Calendar.deleted_at.is_(None)).values(**values).returning(Calendar.id)
    if await db.scalar(mine, execution_options=CORE) is None:
        raise ChangedError({calendar_id})


async def make_default(db: AsyncSession, user_id: int, calendar_id: int) -> None:
    await _lock(db, user_id)
    follows = Calendar.readable_by(user_id).where(Calendar.id == calendar_id)
    if await db.scalar(follows.with_only_columns(Calendar.is_followed)):
        raise RefusedError(changes.FOLLOWED)
    first = select(func.min(Calendar.position)).where(Calendar.user_id == user_id)
    position = await db.scalar(first) or 0
    await change(db, user_id, calendar_id, position=position - 1)


async def delete(db: AsyncSession, user_id: int, calendar_id: int) -> int:
    """With all that is in it, for thirty days; gives the number of the act that can be undone."""
    await _lock(db, user_id)
    calendars = (await db.scalars(Calendar.readable_by(user_id))).all()
    found = next((one for one in calendars if one.id == calendar_id), None)
    if found is None:
        raise ChangedError({calendar_id})
    if [one for one in calendars if not one.is_followed] == [found]:
        raise RefusedError(LAST)
    named = changes.act(db, user_id, "delete_calendar", found.name, calendar_id=calendar_id)
    async with named as act:
        pass
    await change(db, user_id, calendar_id, deleted_at=now())
    return act.id


async def restore(db: AsyncSession, user_id: int, calendar_id: int) -> None:
    """Undo its deletion."""
    await _lock(db, user_id)
    await refuse_too_many(db, user_id)
    await _set_deleted(db, user_id, calendar_id, None)
    await refuse_sums(db, user_id)


async def delete_again(db: AsyncSession, user_id: int, calendar_id: int) -> None:
    """Undo that it was made, or brought back."""
    await _lock(db, user_id)
    own = Calendar.readable_by(user_id).where(Calendar.is_followed.is_(False))
    if [one.id for one in await db.scalars(own)] == [calendar_id]:
        raise RefusedError(LAST)
    await _set_deleted(db, user_id, calendar_id, now())


async def _set_deleted(
    db: AsyncSession, user_id: int, calendar_id: int, moment: datetime | None
) -> None:
    mine = (Calendar.id == calendar_id, Calendar.user_id == user_id)
    other = Calendar.deleted_at.is_(None) if moment else Calendar.deleted_at.is_not(None)
    done = update(Calendar).where(*mine, other).values(deleted_at=moment).returning(Calendar.id)
    if await db.scalar(done, execution_options=CORE) is None:
        raise RefusedError(AS_WANTED)


async def refuse_too_many(db: AsyncSession, user_id: int) -> None:
    count = Calendar.readable_by(user_id).with_only_columns(func.count())
    if (await db.scalar(count) or 0) >= MOST_CALENDARS:
        raise RefusedError(FULL.format(MOST_CALENDARS, "calendars"))


async def _lock(db: AsyncSession, user_id: int) -> None:
    """One after the other, so that two cannot both take the last place, or the last calendar."""
    await db.execute(select(User.id).where(User.id == user_id).with_for_update())


async def add_for_import(
    db: AsyncSession, user_id: int, name: str, others: Sequence[Any], color: str = ""
) -> Calendar:
    """A new calendar, else in a colour that the ``others`` do not have."""
    return await add(db, user_id, name, color or next_color([one.color for one in others]))


def next_color(used: list[str]) -> str:
    """The first that is not in use, or the first of all."""
    return next((color for color in COLORS if color not in used), COLOR)
