"""The one reader: what happens between two instants, to somebody somewhere."""

from datetime import UTC, datetime

import pytest
from quart import Quart
from sqlalchemy import select, update

from sched_async.appointments import changes, upkeep
from sched_async.appointments.calendar_changes import add as add_calendar
from sched_async.appointments.checking import differences
from sched_async.appointments.occurrences import Found, occurrences
from sched_async.appointments.reading import calendars_of
from sched_async.database import begin, reading
from sched_async.ics.derive import derive
from sched_async.models import Appointment, Calendar, Occurrence, User
from sched_async.testing import Client
from sched_async.times import now

from ..pages import text
from . import LIST, days, more, titles
from .conftest import MORNING

pytestmark = [pytest.mark.usefixtures("morning"), pytest.mark.databases("sqlite", "postgresql")]


def series(title: str, *lines: str) -> str:
    head = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", f"UID:{title}", f"SUMMARY:{title}", *lines]
    return "\r\n".join([*head, "END:VEVENT", "END:VCALENDAR", ""])


async def keep(app: Quart, user: User, *texts: str, calendar: str = "Personal") -> None:
    async with app.app_context(), begin() as db:
        mine = Calendar.readable_by(user.id).where(Calendar.name == calendar)
        found = await db.scalar(mine) or await add_calendar(db, user.id, calendar, "amber")
        async with changes.act(db, user.id, "import") as act:
            for one in texts:
                act.put(found.id, derive(one, now()))


async def between(app: Quart, user: User, a: str, b: str, zone: str = "UTC") -> list[Found]:
    first, last = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (a, b))
    async with app.app_context():
        calendars = [one.id for one in await calendars_of(user.id)]
        return await occurrences(calendars, first, last, zone)


def shown(found: list[Found]) -> list[str]:
    return [f"{row.title} {row.start_utc:%m-%d %H:%M}" for row in found]


async def test_a_window_holds_what_happens_in_it_and_not_what_touches_it(
    app: Quart, alice: User, mallory: User
) -> None:
    await keep(
        app,
        alice,
        series("Before", "DTSTART:20270101T080000Z", "DTEND:20270101T090000Z"),
        series("Over", "DTSTART:20270101T080000Z", "DTEND:20270101T090001Z"),
        series("Inside", "DTSTART:20270101T090000Z", "DTEND:20270101T100000Z"),
        series("Late", "DTSTART:20270101T120000Z", "DTEND:20270101T130000Z"),
        series("Long", "DTSTART:20200101T120000Z", "DTEND:20300101T130000Z"),
        series("Days", "DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20270102"),
        series("Wherever", "DTSTART:20270101T110000", "DTEND:20270101T113000"),
    )
    await keep(app, mallory, series("Heist", "DTSTART:20270101T090000Z", "DTEND:20270101T100000Z"))
    found = await between(app, alice, "2027-01-01T09:00", "2027-01-01T12:00")
    assert shown(found) == [
        "Long 01-01 12:00",
        "Days 12-01 00:00",
        "Over 01-01 08:00",
        "Inside 01-01 09:00",
        "Wherever 01-01 11:00",
    ]


@pytest.mark.parametrize(
    ("zone", "a", "b", "expected"),
    [
        ("Pacific/Kiritimati", "2026-12-31T10:00", "2027-01-01T10:00", True),
        ("Pacific/Kiritimati", "2027-01-01T10:00", "2027-01-02T10:00", False),
        ("Pacific/Pago_Pago", "2027-01-01T11:00", "2027-01-02T11:00", True),
        ("Pacific/Pago_Pago", "2026-12-31T11:00", "2027-01-01T11:00", False),
        ("UTC", "2027-01-01T00:00", "2027-01-02T00:00", True),
    ],
)
async def test_a_whole_day_is_the_viewers_day(
    app: Quart, alice: User, zone: str, a: str, b: str, expected: bool
) -> None:
    day = series("Day", "DTSTART;VALUE=DATE:20270101")
    noon = series("Noon", "DTSTART:20270101T120000", "DTEND:20270101T130000")
    await keep(app, alice, day, noon)
    found = await between(app, alice, a, b, zone)
    assert [row.title for row in found] == (["Day", "Noon"] if expected else [])


