"""A thousand people with a million occurrences; one has a fifth of them, another fifty.

What both have to come is the same, so that their pages have as much on them: the many of the
one lie in the ten years before.  All rows are what follows from their texts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

from quart import Quart
from sqlalchemy import Table, insert, text

from bench.filling import ZONE
from sched_async.appointments import storing, upkeep
from sched_async.appointments.zones import fingerprint
from sched_async.database import begin
from sched_async.ics.derive import VERSION, Derived, derive
from sched_async.ics.ics_text import Facts, new_text
from sched_async.models import Calendar, User, Zone
from sched_async.times import now

BIG, SMALL = 1, 2  # numbers of people
CALENDARS = 3  # of either; of everybody else one
TO_COME = 50
YEARS = timedelta(days=3653)
WEEKLY = 11  # occurrences of a series of the big one's
OTHERS = 8  # occurrences of each series of anybody else
LONG = 99  # of each thousand the one that takes forty days
MANY = 1000  # appointments at a time
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


@dataclass(frozen=True)
class Size:
    """How much there is; ``appointments`` and ``occurrences`` are the big one's."""

    people: int = 1000
    appointments: int = 99_999  # one short of what a person can keep
    occurrences: int = 200_000
    all: int = 1_000_000

    def part(self, part: float) -> "Size":
        counts = (self.people, self.appointments, self.occurrences, self.all)
        return Size(*(round(one * part) for one in counts))


async def fill(apps: Iterable[Quart], size: Size) -> None:
    """Fill new databases with the same; those of ``apps``, which are open."""
    apps = list(apps)
    for app in apps:
        await _insert(app, (User, _people(size)), (Calendar, _calendars(size)))
    counts: dict[int, list[int]] = {}
    numbers, left = count(1), _appointments(size)
    while some := list(islice(left, MANY)):
        rows: list[dict[str, Any]] = []
        occurrences: list[dict[str, Any]] = []
        for number, (calendar_id, made) in zip(numbers, some, strict=False):
            rows.append(storing.row(made, calendar_id, 1) | {"id": number})
            occurrences += storing.occurrence_rows(number, calendar_id, made)
            counted = counts.setdefault(calendar_id, [0, 0])
            counted[:] = counted[0] + 1, counted[1] + len(made.occurrences)
        for app in apps:
            await _insert(app, (storing.appointments, rows), (storing.occurrences, occurrences))
    for app in apps:
        await _finish(app, counts)


async def _insert(app: Quart, *rows: tuple[Any, list[dict[str, Any]]]) -> None:
    async with app.app_context(), begin() as db:
        for table, some in rows:
            await db.execute(insert(table), some)


def _people(size: Size) -> list[dict[str, Any]]:
    same = {"password_hash": "", "timezone": ZONE}
    numbers = range(1, size.people + 1)
    return [{"id": n, "name": f"N. {n}", "email": f"{n}@example.org", **same} for n in numbers]


def _calendars(size: Size) -> list[dict[str, Any]]:
    whose = [BIG] * CALENDARS + [SMALL] * CALENDARS + list(range(SMALL + 1, size.people + 1))
    same = {"name": "Personal", "color": "indigo", "rev": 1, "pruned_rev": 1}
    return [{"id": n, "user_id": one, "position": n, **same} for n, one in enumerate(whose, 1)]


def _appointments(size: Size) -> Iterator[tuple[int, Derived]]:
    """Of which calendar, as what."""
    moment = now()
    today = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for number in range(TO_COME):  # three in two days, from tomorrow on
        start = today + timedelta(hours=33 + 16 * number)
        for person in (BIG, SMALL):
            yield _calendar(person, number), _made(start, number, moment)
    past, all_past = size.appointments - TO_COME, size.occurrences - TO_COME
    series = (all_past - past) // (WEEKLY - 1)
    for number in range(past):
        times = WEEKLY if number * series // past != (number + 1) * series // past else 1
        start = today - HOUR - YEARS * number / past
        if times > 1 or number % 1000 == LONG:
            start -= WEEKLY * WEEK  # over by now, too
        yield _calendar(BIG, number), _made(start, number, moment, times)
    others = (size.all - size.occurrences - TO_COME) // OTHERS
    for number in range(others):
        start = today - YEARS * number / others
        calendar_id = 2 * CALENDARS + 1 + number % (size.people - SMALL)
        yield calendar_id, _made(start, number, moment, OTHERS)


def _calendar(person: int, number: int) -> int:
    return (person - 1) * CALENDARS + 1 + number % CALENDARS


def _made(start: datetime, number: int, moment: datetime, times: int = 1) -> Derived:
    """Every tenth is a whole day; every thousandth takes forty."""
    is_day, is_long = number % 10 == 9, number % 1000 == LONG and times == 1
    start = start.replace(minute=30 * (number % 2), second=0, microsecond=0)
    end = start + (timedelta(days=40) if is_long else HOUR)
    if is_day:
        start, end = start.replace(hour=0, minute=0), end.replace(hour=0, minute=0)
    place = f"Room {number % 40}" if number % 2 else ""
    facts = Facts(f"Meeting number {number}", start, end, is_day, None if is_day else ZONE, place)
    ics = new_text(facts, moment)
    if times > 1:
        ics = ics.replace("DTEND", f"RRULE:FREQ=WEEKLY;COUNT={times}\r\nDTEND", 1)
    return derive(ics, moment)


async def _finish(app: Quart, counts: dict[int, list[int]]) -> None:
    """What the app would have written beside the rows, and what the database knows of them."""
    zones = ((ZONE, fingerprint(ZONE)), (upkeep.VERSION, str(VERSION)))
    async with app.app_context(), begin() as db:
        dialect = db.get_bind().dialect.name
        calendar: Table = Calendar.__table__  # type: ignore[assignment]
        for number, (appointments, occurrences) in counts.items():
            values = {"appointments": appointments, "occurrences": occurrences}
            await db.execute(calendar.update().where(calendar.c.id == number).values(values))
        db.add_all(Zone(name=name, fingerprint=rules) for name, rules in zones)
        if dialect == "postgresql":
            await db.execute(text("SET LOCAL statement_timeout = 0"))
            for name in ("user", "calendar", "appointment"):
                last = f'(SELECT max(id) FROM "{name}")'
                await db.execute(text(f"SELECT setval('\"{name}_id_seq\"', {last})"))
            await db.execute(text("ANALYZE"))
