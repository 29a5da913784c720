"""Rows of appointments and their occurrences, written as they were derived.

Only for ``changes``, which says what was changed by whom, and for ``upkeep``, which derives
again what nobody has changed.  Many at once go to the database together.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..models import Appointment, Occurrence
from .derive import Derived

MANY = 500
appointments = cast(Table, Appointment.__table__)
occurrences = cast(Table, Occurrence.__table__)
ADD = insert(appointments).returning(appointments.c.id, sort_by_parameter_order=True)
THESE: Any = bindparam("ids", expanding=True)
REMOVE = delete(appointments).where(appointments.c.id.in_(THESE))
REMOVE_OCCURRENCES = delete(occurrences).where(occurrences.c.appointment_id.in_(THESE))
OCCURRENCES = select(occurrences).where(occurrences.c.appointment_id == bindparam("of"))
COUNTED = select(occurrences.c.appointment_id).where(occurrences.c.appointment_id.in_(THESE))
KEY = (occurrences.c.appointment_id, occurrences.c.recurrence_id)
KEPT = tuple(column.name for column in occurrences.c)


async def add(db: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert appointments; gives their numbers, in the same order."""
    if not rows:
        return []
    found = await db.execute(ADD, list(rows))
    return list(found.scalars())


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
    if rows:
        await db.execute(insert(occurrences), list(rows))


async def renew_occurrences(db: AsyncSession, rows: Sequence[Mapping[str, Any]], of: int) -> int:
    """Have exactly these rows of one appointment, touching those that differ; by how many more."""
    found = await db.execute(OCCURRENCES, {"of": of})
    kept = {one["recurrence_id"]: dict(one) for one in found.mappings()}
    wanted = {one["recurrence_id"]: one for one in rows}
    gone = [key for key in kept if key not in wanted]
    for some in batches(gone):
        keys = [(of, key) for key in some]
        await db.execute(delete(occurrences).where(tuple_(*KEY).in_(keys)))
    await add_occurrences(db, [one for key, one in wanted.items() if key not in kept])
    await _change(db, [one for key, one in wanted.items() if kept.get(key, one) != one])
    return len(wanted) - len(kept)


async def _change(db: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    here = tuple(column == bindparam(f"of_{column.name}") for column in KEY)
    keys = {column.name for column in KEY}
    values = [{f"of_{n}" if n in keys else n: value for n, value in one.items()} for one in rows]
    changed: dict[str, Any] = {name: bindparam(name) for name in KEPT if name not in keys}
    connection = await db.connection()
    await connection.execute(update(occurrences).where(*here).values(changed), values)


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


def batches(values: Iterable[Any]) -> Iterable[list[Any]]:
    whole = list(values)
    return (whole[at : at + MANY] for at in range(0, len(whole), MANY))