async def test_a_series_is_found_wherever_one_looks_and_nothing_is_written(
    app: Quart, alice: User
) -> None:
    """Of many public reports: one Monday, years on."""
    weekly = ("DTSTART:20260105T090000Z", "DTEND:20260105T100000Z", "RRULE:FREQ=WEEKLY")
    await keep(app, alice, series("Weekly", *weekly))
    await keep(app, alice, series("But", *weekly, "EXDATE:20271206T090000Z"))
    assert shown(await between(app, alice, "2027-12-06", "2027-12-07")) == ["Weekly 12-06 09:00"]
    async with app.app_context(), reading() as db:
        before = len((await db.scalars(select(Occurrence.recurrence_id))).all())
    found = await between(app, alice, "2040-01-01", "2040-01-10")
    assert shown(found) == [
        "Weekly 01-02 09:00",
        "But 01-02 09:00",
        "Weekly 01-09 09:00",
        "But 01-09 09:00",
    ]
    assert [row.recurrence_id for row in found][:2] == ["2040-01-02T09:00"] * 2
    assert await between(app, alice, "2060-01-01", "2061-01-01") == []
    async with app.app_context(), reading() as db:
        assert len((await db.scalars(select(Occurrence.recurrence_id))).all()) == before


async def test_the_horizon_moves_on(app: Quart, alice: User) -> None:
    await keep(app, alice, series("Weekly", "DTSTART:20260105T090000Z", "RRULE:FREQ=WEEKLY"))
    async with app.app_context(), begin() as db:
        far = datetime(2027, 1, 1, tzinfo=UTC)
        await db.execute(update(Appointment).values(expanded_until=far))
    async with app.app_context():
        await upkeep.move_horizon()
        assert [line async for line in differences()] == []
    async with app.app_context(), reading() as db:
        until = await db.scalar(select(Appointment.expanded_until))
    assert until
    assert until > MORNING.replace(year=2028)


async def test_the_list_goes_over_calendars_and_series(
    app: Quart, alice: User, hers: Client
) -> None:
    """A page of fifty, and then on from there."""
    daily = ("DTSTART;TZID=Europe/Berlin:20261120T120000", "RRULE:FREQ=DAILY;COUNT=44")
    await keep(app, alice, series("Lunch", *daily))
    await keep(app, alice, series("Work", *daily), calendar="Work")
    await keep(app, alice, series("Secret", *daily), calendar="Hidden")
    async with app.app_context(), begin() as db:
        hidden = update(Calendar).where(Calendar.name == "Hidden")
        await db.execute(hidden.values(is_hidden=True))
    page = await text(await hers.get(LIST))
    assert days(page)["Today"] == ["Lunch", "Work"]
    following = more(page)
    assert following
    second = await text(await hers.get(following))
    found = [*titles(page), *titles(second)]
    assert (len(titles(page)), len(found)) == (50, 80)
    assert found == ["Lunch", "Work"] * 40
    past = await text(await hers.get(f"{LIST}?past=1"))
    assert titles(past) == ["Work", "Lunch"] * 4


async def test_the_list_says_that_it_ends_where_what_is_endless_is_not_followed_further(
    app: Quart, alice: User, hers: Client
) -> None:
    ends = "What repeats without end is listed for two years."
    start = "DTSTART;TZID=Europe/Berlin:20261201T120000"
    await keep(app, alice, series("Lunch", start, "RRULE:FREQ=YEARLY;COUNT=3"))
    assert ends not in await text(await hers.get(LIST))
    await keep(app, alice, series("Feast", start, "RRULE:FREQ=YEARLY"))
    assert ends in await text(await hers.get(LIST))
    await keep(app, alice, series("Bread", start, "RRULE:FREQ=WEEKLY"))
    page = await text(await hers.get(LIST))
    assert ends not in page, "the end is on a later page"
    while following := more(page):
        page = await text(await hers.get(following))
    assert ends in page


async def test_fifty_calendars_are_one_list(app: Quart, alice: User, hers: Client) -> None:
    for number in range(49):
        one = series("A", f"DTSTART:202612{number % 28 + 1:02}T090000Z")
        await keep(app, alice, one, calendar=f"Number {number}")
    assert len(titles(await text(await hers.get(LIST)))) == 49
    assert len(await between(app, alice, "2026-11-01", "2027-01-01")) == 49
