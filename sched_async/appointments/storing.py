"""Rows of appointments and their occurrences, written as they were derived.

Only for ``changes``, which says what was changed by whom, and for ``upkeep``, which derives
again what nobody has changed.  Many at once go to the database together.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from ..ics.derive import Derived
from ..models import Appointment, Occurrence

MANY = 500
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""That can say what becomes of a row that is there already."""
WIDE = 100
"""Of rows with all that an appointment has, whose values take long to lay out."""
appointments = cast(Table, Appointment.__table__)
occurrences = cast(Table, Occurrence.__table__)
NAME = (appointments.c.calendar_id, appointments.c.uid)
ADD = insert(appointments).returning(appointments.c.id, *NAME)
THESE: Any = bindparam("ids", expanding=True)
REMOVE = delete(appointments).where(appointments.c.id.in_(THESE))
REMOVE_OCCURRENCES = delete(occurrences).where(occurrences.c.appointment_id.in_(THESE))
COUNTED = select(occurrences.c.appointment_id).where(occurrences.c.appointment_id.in_(THESE))


async def add(db: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert appointments; gives their numbers, in the same order."""
    ids: dict[tuple[int, str], int] = {}
    for some in batches(rows, WIDE):
        # In the order of the rows SQLAlchemy would insert them one by one on SQLite.
        for number, *name in await db.execute(ADD, some):
            ids[tuple(name)] = number
    return [ids[row["calendar_id"], row["uid"]] for row in rows]


async def change(db: AsyncSession, appointment_id: int, values: Mapping[str, Any]) -> None:
    await db.execute(_change_to(tuple(values)), {**values, "of": appointment_id})


@cache
def _change_to(columns: tuple[str, ...]) -> Any:
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return update(appointments).where(appointments.c.id == bindparam("of")).values(values)


async def remove(db: AsyncSession, ids: Collection[int]) -> None:
    """Occurrences first: the foreign key would look for them one by one."""
    for some in batches(sorted(ids)):
        await db.execute(REMOVE_OCCURRENCES, {"ids": some})
        await db.execute(REMOVE, {"ids": some})


def row(derived: Derived, calendar_id: int, rev: int) -> dict[str, Any]:
    return {**derived.columns, "ics": derived.ics, "calendar_id": calendar_id, "rev": rev}


def occurrence_rows(
    appointment_id: int, calendar_id: int, derived: Derived
) -> list[dict[str, Any]]:
    whose = {"appointment_id": appointment_id, "calendar_id": calendar_id}
    return [whose | one for one in derived.occurrences]


async def add_occurrences(db: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    for some in batches(rows):
        await db.execute(insert(occurrences), some)


async def renew_occurrences(db: AsyncSession, rows: Sequence[Mapping[str, Any]], of: int) -> int:
    """Have exactly these rows of one appointment, touching those that differ; by how many more."""
    wanted = {one["recurrence_id"]: one for one in rows}
    gone, missing, count = [], dict(wanted), 0
    async for kept in _kept(db, of):
        count += 1
        key = kept["recurrence_id"]
        if wanted.get(key) == kept:
            del missing[key]
        else:
            gone.append(key)
    for some in batches(gone):
        these = occurrences.c.recurrence_id.in_(some)
        await db.execute(delete(occurrences).where(occurrences.c.appointment_id == of, these))
    await add_occurrences(db, list(missing.values()))
    return len(wanted) - count


async def _kept(db: AsyncSession, of: int) -> AsyncIterator[dict[str, Any]]:
    """A few at a time, so that a long series keeps nobody waiting."""
    key = occurrences.c.recurrence_id
    query = select(occurrences).where(occurrences.c.appointment_id == of).order_by(key).limit(MANY)
    some = (await db.execute(query)).mappings().all()
    while some:
        for one in some:
            yield dict(one)
        after = key > some[-1]["recurrence_id"]
        some = (await db.execute(query.where(after))).mappings().all()


async def move_occurrences(db: AsyncSession, appointment_id: int, calendar_id: int) -> None:
    its = occurrences.c.appointment_id == appointment_id
    await db.execute(update(occurrences).where(its).values(calendar_id=calendar_id))


async def count_occurrences(db: AsyncSession, ids: Collection[int]) -> dict[int, int]:
    """How many each of these has; the keys alone are read, by the index."""
    counts: dict[int, int] = dict.fromkeys(ids, 0)
    for some in batches(sorted(ids)):
        for number in (await db.execute(COUNTED, {"ids": some})).scalars():
            counts[number] += 1
    return counts


def batches(values: Iterable[Any], size: int = MANY) -> Iterable[list[Any]]:
    whole = list(values)
    return (whole[at : at + size] for at in range(0, len(whole), size))
