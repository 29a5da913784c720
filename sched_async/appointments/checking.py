"""Compares all that is kept of appointments with what follows from their texts."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import func, select

from ..database import reading
from ..errors import RefusedError
from ..ics import derive
from ..models import Appointment, Calendar, Occurrence
from ..times import now
from . import expanding, storing, upkeep

PATIENCE = 600.0  # seconds for a batch: here nobody waits for a page
Rows = Sequence[dict[str, Any]]


async def differences() -> AsyncIterator[str]:
    """A line for each appointment and calendar of which something differs."""
    last, moment = 0, now()
    while batch := await upkeep.read_batch(Appointment.id > 0, last):
        last = batch[-1]["id"]
        kept = await _occurrences([row["id"] for row in batch])
        compare = partial(_compare, [(row, kept.get(row["id"], [])) for row in batch], moment)
        for line in await expanding.in_thread(compare, PATIENCE):
            yield line
    async for line in _miscounted():
        yield line


async def _occurrences(ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    table = storing.occurrences
    query = select(table).where(table.c.appointment_id.in_(ids))
    found: dict[int, list[dict[str, Any]]] = {}
    async with reading() as db:
        for row in (await db.execute(query)).mappings():
            found.setdefault(row["appointment_id"], []).append(dict(row))
    return found


def _compare(pairs: Sequence[tuple[Any, Rows]], moment: datetime) -> list[str]:
    found = []
    for row, occurrences in pairs:
        if wrong := list(_differing(row, occurrences, moment)):
            found.append(f"appointment {row['id']}: {', '.join(wrong)}")
    return found


def _differing(row: Any, occurrences: Rows, moment: datetime) -> Iterator[str]:
    try:
        made = derive.derive(row["ics"], moment)
    except RefusedError as refused:
        yield f"its text cannot be read ({refused})"
        return
    until, horizon = row["expanded_until"], made.columns["expanded_until"]
    for name, value in made.columns.items():
        if row[name] != value and name != "expanded_until":
            yield name
    if (until is None) != (horizon is None):
        yield "expanded_until"
    limit = min(until, horizon) if until and horizon else None
    wanted = storing.occurrence_rows(row["id"], row["calendar_id"], made)
    if _by_key(occurrences, limit) != _by_key(wanted, limit):
        yield "occurrences"


def _by_key(rows: Rows, limit: datetime | None) -> dict[str, dict[str, Any]]:
    """As far as both reach."""
    return {row["recurrence_id"]: row for row in rows if limit is None or row["start_utc"] < limit}


async def _miscounted() -> AsyncIterator[str]:
    counted = []
    async with reading() as db:
        calendars = (await db.scalars(select(Calendar).order_by(Calendar.id))).all()
        for model in (Appointment, Occurrence):
            query = select(model.calendar_id, func.count()).group_by(model.calendar_id)
            counted.append({row[0]: row[1] for row in await db.execute(query)})
    for calendar in calendars:
        here = tuple(counts.get(calendar.id, 0) for counts in counted)
        if here != (calendar.appointments, calendar.occurrences):
            yield f"calendar {calendar.id}: how much is in it"
