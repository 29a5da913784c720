"""Reminders: chosen in the form, written as alarms, and sent by email, each once."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
import time_machine
from quart import Quart
from sqlalchemy import delete, update

from sched_async.appointments import reminders
from sched_async.database import begin
from sched_async.ics.content_lines import read
from sched_async.ics.derive import derive
from sched_async.ics.ringing import rings
from sched_async.models import Appointment, Occurrence, Reminder, User
from sched_async.testing import Client, signed_in

from ..mailbox import MAIL_URL, mails
from ..pages import text
from ..rows import all_rows
from ..tables import each
from . import DENTIST, make, problem, put
from .test_repeating import CHOIR

both_databases = pytest.mark.databases("sqlite", "postgresql")
PROFILE = {"name": "Alice", "timezone": "Europe/Berlin", "week_start": "1", "clock_hours": "24"}
AT = datetime(2030, 5, 6, 7, tzinfo=UTC)  # the dentist
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def settings(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | {"MAIL_URL": MAIL_URL}


@pytest.fixture
def clock(app: Quart) -> Iterator[time_machine.Traveller]:
    """The day before the dentist."""
    with time_machine.travel(AT - DAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
async def hers(clock: time_machine.Traveller, app: Quart, alice: User) -> Client:
    return await signed_in(app, alice.email)


async def look(app: Quart, clock: time_machine.Traveller, at: datetime) -> list[str]:
    """The subjects of all messages once somebody has looked at that moment."""
    clock.move_to(at, tick=False)
    async with app.app_context():
        await reminders.remind()
    return [mail.subject for mail in await mails(app)]


async def triggers(app: Quart) -> list[list[str]]:
    """Of each appointment, of each of its events."""
    events = [
        one for row in await all_rows(app, Appointment) for one in read(row.ics).parts("VEVENT")
    ]
    return [[alarm.text("TRIGGER") for alarm in event.parts("VALARM")] for event in events]


@both_databases
async def test_each_reminder_comes_once_by_email(
    app: Quart, hers: Client, clock: time_machine.Traveller
) -> None:
    address = await make(hers, reminder=["15", "60"])
    assert await look(app, clock, AT - HOUR - MINUTE) == []
    first = await look(app, clock, AT - HOUR)
    assert first == ["Reminder: Dentist, today, 09:00 – 10:00"]  # noqa: RUF001
    assert await look(app, clock, AT - HOUR + MINUTE) == first
    assert await look(app, clock, AT - 15 * MINUTE) == first * 2
    assert await look(app, clock, AT + DAY) == first * 2
    (mail, _) = await mails(app)
    assert mail.recipient == "alice@example.org"
    assert "Monday, 6 May 2030, 09:00 – 10:00" in mail.text  # noqa: RUF001
    assert "Location: Main Street 5" in mail.text
    assert f"{address}\n" in mail.text
    assert [row.next_at for row in await all_rows(app, Reminder)] == [None]


@both_databases
async def test_two_that_look_at_once_send_one_message(
    app: Quart, hers: Client, clock: time_machine.Traveller
) -> None:
    await make(hers, reminder="15")
    await look(app, clock, AT - DAY)
    clock.move_to(AT - 15 * MINUTE, tick=False)
    async with app.app_context():
        (seen,) = await reminders._due()
        await reminders._look(seen)
        await reminders._look(seen)
    assert len(await mails(app)) == 1


STOPS = [
    # what is looked at so late, and whether it still comes
    ("a little late", {}, AT - 5 * MINUTE, 1),
    ("while it goes on", {}, AT + 30 * MINUTE, 1),
    ("when it is over", {}, AT + 2 * HOUR, 0),
    ("only the last of two", {"reminder": ["15", "60"]}, AT - MINUTE, 1),
    ("at the start", {"reminder": "0"}, AT + MINUTE, 1),
    ("whole days until they end", {"allday": "y", "reminder": "0"}, AT + 12 * HOUR, 1),
    ("whole days no longer", {"allday": "y", "reminder": "0"}, AT + DAY, 0),
]


@each(("what", "fields", "at", "many"), STOPS)
async def test_after_a_stop_only_what_is_not_over_comes(
    app: Quart, alice: User, clock: time_machine.Traveller,
    what: str, fields: dict[str, Any], at: datetime, many: int,
) -> None:  # fmt: skip
    clock.move_to(AT - DAY, tick=False)
    hers, before = await signed_in(app, alice.email), len(await mails(app))
    address = await make(hers, **{"reminder": "15"} | fields)
    assert len(await look(app, clock, at)) - before == many
    clock.move_to(AT - DAY, tick=False)
    await hers.delete(f"{address}delete/")


async def test_nobody_is_reminded_of_what_is_gone_cancelled_or_not_theirs_any_more(
    app: Quart, hers: Client, alice: User, clock: time_machine.Traveller
) -> None:
    cancelled = event("DTSTART:20300506T070000Z", "STATUS:CANCELLED", *alarm("-PT15M"))
    await put(app, alice, cancelled)
    gone = await make(hers, reminder="15")
    act = await hers.post(f"{gone}delete/", form={})
    assert await look(app, clock, AT - 15 * MINUTE) == []
    assert act.status_code == 303
    clock.move_to(AT - DAY, tick=False)
    await make(hers, reminder="15", title="Other")
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(is_active=False))
    assert await look(app, clock, AT - 15 * MINUTE) == []


async def test_one_date_can_be_cancelled_or_have_reminders_while_the_others_are_silent(
    app: Quart, hers: Client, alice: User, clock: time_machine.Traveller
) -> None:
    series = ["DTSTART:20300506T070000Z", "RRULE:FREQ=DAILY;COUNT=3", *alarm("-PT15M")]
    second = ["RECURRENCE-ID:20300507T070000Z", "DTSTART:20300507T070000Z", *alarm("-PT15M")]
    off = event(*second, "STATUS:CANCELLED").split("BEGIN:VEVENT")[1].split("END:VEVENT")[0]
    text = event(*series).replace(
        "END:VEVENT\r\n", f"END:VEVENT\r\nBEGIN:VEVENT{off}END:VEVENT\r\n"
    )
    (number,) = await put(app, alice, text)
    one = await look(app, clock, AT - 15 * MINUTE)
    assert len(one) == 1
    assert await look(app, clock, AT + DAY - 15 * MINUTE) == one
    clock.move_to(AT - DAY, tick=False)
    async with app.app_context(), begin() as db:
        await db.execute(update(Appointment).values(is_silent=True))
        await db.execute(delete(Reminder))
    form = {"title": "x", "start": "2030-05-08T07:00", "end": "2030-05-08T08:00", "timezone": "UTC"}
    on = quote("2030-05-08T07:00")
    path = f"/appointments/{number}/edit/?on={on}"
    await hers.post(path, form=form | {"scope": "one", "reminder": "30"})
    assert await triggers(app) == [[], [], ["-PT30M"]]
    assert len(await look(app, clock, AT + 2 * DAY - 30 * MINUTE)) == 2


async def test_what_nobody_has_looked_at_yet_comes_after_an_edit_as_well(
    app: Quart, alice: User, clock: time_machine.Traveller
) -> None:
    address = await make(await signed_in(app, alice.email), reminder="15")
    await look(app, clock, AT - HOUR)
    clock.move_to(AT - 13 * MINUTE, tick=False)
    hers = await signed_in(app, alice.email)
    await hers.post(f"{address}edit/", form=DENTIST | {"location": "elsewhere"})
    assert len(await look(app, clock, AT - 10 * MINUTE)) == 1


async def test_a_dense_series_with_early_reminders_goes_on_ringing(
    app: Quart, alice: User, clock: time_machine.Traveller
) -> None:
    lines = ["DTSTART:20300506T070000Z", "DURATION:PT10M", "RRULE:FREQ=HOURLY;COUNT=2000"]
    await put(app, alice, event(*lines, *alarm("-P14D")))
    await look(app, clock, AT - 12 * HOUR)
    for days in (1, 20, 40, 60):
        clock.move_to(AT + days * DAY, tick=False)
        async with app.app_context():
            await reminders.remind()
        (row,) = await all_rows(app, Reminder)
        assert row.next_at
        assert row.next_at <= AT + (days + 1) * DAY


async def test_undo_brings_a_reminder_back_with_its_appointment(
    app: Quart, hers: Client, clock: time_machine.Traveller
) -> None:
    address = await make(hers, reminder="15")
    response = await hers.post(f"{address}delete/", form={})
    page = await text(await hers.get(response.location or ""))
    assert await all_rows(app, Reminder) == []
    await hers.post(re.findall(r'action="(/undo/\d+/)"', page)[-1])
    assert len(await look(app, clock, AT - 15 * MINUTE)) == 1


MOVED = [
    (
        "later",
        {"start": "2030-05-06T12:00", "end": "2030-05-06T13:00"},
        AT + 3 * HOUR - 15 * MINUTE,
    ),
    ("another zone", {"timezone": "Europe/London"}, AT + HOUR - 15 * MINUTE),
    ("earlier by more", {"reminder": "30"}, AT - 30 * MINUTE),
]


@each(("what", "fields", "at"), MOVED)
@both_databases
async def test_a_reminder_goes_along_with_a_change(
    app: Quart, alice: User, clock: time_machine.Traveller,
    what: str, fields: dict[str, str], at: datetime,
) -> None:  # fmt: skip
    clock.move_to(AT - DAY, tick=False)
    hers, before = await signed_in(app, alice.email), len(await mails(app))
    address = await make(hers, reminder="15")
    await look(app, clock, AT - DAY + MINUTE)
    await hers.post(f"{address}edit/", form=DENTIST | fields)
    assert len(await look(app, clock, at - MINUTE)) == before
    assert len(await look(app, clock, at)) == before + 1
    clock.move_to(AT - DAY, tick=False)
    await hers.delete(f"{address}delete/")


async def test_whole_days_are_reminded_of_at_the_hour_of_the_profile(
    app: Quart, hers: Client, clock: time_machine.Traveller
) -> None:
    await make(hers, allday="y", reminder=["0", "1"])
    assert await triggers(app) == [["PT9H", "-PT15H"]]
    await look(app, clock, AT - DAY + MINUTE)
    await hers.post("/account/profile/", form=PROFILE | {"reminder_hour": "20"})
    eight = datetime(2030, 5, 6, 18, tzinfo=UTC)  # in Berlin
    assert await look(app, clock, eight - DAY - MINUTE) == []
    assert await look(app, clock, eight - DAY) == ["Reminder: Dentist, tomorrow, all day"]
    assert (await look(app, clock, eight))[1:] == ["Reminder: Dentist, today, all day"]


async def test_a_series_rings_for_each_and_an_override_by_its_own(
    app: Quart, hers: Client, clock: time_machine.Traveller
) -> None:
    address = await make(hers, **CHOIR, reminder="15")
    one = {"start": "2030-05-13T11:00", "end": "2030-05-13T12:00", "scope": "one"}
    on = quote("2030-05-13T09:00")
    await hers.post(f"{address}edit/?on={on}", form=CHOIR | one | {"reminder": "60"})
    assert await triggers(app) == [["-PT15M"], ["-PT1H"]]
    week = timedelta(days=7)
    assert len(await look(app, clock, AT - 15 * MINUTE)) == 1
    assert len(await look(app, clock, AT + week - 15 * MINUTE)) == 1
    found = await look(app, clock, AT + week + HOUR)
    assert found[1:] == ["Reminder: Choir, today, 11:00 – 12:00"]  # noqa: RUF001
    (*_, mail) = await mails(app)
    assert f"?on={on.replace(':', '%3A')}" in mail.text
    assert len(await look(app, clock, AT + 2 * week - 15 * MINUTE)) == 3


FIELDS: list[tuple[dict[str, Any], list[list[str]]]] = [
    ({}, [[]]),
    ({"reminder": ""}, [[]]),
    ({"reminder": ["0", "15", "15", "1440"]}, [["PT0S", "-PT15M", "-P1D"]]),
    ({"allday": "y", "reminder": "", "reminder_days": ["", "2"]}, [["-PT39H"]]),
    ({"allday": "y", "reminder": ["15"], "reminder_days": [""]}, [[]]),
]
TOO_FAR = "Choose a time up to 4 weeks before the start."
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"reminder": "soon"}, "reminder", "Enter whole numbers."),
    ({"reminder": "-5"}, "reminder", TOO_FAR),
    ({"reminder": "40321"}, "reminder", TOO_FAR),
    ({"reminder_days": "29"}, "reminder_days", TOO_FAR),
    ({"reminder": [str(one) for one in range(6)]}, "reminder", "Choose no more than 5 reminders."),
]


async def test_the_form_takes_several_reminders_and_says_what_it_cannot_take(
    app: Quart, hers: Client
) -> None:
    for fields, expected in FIELDS:
        address = await make(hers, **fields)
        assert await triggers(app) == expected, fields
        await hers.delete(f"{address}delete/")
    for wrong, name, sentence in REFUSED:
        response = await hers.post("/appointments/create/", form=DENTIST | wrong)
        assert (response.status_code, problem(await text(response), name)) == (422, sentence)


async def test_a_new_appointment_has_the_reminders_of_the_profile(app: Quart, hers: Client) -> None:
    wanted = {"reminders": ["", "45"], "day_reminders": ["", "1"], "reminder_hour": "7"}
    await hers.post("/account/profile/", form=PROFILE | wanted)
    page = await text(await hers.get("/account/profile/"))
    assert re.findall(r'_reminders" type="checkbox" value="(\d+)" checked', page) == ["1"]
    page = await text(await hers.get("/appointments/create/"))
    assert 'value="45" checked> <span>45 minutes before' in page
    assert 'name="reminder_days" type="checkbox" value="1" checked' in page
    await make(hers)
    await make(hers, allday="y")
    assert await triggers(app) == [["-PT45M"], ["-PT17H"]]
    assert "45 minutes before" in await text(await hers.get("/appointments/1/"))
    assert "1 day before, at 07:00" in await text(await hers.get("/appointments/2/"))


def event(*lines: str) -> str:
    return "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "BEGIN:VEVENT",
            "UID:x",
            *lines,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


def alarm(trigger: str, *more: str) -> list[str]:
    value = trigger if trigger[0] in ";:" else f":{trigger}"
    return ["BEGIN:VALARM", f"TRIGGER{value}", *(more or ["ACTION:DISPLAY"]), "END:VALARM"]


TIMED = ["DTSTART;TZID=Europe/Berlin:20300331T090000", "DTEND;TZID=Europe/Berlin:20300331T100000"]
DATE = ["DTSTART;VALUE=DATE:20300331"]
RINGING = [
    # what, and when that rings in Berlin, whose clocks go forward that night
    (TIMED, alarm("-PT15M"), "2030-03-31T08:45"),
    (TIMED, alarm("-P1D"), "2030-03-30T09:00"),
    (TIMED, alarm("-PT24H"), "2030-03-30T08:00"),
    (TIMED, alarm("-P1DT1H"), "2030-03-30T08:00"),
    (TIMED, alarm("PT10M"), "2030-03-31T09:10"),
    (TIMED, alarm(";RELATED=END:-PT5M"), "2030-03-31T09:55"),
    (TIMED, alarm(";VALUE=DATE-TIME:20300330T100000Z"), "2030-03-30T11:00"),
    (TIMED, alarm("-PT5M", "ACTION:NONE"), None),
    (TIMED, alarm("rubbish"), None),
    (["DTSTART:20300331T090000"], alarm("-PT15M"), "2030-03-31T08:45"),
    (["DTSTART:20300331T090000"], alarm("-P1D"), "2030-03-30T09:00"),
    (DATE, alarm("PT9H"), "2030-03-31T07:00"),
    (DATE, alarm("-PT15H"), "2030-03-30T07:00"),
    (DATE, alarm("-P1D"), "2030-03-30T07:00"),
    (DATE, alarm("-P1W"), "2030-03-24T07:00"),
]


@each(("when", "lines", "expected"), RINGING)
async def test_an_alarm_rings_when_its_text_says(
    when: list[str], lines: list[str], expected: str | None
) -> None:
    written = event(*when, *lines)
    rows = [Occurrence(**row) for row in derive(written, AT).occurrences]
    found = rings(written, rows, "Europe/Berlin", 7)
    berlin = ZoneInfo("Europe/Berlin")
    walls = [one.at.astimezone(berlin).isoformat(timespec="minutes")[:16] for one in found]
    assert walls == ([expected] if expected else [])


async def test_foreign_alarms_stay_as_they_are_beside_those_of_the_form(
    app: Quart, hers: Client, alice: User
) -> None:
    foreign = [*alarm("PT10M", "ACTION:AUDIO"), *alarm("-PT5M", "ACTION:EMAIL", "X-OWN:1")]
    (number,) = await put(app, alice, event(*TIMED, "SUMMARY:Dentist", *foreign))
    page = await text(await hers.get(f"/appointments/{number}/edit/"))
    assert 'value="5" checked' in page
    form = {"title": "Dentist", "start": "2030-03-31T09:00", "end": "2030-03-31T10:00"}
    await hers.post(f"/appointments/{number}/edit/", form=form | {"reminder": ["5", "30"]})
    assert await triggers(app) == [["PT10M", "-PT5M", "-PT30M"]]
    await hers.post(f"/appointments/{number}/edit/", form=form | {"reminder": "30"})
    assert await triggers(app) == [["PT10M", "-PT30M"]]
    await hers.post(f"/appointments/{number}/edit/", form=form | {"allday": "y"})
    assert await triggers(app) == [["PT10M"]]  # which is on the day as well
