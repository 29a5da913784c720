"""What is done without anybody asking: old changes go, deleted calendars go, all in small steps."""

import asyncio
import time
from datetime import timedelta

import pytest
from quart import Quart
from sqlalchemy import select, update

from sched_async import purging
from sched_async.appointments import calendar_changes, changes, expanding, upkeep
from sched_async.appointments.checking import differences
from sched_async.database import begin, reading
from sched_async.ics import derive as module
from sched_async.ics.derive import derive
from sched_async.models import Act, Appointment, Calendar, Change, Occurrence, User, Zone
from sched_async.times import now

from ..rows import all_rows
from . import add, timed

both = pytest.mark.databases("sqlite", "postgresql")


@both
async def test_a_calendar_goes_for_good_thirty_days_after_it_was_deleted(
    app: Quart, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH", 7)
    await add(app, alice, *(timed(f"{n}", "2030-01-01T10:00") for n in range(30)))
    async with app.app_context(), begin() as db:
        await calendar_changes.add(db, alice.id, "Work", "amber")
    first, second = await all_rows(app, Calendar)
    async with app.app_context(), begin() as db:
        await calendar_changes.delete(db, alice.id, first.id)
    async with app.app_context():
        await purging.purge()
    assert len(await all_rows(app, Appointment)) == 30
    long_ago = now() - timedelta(days=31)
    async with app.app_context(), begin() as db:
        deleted = update(Calendar).where(Calendar.id == first.id)
        await db.execute(deleted.values(deleted_at=long_ago))
    async with app.app_context():
        await purging.purge()
    assert [row.id for row in await all_rows(app, Calendar)] == [second.id]
    for model in (Appointment, Occurrence, Change):
        assert await all_rows(app, model) == []


@both
async def test_changes_are_kept_for_thirty_days_and_names_of_forms_for_good(
    app: Quart, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH", 3)
    ids = await add(app, alice, *(timed(f"{n}", "2030-01-01T10:00") for n in range(10)))
    (calendar,) = await all_rows(app, Calendar)
    one = derive(next(iter(await all_rows(app, Appointment))).ics.replace("UID:", "UID:x"), now())
    async with app.app_context(), begin() as db:
        async with changes.act(db, alice.id, "create", submission="key") as act:
            act.put(calendar.id, one)
        await db.execute(update(Act).values(made_at=now() - timedelta(days=31)))
    await add(app, alice, timed("New", "2030-01-01T10:00"))
    async with app.app_context():
        await purging.purge()
    assert [row.rev for row in await all_rows(app, Change)] == [12]
    assert [row.submission for row in await all_rows(app, Act)] == ["key", None]
    (calendar,) = await all_rows(app, Calendar)
    assert (calendar.rev, calendar.pruned_rev) == (12, 11)
    assert len(await all_rows(app, Appointment)) == len(ids) + 2


@both
async def test_what_an_earlier_version_derived_is_worked_off(
    app: Quart, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 4)
    await add(app, alice, *(timed(f"{n}", "2030-01-01T10:00") for n in range(10)))
    async with app.app_context(), begin() as db:
        await db.execute(update(Appointment).values(search="old", title="old"))
        await db.execute(update(Occurrence).values(long=True))
    async with app.app_context():
        await upkeep.work_off_version()
        assert [line async for line in differences()] == []
        monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
        async with begin() as db:
            await db.execute(update(Appointment).values(search="old"))
        await upkeep.work_off_version()
        assert [line async for line in differences()] == []
        async with reading() as db:
            kept = await db.scalar(select(Zone.fingerprint).where(Zone.name == upkeep.VERSION))
    assert kept == str(module.VERSION)


async def test_nobody_waits_for_a_long_series() -> None:
    """The loop itself works for less than 50 ms at a time, whatever is derived."""
    lines = ("DTSTART;TZID=Europe/Berlin:20000101T090000", "RRULE:FREQ=DAILY;COUNT=10000")
    head = ("BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:1", *lines)
    text = "\r\n".join([*head, "END:VEVENT", "END:VCALENDAR", ""])
    working = asyncio.create_task(expanding.derived(text))
    waits = []
    while not working.done():
        begun = time.thread_time()
        await asyncio.sleep(0)
        waits.append(time.thread_time() - begun)
    assert len((await working).occurrences) == 10_000
    assert max(waits) < 0.05


async def test_the_jobs_run_by_themselves(app: Quart) -> None:
    works = [job.work for job in app.extensions["jobs"]]
    assert {upkeep.work_off_version, upkeep.move_horizon, purging.purge} <= set(works)
