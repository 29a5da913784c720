"""Saving over another appointment saves, and says which ones it overlaps."""

import re
from datetime import datetime

import pytest
from quart import Quart
from sqlalchemy import delete

from sched_async.appointments import calendar_changes
from sched_async.database import begin
from sched_async.ics.ics_text import Facts, new_text
from sched_async.models import Appointment, Calendar, User
from sched_async.testing import Client

from ..pages import text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, LIST, add, make, put, timed, whole_days
from .conftest import MORNING

pytestmark = pytest.mark.usefixtures("morning")  # Tuesday, 24 November 2026, 9:30 in Berlin

DAY = "2026-11-25T"


def written(facts: Facts, *more: str) -> str:
    """As calendars write it, with lines of theirs."""
    return new_text(facts, MORNING).replace("END:VEVENT", "\r\n".join((*more, "END:VEVENT")))


def at(title: str, start: str, end: str) -> Facts:
    return timed(title, f"{DAY}{start}", f"{DAY}{end}")


async def said(client: Client, address: str) -> str:
    """What the message on the page says, which has its button; with plain dashes."""
    page = await text(await client.get(address))
    found: list[str] = re.findall(r'<p role="status">([^<]*)</p>', page)
    assert (len(found), page.count(">Undo</button>")) == (1, 1)
    return found[0].replace("\u2013", "-")


async def clear(app: Quart) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(delete(Appointment))


async def saved(client: Client, start: str, end: str, **more: str) -> str:
    address = await make(client, start=f"{DAY}{start}", end=f"{DAY}{end}", **more)
    return await said(client, address)


@pytest.mark.databases("sqlite", "postgresql")
@each(
    ("others", "named"),
    [
        ([("Lunch", "13:00", "14:00"), ("Choir", "16:00", "17:00")], ""),
        ([("Dentist", "14:30", "15:00")], "“Dentist” (14:30 - 15:00)"),
        (
            [("Choir", "15:00", "17:00"), ("Dentist", "13:30", "14:01")],
            "“Dentist” (13:30 - 14:01) and “Choir” (15:00 - 17:00)",
        ),
        (
            [("A", "14:00", "16:00"), ("B", "14:10", "14:20"), ("C", "14:20", "14:30")],
            "“A” (14:00 - 16:00), “B” (14:10 - 14:20) and “C” (14:20 - 14:30)",
        ),
        (
            [(name, "13:00", "17:00") for name in "ABCDE"],
            "“A” (13:00 - 17:00), “B” (13:00 - 17:00), “C” (13:00 - 17:00) and 2 more",
        ),
        (
            [(f"{number:02}", "13:00", "17:00") for number in range(60)],
            "“00” (13:00 - 17:00), “01” (13:00 - 17:00), “02” (13:00 - 17:00) and many more",
        ),
        ([("", "14:00", "15:00")], "“(no title)” (14:00 - 15:00)"),
    ],
)
async def test_the_message_names_up_to_three_that_it_overlaps(
    app: Quart, alice: User, hers: Client, others: list[tuple[str, str, str]], named: str
) -> None:
    await clear(app)
    await add(app, alice, *(at(*other) for other in others))
    sentence = f"Saved. It overlaps {named}." if named else "Saved."
    assert await saved(hers, "14:00", "16:00") == sentence


@each(
    ("text_of_other", "named"),
    [
        (written(whole_days("Fair", "2026-11-25")), ""),
        (written(at("Free", "14:00", "16:00"), "TRANSP:TRANSPARENT"), ""),
        (written(at("Off", "14:00", "16:00"), "STATUS:CANCELLED"), ""),
        (written(at("Maybe", "14:00", "16:00"), "STATUS:TENTATIVE"), "“Maybe” (14:00 - 16:00)"),
        (
            written(timed("Train", "2026-11-24T21:00", f"{DAY}14:30")),
            "“Train” (Tue 24 November, 21:00 - Wed 25 November, 14:30)",
        ),
        (
            written(timed("Tokyo", "2026-11-25T22:30", zone="Asia/Tokyo")),
            "“Tokyo” (14:30 - 15:30)",
        ),
        (
            new_text(
                Facts("Tea", datetime(2026, 11, 25, 15), datetime(2026, 11, 25, 16), False, None),
                MORNING,
            ),
            "“Tea” (15:00 - 16:00)",
        ),
        (
            written(timed("Daily", "2026-11-20T15:00"), "RRULE:FREQ=DAILY"),
            "“Daily” (15:00 - 16:00)",
        ),
        (
            written(timed("Hourly", "2026-11-20T15:00"), "RRULE:FREQ=HOURLY;COUNT=500"),
            "“Hourly” (14:00 - 15:00)",
        ),
    ],
)
async def test_whole_days_and_what_is_free_or_cancelled_do_not_count(
    app: Quart, alice: User, hers: Client, text_of_other: str, named: str
) -> None:
    await clear(app)
    await put(app, alice, text_of_other)
    sentence = f"Saved. It overlaps {named}." if named else "Saved."
    assert await saved(hers, "14:00", "16:00") == sentence
    whole = DENTIST | {"start": DAY[:10], "end": DAY[:10], "allday": "y"}
    response = await hers.post(CREATE, form=whole)
    assert await said(hers, response.location or "") == "Saved."


