"""The list: what is to come and what is over, by day, in the viewer's own time."""

# ruff: noqa: RUF001 (a dash between times)

from datetime import UTC, datetime

import pytest
import time_machine
from quart import Quart

from sched_async.database import begin
from sched_async.models import User
from sched_async.testing import Client, signed_in

from ..pages import text
from . import CREATE, LIST, add, days, headings, lines, more, timed, titles, whole_days

pytestmark = [pytest.mark.usefixtures("morning"), pytest.mark.databases("sqlite", "postgresql")]

PAST = LIST + "?past=1"


async def move(app: Quart, user: User, zone: str) -> None:
    """Let somebody see their appointments by the clocks of another zone."""
    async with app.app_context(), begin() as db:
        db.add(user)
        user.timezone = zone


async def test_what_is_to_come_stands_by_day_and_the_soonest_first(
    app: Quart, alice: User, hers: Client
) -> None:
    await add(
        app,
        alice,
        timed("New Year", "2027-01-01T00:00"),
        timed("Dinner", "2026-11-24T19:00"),
        timed("Flight", "2026-11-25T06:00"),
        whole_days("Birthday", "2026-11-24"),
        timed("Lunch", "2026-11-24T12:00"),
        timed("Concert", "2026-11-26T20:00"),
        timed("Early bird", "2026-11-25T05:00"),
        whole_days("Fair", "2026-11-26", "2026-11-28"),
    )
    page = await text(await hers.get(LIST))
    assert days(page) == {
        "Today": ["Birthday", "Lunch", "Dinner"],
        "Tomorrow": ["Early bird", "Flight"],
        "Thursday, 26 November": ["Fair", "Concert"],
        "Friday, 1 January 2027": ["New Year"],
    }
    assert '<time datetime="2026-11-25">Tomorrow</time>' in page
    assert lines(page)[:2] == [
        "All day Birthday",
        "12:00 – 13:00 Lunch",
    ]
    assert "All day until Sat 28 November Fair" in lines(page)
    assert "Times are in Europe/Berlin." in page
    assert titles(await text(await hers.get(PAST))) == []


async def test_what_is_over_is_on_a_list_of_its_own_and_the_latest_first(
    app: Quart, alice: User, hers: Client
) -> None:
    await add(
        app,
        alice,
        timed("Last year", "2025-12-31T23:00"),
        timed("Breakfast", "2026-11-24T07:00"),
        timed("Shower", "2026-11-24T06:00"),
        whole_days("Yesterday", "2026-11-23"),
        timed("Late show", "2026-11-23T23:00"),
        whole_days("Weekend", "2026-11-21", "2026-11-22"),
    )
    page = await text(await hers.get(PAST))
    assert days(page) == {
        "Today": ["Breakfast", "Shower"],
        "Monday, 23 November": ["Late show", "Yesterday"],
        "Saturday, 21 November": ["Weekend"],
        "Wednesday, 31 December 2025": ["Last year"],
    }
    assert titles(await text(await hers.get(LIST))) == []


async def test_what_goes_on_stands_under_today(app: Quart, alice: User, hers: Client) -> None:
    await add(
        app,
        alice,
        timed("Meeting", "2026-11-24T09:00", "2026-11-24T10:00"),
        timed("Night shift", "2026-11-23T22:00", "2026-11-24T11:00"),
        whole_days("Trip", "2026-11-20", "2026-11-27"),
        whole_days("Sabbatical", "2025-11-25", "2026-11-25"),
        timed("Lunch", "2026-11-24T12:00"),
    )
    page = await text(await hers.get(LIST))
    assert days(page) == {"Today": ["Sabbatical", "Trip", "Night shift", "Meeting", "Lunch"]}
    assert titles(await text(await hers.get(PAST))) == []


async def test_one_appointment_is_over_at_the_moment_the_next_begins(
    app: Quart, alice: User, hers: Client
) -> None:
    await add(app, alice, timed("Before", "2026-11-24T08:30"), timed("Now", "2026-11-24T09:30"))
    assert titles(await text(await hers.get(LIST))) == ["Now"]
    assert titles(await text(await hers.get(PAST))) == ["Before"]


async def test_an_appointment_goes_over_to_the_past_as_time_goes_by(
    app: Quart, alice: User, morning: time_machine.Traveller
) -> None:
    await add(app, alice, timed("Lunch", "2026-11-24T12:00"), whole_days("Birthday", "2026-11-24"))
    morning.move_to(datetime(2026, 11, 24, 22, 59, tzinfo=UTC))
    hers = await signed_in(app, "alice@example.org")
    assert titles(await text(await hers.get(LIST))) == ["Birthday"]
    assert titles(await text(await hers.get(PAST))) == ["Lunch"]
    morning.move_to(datetime(2026, 11, 24, 23, 0, tzinfo=UTC))
    assert titles(await text(await hers.get(LIST))) == []
    assert days(await text(await hers.get(PAST))) == {"Tuesday, 24 November": ["Lunch", "Birthday"]}


# Where the viewer is


