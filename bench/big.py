"""A person with a hundred thousand appointments beside one with fifty, in one database.

python -m bench.big [--part 1.0] [--rounds 60]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from quart import Quart

from bench.big_filling import BIG, SMALL, Size, fill
from bench.filling import ZONE
from bench.parts import Asking, sign_in
from sched_async.app import create_app
from sched_async.appointments import changes
from sched_async.appointments.expanding import derived
from sched_async.appointments.listing import read_page
from sched_async.appointments.occurrences import occurrences
from sched_async.appointments.reading import calendars_of, facts_of
from sched_async.appointments.undo import undo
from sched_async.appointments.views.periods import Period, period
from sched_async.database import begin, reading
from sched_async.ics.ics_text import Facts, new_text, patched
from sched_async.lifespan import working
from sched_async.models import Appointment, Calendar
from sched_async.times import now
from tests.servers import create_database, postgresql_server

LIST, READ, MONTH = "the list, as a page", "the list, reading alone", "a month's occurrences"
CREATE, EDIT, UNDO, DELETE = "create", "edit", "undo", "delete"
VIEWS = {f"the {view}, as a page": view for view in ("month", "week", "agenda")}
READS, WRITES = (LIST, READ, MONTH, *VIEWS), (CREATE, EDIT, UNDO, DELETE)
GOALS = dict.fromkeys(READS, 1.2) | dict.fromkeys(WRITES, 1.5)
WARM = 5  # rounds that do not count
Times = dict[str, list[float]]


def to_come(view: str) -> Period:
    """The first days of a view that begin after today."""
    shown = period(view, now().date(), 1)
    while shown.first <= now().date():
        shown = period(view, shown.anchor + timedelta(days=7 if view != "month" else 31), 1)
    return shown


class Person:
    """Does one thing after the other, and notes how long each takes."""

    def __init__(self, number: int, asking: Asking) -> None:
        self.number = number
        self.asking = asking
        self.times: Times = {name: [] for name in GOALS}

    async def timed(self, name: str, work: Awaitable[Any]) -> Any:
        started = time.perf_counter()
        found = await work
        self.times[name].append((time.perf_counter() - started) * 1000)
        return found

    async def once(self) -> None:
        await self.timed(LIST, self.ask("/appointments/"))
        for name, view in VIEWS.items():
            await self.timed(name, self.ask(f"/calendar/{view}/{to_come(view).key}/"))
        await self.timed(READ, read_page(self.number, ZONE, past=False, after=None))
        await self.timed(MONTH, self.month())
        number = await self.timed(CREATE, self.create())
        await self.timed(UNDO, self.undo(await self.timed(EDIT, self.edit(number))))
        await self.timed(DELETE, self.delete(number))

    async def ask(self, path: str) -> None:
        self.asking.path = path
        await self.asking.ask()

    async def month(self) -> list[Any]:
        today = now().replace(hour=0, minute=0, second=0, microsecond=0)
        calendars = [one.id for one in await calendars_of(self.number)]
        return await occurrences(calendars, today, today + timedelta(days=31), ZONE)

    async def create(self) -> int:
        start = now().replace(microsecond=0, tzinfo=None) + timedelta(days=40)
        facts = Facts("Dentist", start, start + timedelta(hours=1), False, ZONE)
        made = await derived(new_text(facts, now()))
        async with begin() as db:
            mine = Calendar.readable_by(self.number).order_by(Calendar.position).limit(1)
            calendar = (await db.scalars(mine)).one()
            async with changes.act(db, self.number, "create", "Dentist") as act:
                act.put(calendar.id, made, is_fresh=True)
        return act.appointment_id or 0

    async def edit(self, number: int) -> int:
        row = await self.row(number)
        shown = facts_of(row)
        wanted = replace(shown, title="Optician", start=shown.start - timedelta(minutes=30))
        made = await derived(patched(row.ics, shown, wanted, now()))
        async with begin() as db, changes.act(db, self.number, "edit", "Optician") as act:
            act.replace(row, made)
        return act.id

    async def undo(self, act_id: int) -> None:
        async with begin() as db:
            await undo(db, self.number, act_id)

    async def delete(self, number: int) -> None:
        row = await self.row(number)
        async with begin() as db, changes.act(db, self.number, "delete", "Dentist") as act:
            act.delete(row)

    async def row(self, number: int) -> Appointment:
        async with reading() as db:
            query = Appointment.readable_by(self.number).where(Appointment.id == number)
            return (await db.scalars(query)).one()


async def measure(app: Quart, rounds: int) -> tuple[Person, Person]:
    """Both in turns, so that what else the machine does slows down either."""
    async with app.app_context():
        people = []
        for number in (BIG, SMALL):
            people.append(Person(number, Asking(app, await sign_in(app, number))))
        for at in range(rounds):
            for person in people if at % 2 else reversed(people):
                await person.once()
        big, small = people
        assert len(await big.month()) == len(await small.month())
        for view in VIEWS.values():
            assert to_come(view).first > now().date(), "both must see the same"
        return big, small


def table(name: str, big: Person, small: Person) -> str:
    lines = [f"| {name} | fifty, ms | a hundred thousand, ms | ratio | goal |"]
    lines += ["|---|---:|---:|---:|---|"]
    for what, goal in GOALS.items():
        one, other = (statistics.median(who.times[what][WARM:]) for who in (small, big))
        lines.append(f"| {what} | {one:.2f} | {other:.2f} | {other / one:.2f} | ≤ {goal} |")
    return "\n".join(lines)


async def run(folder: Path, server: str, size: Size, rounds: int) -> None:
    urls = {
        "SQLite": f"sqlite+aiosqlite:///{folder}/sched.db",
        "PostgreSQL": await create_database(server, "big"),
    }
    same = {"DATA_DIR": folder, "PUBLIC_URL": "http://localhost:8000"}
    apps = [create_app(same | {"DATABASE_URL": url}) for url in urls.values()]
    started = time.monotonic()
    async with working(apps[0], make=True), working(apps[1], make=True):
        await fill(apps, size)
        print(f"filled with {size} in {time.monotonic() - started:.0f} s", flush=True)
        for name, app in zip(urls, apps, strict=True):
            print(table(name, *await measure(app, rounds)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=float, default=1.0, help="of all that is to be filled in")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, postgresql_server() as server:
        size = Size().part(options.part)
        asyncio.run(run(Path(name), server, size, options.rounds))


if __name__ == "__main__":
    main()