async def test_a_change_says_it_too_and_a_free_or_cancelled_one_is_in_nobodys_way(
    app: Quart, alice: User, hers: Client
) -> None:
    await add(app, alice, at("Choir", "14:00", "15:00"))
    free = written(at("Free", "14:00", "15:00"), "TRANSP:TRANSPARENT")
    off = written(at("Off", "14:00", "15:00"), "STATUS:CANCELLED")
    numbers = await put(app, alice, written(at("Walk", "17:00", "18:00")), free, off)
    told = []
    for number in numbers:
        form = DENTIST | {"start": f"{DAY}14:30", "end": f"{DAY}15:30"}
        await hers.post(f"/appointments/{number}/edit/", form=form)
        told.append(await said(hers, f"/appointments/{number}/"))
    assert told == ["Saved. It overlaps “Choir” (14:00 - 15:00).", "Saved.", "Saved."]


async def test_hidden_calendars_count_and_other_peoples_do_not(
    app: Quart, alice: User, mallory: User, hers: Client
) -> None:
    await add(app, mallory, at("Heist", "14:00", "15:00"))
    await add(app, alice, at("Choir", "14:00", "15:00"))
    async with app.app_context(), begin() as db:
        work = await calendar_changes.add(db, alice.id, "Work", "amber")
    for calendar in await all_rows(app, Calendar):
        await hers.post(f"/calendars/{calendar.id}/hide/")
    await hers.get(LIST)
    told = await saved(hers, "14:00", "15:00", calendar=f"{work.id}")
    assert told == "Saved. It overlaps “Choir” (14:00 - 15:00)."


async def test_times_are_by_the_clock_of_whoever_reads_the_message(
    app: Quart, alice: User, hers: Client
) -> None:
    await add(app, alice, timed("Choir", "2026-11-26T00:30"))
    async with app.app_context(), begin() as db:
        db.add(alice)
        alice.timezone, alice.clock_hours = "Europe/London", 12
    told = await saved(hers, "12:00", "23:45", timezone="UTC")
    assert told == "Saved. It overlaps “Choir” (11:30 pm - Thu 26 November, 12:30 am)."


async def test_a_series_names_each_that_it_overlaps_within_a_year_once_and_when(
    app: Quart, alice: User, hers: Client
) -> None:
    weekly = written(timed("Yoga", "2026-11-02T18:00"), "RRULE:FREQ=WEEKLY")
    (yoga,) = await put(app, alice, weekly)
    await put(app, alice, written(timed("Tea", "2026-11-03T18:30"), "RRULE:FREQ=DAILY"))
    await add(
        app,
        alice,
        timed("Long ago", "2026-11-16T18:00"),
        timed("Concert", "2027-03-01T18:30"),
        timed("Too far", "2028-03-06T18:30"),
    )
    form = DENTIST | {"title": "Yoga", "start": "2026-11-02T18:15", "end": "2026-11-02T19:15"}
    await hers.post(f"/appointments/{yoga}/edit/", form=form)
    assert await said(hers, f"/appointments/{yoga}/") == (
        "Saved. It overlaps “Tea” (Mon 30 November, 18:30 - 19:30) "
        "and “Concert” (Mon 1 March, 18:30 - 19:30)."
    )


@each("letter", ["a", "\u05d0", "\U0001f600", "\u4e2d"])
async def test_a_message_fits_whatever_the_titles_are(
    app: Quart, alice: User, hers: Client, letter: str
) -> None:
    await clear(app)
    title = "".join(chr(ord(letter) + number % 26) for number in range(255))
    await add(app, alice, *(at(title[number:], "14:00", "16:00") for number in range(4)))
    told = await saved(hers, "14:00", "16:00")
    assert told.count("…") == 3
    assert told.endswith(" and 1 more.")
    assert told.count("\u2068") == told.count("\u2069") == (3 if letter == "\u05d0" else 0)
