"""How long a series of ten thousand keeps others waiting: derived, saved, changed, undone.

python -m bench.long_series
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from quart import Quart
from sqlalchemy import select

from bench.filling import EMAIL, PASSWORD, ZONE
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.appointments import changes
from sched_async.appointments.derive import MOST_OCCURRENCES
from sched_async.appointments.expanding import derived
from sched_async.appointments.ics_text import Facts, new_text
from sched_async.appointments.undo import undo
from sched_async.database import begin, reading
from sched_async.lifespan import working
from sched_async.models import Appointment, Calendar
from sched_async.times import now
from tests.servers import create_database, postgresql_server

TICK = 0.001  # seconds


@contextmanager
def watched(what: str) -> Iterator[None]:
    """Tells how long it took, and the longest time that the event loop could do nothing else."""
    gaps = [0.0]

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(TICK)
            gaps.append(time.perf_counter() - begun - TICK)

    ticking = asyncio.get_running_loop().create_task(tick())
    begun = time.perf_counter()
    yield
    whole = time.perf_counter() - begun
    ticking.cancel()
    print(f"{what}: {whole * 1000:.0f} ms, held the loop for {max(gaps) * 1000:.0f} ms", flush=True)


def text(start: datetime) -> str:
    facts = Facts("Every day", start, start + timedelta(hours=1), False, ZONE)
    rule = f"RRULE:FREQ=DAILY;COUNT={MOST_OCCURRENCES}\r\nDTEND"
    return new_text(facts, now(), uid="1").replace("DTEND", rule, 1)


async def settled(work: Awaitable[object]) -> object:
    """With a tick at both ends, so that what holds the loop last is seen as well."""
    await asyncio.sleep(2 * TICK)
    found = await work
    await asyncio.sleep(2 * TICK)
    return found


async def measure(app: Quart) -> None:
    async with working(app, make=True):
        ada = await create_account(name="Ada", email=EMAIL, password=PASSWORD, timezone=ZONE)
        first, second = datetime(2027, 1, 1, 9), datetime(2027, 1, 1, 10)
        with watched("derive"):
            await settled(derived(text(first)))
        with watched("create"):
            number = await settled(create(ada.id, first))
        with watched("change all"):
            act_id = await settled(change(ada.id, number, second))
        with watched("undo"):
            await settled(take_back(ada.id, act_id))
        with watched("delete"):
            await settled(delete(ada.id, number))


async def create(user_id: int, start: datetime) -> int:
    made = await derived(text(start))
    async with begin() as db:
        calendar = (await db.scalars(Calendar.readable_by(user_id))).one()
        async with changes.act(db, user_id, "create") as act:
            act.put(calendar.id, made, is_fresh=True)
    return act.appointment_id or 0


async def change(user_id: int, number: object, start: datetime) -> int:
    made, row = await derived(text(start)), await one(number)
    async with begin() as db, changes.act(db, user_id, "edit") as act:
        act.replace(row, made)
    return act.id


async def take_back(user_id: int, act_id: object) -> None:
    async with begin() as db:
        await undo(db, user_id, act_id)  # type: ignore[arg-type]


async def delete(user_id: int, number: object) -> None:
    row = await one(number)
    async with begin() as db, changes.act(db, user_id, "delete") as act:
        act.delete(row)


async def one(number: object) -> Appointment:
    async with reading() as db:
        return (await db.scalars(select(Appointment).where(Appointment.id == number))).one()


def main() -> None:
    with tempfile.TemporaryDirectory() as name, postgresql_server() as server:
        urls = [
            f"sqlite+aiosqlite:///{name}/sched.db",
            asyncio.run(create_database(server, "long")),
        ]
        for url in urls:
            print(url.partition("+")[0])
            asyncio.run(measure(create_app({"DATA_DIR": Path(name), "DATABASE_URL": url})))
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory at most: {kilobytes / 1024:.0f} MB")


if __name__ == "__main__":
    main()
