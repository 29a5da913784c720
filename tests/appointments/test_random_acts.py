"""Acts as they come, one after the other: undo brings back all, and what is kept stays sound."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart
from sqlalchemy import delete, update

from sched_async.appointments import calendar_changes
from sched_async.appointments.undo import Undone
from sched_async.database import begin
from sched_async.ics.derive import derive
from sched_async.models import Appointment, Calendar, Occurrence, User
from sched_async.times import now

from ..rows import all_rows
from .test_changes import do, rows, sound, take_back

ZONES = ("Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Tokyo")
ENDS = ("DURATION:PT1H", "DURATION:P1DT2H", "DURATION:P40D", "X-NO:END")
RULES = (
    "FREQ=DAILY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=30",
    "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20290101T000000Z",
    "FREQ=YEARLY;INTERVAL=4",
)


def some_text(chance: Random, uid: str) -> str:
    """A single one, a whole day, a series, with some left out or changed."""
    start = datetime(2027, 1, 1) + timedelta(minutes=30 * chance.randrange(20_000))
    zone = f";TZID={chance.choice(ZONES)}" if chance.random() < 0.8 else ""
    event = [f"UID:{uid}", f"DTSTART{zone}:{start:%Y%m%dT%H%M%S}", chance.choice(ENDS)]
    if chance.random() < 0.2:
        event[1] = f"DTSTART;VALUE=DATE:{start:%Y%m%d}"
        zone = ""
    event.append(f"SUMMARY:Number {chance.randrange(100)}")
    events = [event]
    if chance.random() < 0.5:
        event.append(f"RRULE:{chance.choice(RULES)}")
        other = start + timedelta(days=chance.randrange(8))
        event.append(f"EXDATE{zone}:{other:%Y%m%dT%H%M%S}")
        if chance.random() < 0.5:
            changed = [f"RECURRENCE-ID{zone}:{start:%Y%m%dT%H%M%S}", "SUMMARY:Changed"]
            events.append([event[0], *changed, *event[1:3]])
    lines = [line for one in events for line in ("BEGIN:VEVENT", *one, "END:VEVENT")]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""])


def some_step(chance: Random, there: list[Appointment], calendars: list[int]) -> Any:
    """Something to do; what is done to is taken from the list, as no act takes it twice."""
    target = chance.choice(calendars)
    made = derive(some_text(chance, f"{chance.random()}"), now())
    if not there or chance.random() < 0.35:
        return lambda act: act.put(target, made)
    one = there.pop(chance.randrange(len(there)))
    same = derive(some_text(chance, one.uid), now())
    return chance.choice(
        [
            lambda act: act.replace(one, same),
            lambda act: act.replace(one, same, target),
            lambda act: act.replace(one, made),
            lambda act: act.move(one, target),
            lambda act: act.delete(one),
        ]
    )


async def act_at_random(app: Quart, user: User, chance: Random) -> int:
    calendars = [row.id for row in await all_rows(app, Calendar)]
    there = await all_rows(app, Appointment)
    steps = [some_step(chance, there, calendars) for _ in range(chance.choice((1, 1, 3, 8)))]
    return (await do(app, user, "edit", *steps)).id


async def undone(app: Quart, user: User, act_id: int, changed: str = "ask") -> int:
    done = await take_back(app, user, act_id, changed)
    assert isinstance(done, Undone)
    return done.act_id


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize("seed", range(2))
async def test_undo_of_any_act_brings_back_all_and_all_stays_sound(
    app: Quart, alice: User, seed: int
) -> None:
    """Each is undone, that is undone, and in the end all acts are, the last one first.

    Nothing is asked, since what has been changed later has always been undone before.
    """
    chance = Random(seed)
    async with app.app_context(), begin() as db:
        await calendar_changes.add(db, alice.id, "Work", "amber")
    done = []
    for _ in range(12):
        before = await rows(app)
        act_id = await act_at_random(app, alice, chance)
        after = await rows(app)
        back = await undone(app, alice, act_id)
        assert await rows(app) == before
        done.append((await undone(app, alice, back), before))
        assert await rows(app) == after
    assert await sound(app) == []
    for act_id, before in reversed(done):
        await undone(app, alice, act_id)
        assert await rows(app) == before
    assert await sound(app) == []


async def break_a_title(db: Any, one: int) -> None:
    await db.execute(update(Appointment).where(Appointment.id == one).values(title="Other"))


async def break_a_search(db: Any, one: int) -> None:
    await db.execute(update(Appointment).where(Appointment.id == one).values(search=""))


async def break_a_text(db: Any, one: int) -> None:
    await db.execute(update(Appointment).where(Appointment.id == one).values(ics="BEGIN:"))


async def lose_an_occurrence(db: Any, one: int) -> None:
    await db.execute(delete(Occurrence).where(Occurrence.appointment_id == one))


async def misplace_an_occurrence(db: Any, one: int) -> None:
    these = update(Occurrence).where(Occurrence.appointment_id == one)
    await db.execute(these.values(end_utc=datetime(2090, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    "fault",
    [break_a_title, break_a_search, break_a_text, lose_an_occurrence, misplace_an_occurrence],
)
async def test_a_check_finds_what_was_broken_among_many(
    app: Quart, alice: User, fault: Any
) -> None:
    chance = Random(7)
    for _ in range(10):
        await act_at_random(app, alice, chance)
    one = chance.choice(await all_rows(app, Appointment)).id
    async with app.app_context(), begin() as db:
        await fault(db, one)
    found = await sound(app)
    assert any(line.startswith(f"appointment {one}: ") for line in found)
    assert not any(line.startswith("appointment") and f"{one}:" not in line for line in found)


# A rule beside plain counting, day by day


WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FIRST = datetime(1999, 1, 1)


@given(
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    st.integers(1, 3),
    st.sets(st.integers(0, 6), min_size=1, max_size=4),
    st.dates(date(2000, 1, 1), date(2035, 1, 1)),
    st.integers(1, 25),
    st.booleans(),
)
def test_weekdays_of_a_rule_are_those_that_counting_finds(
    freq: str, every: int, weekdays: set[int], first: date, count: int, by_until: bool
) -> None:
    expected, day = [first], first
    while len(expected) < count:
        day += timedelta(days=1)
        if day.weekday() in weekdays and is_in_turn(freq, every, first, day):
            expected.append(day)
    end = f"UNTIL={expected[-1]:%Y%m%d}" if by_until else f"COUNT={count}"
    names = ",".join(WEEKDAYS[number] for number in sorted(weekdays))
    rule = f"FREQ={freq};INTERVAL={every};BYDAY={names};{end}"
    event = f"UID:1\nDTSTART;VALUE=DATE:{first:%Y%m%d}\nRRULE:{rule}"
    text = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    found = derive(text, FIRST.replace(tzinfo=UTC)).occurrences
    assert [row["start_utc"].date() for row in found] == expected


def is_in_turn(freq: str, every: int, first: date, day: date) -> bool:
    monday = first - timedelta(days=first.weekday())
    months = (day.year - first.year) * 12 + day.month - first.month
    turns = {"DAILY": (day - first).days, "WEEKLY": (day - monday).days // 7, "MONTHLY": months}
    return turns[freq] % every == 0
