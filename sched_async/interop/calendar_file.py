"""One iCalendar file of many appointments, of which little is in memory.

Rows are read a batch at a time, during which alone a connection is held.  Their events go, in
a thread, to a file that moves to the disk when it grows: only after the last one it is known
which zones have to stand before the first.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from ..database import reading
from ..gently import gently
from ..ics.content_lines import Part, read
from ..ics.derive import FAR
from ..models import Appointment, Occurrence
from ..times import now
from . import ics
from .file_zones import FileZones

BATCH = 100  # rows: more take longer to read than a page should wait
IN_MEMORY = 1024 * 1024  # bytes
Shape = Callable[[Part], Part]


class Events:
    """Appointments as events, and what has to stand before them."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (closed by __exit__)
        self.zones = FileZones()
        self.uids: set[str] = set()

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def add(self, rows: Sequence[Any]) -> None:
        """Those that are not there yet: several calendars can hold one of the same UID."""
        for row in gently(rows):
            if row.uid not in self.uids:
                self.uids.add(row.uid)
                calendar = self.shape(read(row.ics))
                self.zones.settle(calendar)
                self.file.write(ics.events(calendar))

    def write_to(self, entry: IO[bytes], head: bytes, first: date, last: date) -> None:
        entry.write(head)
        for block in self.zones.blocks(first, last):
            entry.write(block)
        self.file.seek(0)
        shutil.copyfileobj(self.file, entry)
        entry.write(ics.TAIL)


async def write(
    entry: IO[bytes],
    mine: Select[Any],
    calendar_ids: Iterable[int],
    name: str = "",
    color: str = "",
    *,
    shape: Shape = lambda calendar: calendar,
    again: bool = False,
) -> int:
    """Write what a query finds in calendars as one file; gives how many appointments it has.

    ``shape`` makes of each appointment what is shown of it.  With ``again`` the file asks to be
    read every hour.
    """
    first, last = await _reach(mine)
    texts: Any = mine.with_only_columns(Appointment.uid, Appointment.ics)
    with Events(shape) as events:
        async for rows in in_calendars(texts, calendar_ids):
            await asyncio.to_thread(events.add, rows)
        await asyncio.to_thread(
            events.write_to, entry, ics.head(name, color, again=again), first, last
        )
        return len(events.uids)


async def make(
    mine: Select[Any], calendar_id: int, name: str = "", color: str = "", **how: Any
) -> IO[bytes]:
    """The same of one calendar, as a file by itself; the caller closes it."""
    made = cast(IO[bytes], SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (it is handed on)
    try:
        await write(made, mine, [calendar_id], name, color, **how)
    except BaseException:
        made.close()
        raise
    return made


async def in_calendars(
    mine: Select[Any], calendar_ids: Iterable[int]
) -> AsyncIterator[Sequence[Any]]:
    """The rows of one calendar after the other, by UID: in any other order each batch sorts all."""
    for calendar_id in calendar_ids:
        of_one = mine.where(Appointment.calendar_id == calendar_id)
        async for rows in batches(of_one, Appointment.uid):
            yield rows


async def _reach(mine: Select[Any]) -> tuple[date, date]:
    """The days from and to which zones need their rules: without end as far as is ever shown."""
    ends = (func.min(Occurrence.start_utc), func.max(Occurrence.end_utc))
    of_mine = and_(
        Occurrence.appointment_id == Appointment.id,
        Occurrence.calendar_id == Appointment.calendar_id,
    )
    endless = mine.where(Appointment.expanded_until.is_not(None)).with_only_columns(Appointment.id)
    async with reading() as db:
        spans = mine.join(Occurrence, of_mine).with_only_columns(*ends)
        first, last = (await db.execute(spans)).one()
        goes_on = await db.scalar(select(endless.exists()))
    today = now()
    if goes_on:
        last = max(last or today, today) + FAR
    return (first or today).date(), (last or today).date()


async def batches(
    query: Select[Any], *order: InstrumentedAttribute[Any]
) -> AsyncIterator[Sequence[Any]]:
    """The rows of a query that has these columns, in their order, which is that of an index."""
    page = query.order_by(*order).limit(BATCH)
    rows = await _read(page)
    while rows:
        yield rows
        last = tuple(getattr(rows[-1], column.key) for column in order)
        rows = await _read(page.where(tuple_(*order) > last)) if len(rows) == BATCH else ()


async def _read(query: Select[Any]) -> Sequence[Any]:
    async with reading() as db:
        rows: Sequence[Any] = (await db.execute(query)).all()
        return rows
