"""How long a series of ten thousand keeps others waiting: derived, saved, changed, undone.

And how much longer it takes to move one of 730 by the form than to create one appointment.

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
from statistics import median

from quart import Quart
from sqlalchemy import select

from bench.filling import EMAIL, PASSWORD, ZONE
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.appointments import changes
from sched_async.appointments.expanding import derived
from sched_async.appointments.undo import undo
from sched_async.database import begin, reading
from sched_async.ics.derive import MOST_OCCURRENCES
from sched_async.ics.ics_text import Facts, new_text
from sched_async.lifespan import working
from sched_async.models import Appointment, Calendar
from sched_async.testing import signed_in
from sched_async.times import now
from tests.servers import create_database, postgresql_server

TICK = 0.001  # seconds
TURNS = 21


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


def text(start: datetime, times: int = MOST_OCCURRENCES) -> str:
    facts = Facts("Every day", start, start + timedelta(hours=1), False, ZONE)
    rule = f"RRULE:FREQ=DAILY;COUNT={times}\r\nDTEND"
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
        await move(app)


async def move(app: Quart) -> None:
    """By the form, as a person does; medians."""
    client = await signed_in(app, EMAIL)
    day = {"title": "Every day", "start": "2027-01-01T09:00", "end": "2027-01-01T10:00"}
    daily = {"repeat": "daily", "ends": "after", "count": "730"}
    series = (await client.post("/appointments/create/", form=day | daily)).location
    created, moved = [], []
    for at in range(TURNS):
        begun = time.perf_counter()
        await client.post("/appointments/create/", form=day | {"title": f"Number {at}"})
        created.append(time.perf_counter() - begun)
        hour = 10 + at % 2
        times = {"start": f"2027-01-02T{hour}:00", "end": f"2027-01-02T{hour + 1}:00"}
        on = "2027-01-02T" + ("09:00" if at == 0 else f"{11 - at % 2}:00")
        begun = time.perf_counter()
        form = day | times | {"scope": "all"}
        answer = await client.post(f"{series}edit/?on={on}", form=form)
        moved.append(time.perf_counter() - begun)
        assert answer.status_code == 303, answer
    create, move = median(created) * 1000, median(moved) * 1000
    print(f"create by the form: {create:.1f} ms, move 730: {move:.1f} ms, {move / create:.1f}")


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