@pytest.mark.parametrize(
    ("zone", "moment", "path", "heading"),
    [
        ("Pacific/Kiritimati", "2026-11-24T08:30", LIST, "Today"),
        ("Pacific/Kiritimati", "2026-11-24T10:00", PAST, "Tuesday, 24 November"),
        ("Pacific/Pago_Pago", "2026-11-24T08:30", LIST, "Tomorrow"),
        ("Pacific/Pago_Pago", "2026-11-24T11:00", LIST, "Today"),
        ("Pacific/Pago_Pago", "2026-11-25T10:59", LIST, "Today"),
        ("Pacific/Pago_Pago", "2026-11-25T11:00", PAST, "Tuesday, 24 November"),
        ("Australia/Lord_Howe", "2026-11-23T12:59", LIST, "Tomorrow"),
        ("Australia/Lord_Howe", "2026-11-23T13:00", LIST, "Today"),
    ],
)
async def test_a_whole_day_is_the_same_date_everywhere_and_begins_with_the_viewers_day(
    app: Quart,
    alice: User,
    morning: time_machine.Traveller,
    zone: str,
    moment: str,
    path: str,
    heading: str,
) -> None:
    await move(app, alice, zone)
    await add(app, alice, whole_days("Birthday", "2026-11-24"))
    morning.move_to(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    hers = await signed_in(app, "alice@example.org")
    assert headings(await text(await hers.get(path))) == [heading]
    other = PAST if path == LIST else LIST
    assert headings(await text(await hers.get(other))) == []


@pytest.mark.parametrize(
    ("zone", "start", "heading", "line"),
    [
        ("Europe/Berlin", "2026-11-24T12:00", "Today", "12:00 – 13:00 Call"),
        # Another zone whose clocks show the same is not worth a word.
        ("Europe/Paris", "2026-11-24T12:00", "Today", "12:00 – 13:00 Call"),
        (
            "Europe/London",
            "2026-11-24T12:00",
            "Today",
            "13:00 – 14:00 Call 12:00 – 13:00 in Europe/London",
        ),
        (
            "America/New_York",
            "2026-11-24T20:00",
            "Tomorrow",
            "02:00 – 03:00 Call Tue 24 November, 20:00 – 21:00 in America/New_York",
        ),
        (
            "Asia/Tokyo",
            "2026-11-25T07:30",
            "Today",
            "23:30 – Wed 25 November, 00:30 Call Wed 25 November, 07:30 – 08:30 in Asia/Tokyo",
        ),
    ],
)
async def test_times_are_the_viewers_with_those_of_the_other_zone_beside_them(
    app: Quart, alice: User, hers: Client, zone: str, start: str, heading: str, line: str
) -> None:
    await add(app, alice, timed("Call", start, zone=zone))
    page = await text(await hers.get(LIST))
    assert (headings(page), lines(page)) == ([heading], [line])


async def test_the_viewer_who_moves_sees_the_same_appointment_by_other_clocks(
    app: Quart, alice: User, hers: Client
) -> None:
    await add(app, alice, timed("Call", "2026-11-24T12:00"))
    await move(app, alice, "Australia/Lord_Howe")
    page = await text(await hers.get(LIST))
    assert lines(page) == ["22:00 – 23:00 Call 12:00 – 13:00 in Europe/Berlin"]
    assert "Times are in Australia/Lord_Howe." in page


async def test_the_place_stands_beside_the_title(hers: Client) -> None:
    for title, zone in (("Here", "Europe/Berlin"), ("There", "Europe/London")):
        form = {"title": title, "start": "2026-11-24T12:00", "end": "2026-11-24T13:00"}
        await hers.post(CREATE, form=form | {"location": "Main Street 5", "timezone": zone})
    assert lines(await text(await hers.get(LIST))) == [
        "12:00 – 13:00 Here Main Street 5",
        "13:00 – 14:00 There Main Street 5 · 12:00 – 13:00 in Europe/London",
    ]


# Nothing to show


async def test_an_empty_list_says_so_and_leads_on(hers: Client) -> None:
    page = await text(await hers.get(LIST))
    assert "Nothing coming up." in page
    assert f'href="{CREATE}">Add an appointment' in page
    assert f'<a href="{PAST}">Past</a>' in page
    assert more(page) is None


async def test_an_empty_past_says_so_and_leads_back(hers: Client) -> None:
    page = await text(await hers.get(PAST))
    assert "No past appointments yet." in page
    assert f'<a href="{LIST}">Coming up</a>' in page
    assert more(page) is None


@pytest.mark.parametrize("query", ["", "?past=", "?past=0", "?past=true"])
async def test_the_past_is_shown_only_when_it_is_asked_for(hers: Client, query: str) -> None:
    assert "Nothing coming up." in await text(await hers.get(LIST + query))


async def test_a_later_page_has_a_way_back_to_the_first(hers: Client) -> None:
    for address, again in ((LIST, "?"), (PAST, "&")):
        assert "Back to the first page" not in await text(await hers.get(address))
        later = await text(await hers.get(f"{address}{again}after=1795000000.1.1"))
        assert f'<a href="{address}">Back to the first page</a>' in later
