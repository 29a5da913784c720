"""Derives again what nobody has changed: by new rules, for a later horizon, by a new version.

A transaction takes at most 500; what is slow happens before it.  Whoever changes one of them
meanwhile has the last word.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import begin, reading
from ..errors import RefusedError
from ..ics import derive
from ..ics.derive import Derived
from ..models import Appointment, Calendar, Reminder, Zone
from ..times import now
from . import expanding, storing

BATCH = 500  # rows a transaction
NEARLY = derive.AHEAD - timedelta(days=30)
VERSION = "derive"
"""Under this name, which no zone has, ``zone`` keeps by which version all was derived."""
log = logging.getLogger("sched_async.background")
Row = Any


async def move_horizon() -> None:
    """Follow series without end further, once the horizon comes nearer than they reach."""
    await again(Appointment.expanded_until < now() + NEARLY)


async def work_off_version() -> None:
    """What an earlier version derived, a batch after the other."""
    async with reading() as db:
        done = await db.scalar(select(Zone.fingerprint).where(Zone.name == VERSION))
    if done == str(derive.VERSION):
        return
    if done is not None or await _is_any():
        await again(Appointment.id > 0)
    async with begin() as db:
        await db.merge(Zone(name=VERSION, fingerprint=str(derive.VERSION)))


async def _is_any() -> bool:
    async with reading() as db:
        return await db.scalar(select(func.max(Appointment.id))) is not None


async def again(condition: ColumnElement[bool]) -> None:
    """Derive those again for which the condition holds."""
    last = 0
    while rows := await read_batch(condition, last):
        last = rows[-1]["id"]
        found = [(row, made) for row in rows if (made := await rederived(row)) is not None]
        async with begin() as db:
            await _write(db, found)


async def read_batch(condition: ColumnElement[bool], after: int) -> Sequence[Row]:
    table = storing.appointments
    query = select(table).where(condition, table.c.id > after).order_by(table.c.id).limit(BATCH)
    async with reading() as db:
        return (await db.execute(query)).mappings().all()


async def rederived(row: Row, moment: datetime | None = None) -> Derived | None:
    """None, and a word in the log, for a text that cannot be derived."""
    try:
        return await expanding.in_thread(partial(derive.derive, row["ics"], moment or now()))
    except RefusedError as refused:
        log.error("appointment %s cannot be derived: %s", row["id"], refused)
        return None


async def _write(db: AsyncSession, found: Sequence[tuple[Row, Derived]]) -> None:
    """Calendars are locked first and in their order, as every change does it."""
    calendars = sorted({row["calendar_id"] for row, _ in found})
    grown = dict.fromkeys(calendars, 0)
    await db.execute(
        select(Calendar.id)
        .where(Calendar.id.in_(calendars))
        .order_by(Calendar.id)
        .with_for_update()
    )
    ids = [row["id"] for row, _ in found]
    seen = select(Appointment.id, Appointment.rev, Appointment.calendar_id)
    now_there = {tuple(row) for row in await db.execute(seen.where(Appointment.id.in_(ids)))}
    await db.execute(Reminder.look_again(Reminder.appointment_id.in_(ids)))
    for row, made in found:
        if (row["id"], row["rev"], row["calendar_id"]) in now_there:
            grown[row["calendar_id"]] += await _write_one(db, row, made)
    for number, more in grown.items():
        if more:
            mine = update(Calendar).where(Calendar.id == number)
            await db.execute(mine.values(occurrences=Calendar.occurrences + more))


async def _write_one(db: AsyncSession, row: Row, made: Derived) -> int:
    changed = {name: value for name, value in made.columns.items() if row[name] != value}
    if changed:
        await storing.change(db, row["id"], changed)
    rows = storing.occurrence_rows(row["id"], row["calendar_id"], made)
    return await storing.renew_occurrences(db, rows, row["id"])
