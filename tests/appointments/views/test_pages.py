"""The views as pages: what stands on which day, for whom, and where one can go from there."""

import re
from datetime import datetime

import pytest
import time_machine
from quart import Quart
from sqlalchemy import update

from sched_async.appointments.views.periods import DASH
from sched_async.database import begin
from sched_async.ics.ics_text import Facts, new_text
from sched_async.models import User
from sched_async.testing import Client
from sched_async.times import now

from ...conftest import ALICE_PASSWORD
from ...pages import log_in, text
from .. import add, put, timed, whole_days

MONTH = "/calendar/month/2026-11/"
WEEK = "/calendar/week/2026-W48/"
DAY = "/calendar/day/2026-11-24/"
AGENDA = "/calendar/agenda/2026-11-24/"
ONLY_SEEN = r'<(?:span|bdi) class="\w+" aria-hidden="true">.*?</(?:span|bdi)>'
VIEWS = (MONTH, WEEK, DAY, AGENDA)

pytestmark = pytest.mark.usefixtures("morning")  # Tuesday, 24 November 2026, 9:30 in Berlin
on_both = pytest.mark.databases("sqlite", "postgresql")


def links(part: str) -> list[str]:
    """What each appointment's link says, to whoever does not see the page."""
    found = re.findall(r'<a href="(/appointments/\d+/[^"]*)">(.*?)</a>', part, re.DOTALL)
    plain = (re.sub(f"{ONLY_SEEN}|<[^>]*>", "", label) for _, label in found)
    return [" ".join(one.replace(DASH, "-").split()).replace(" ,", ",") for one in plain]


def cells(page: str) -> dict[str, str]:
    """The cells of the month by what their links are called."""
    found = re.findall(r"<td.*?</td>", page, re.DOTALL)
    return {re.search(r'aria-label="(\w+ \d+ \w+),', cell)[1]: cell for cell in found}  # type: ignore[index]


def sections(page: str) -> dict[str, str]:
    found = re.findall(
        r'<section [^>]*aria-labelledby="day-([^"]+)">(.*?)</section>', page, re.DOTALL
    )
    return dict(found)


def repeating(facts: Facts, rule: str) -> str:
    return new_text(facts, now()).replace("END:VEVENT", f"RRULE:{rule}\r\nEND:VEVENT")


@on_both
async def test_each_view_has_what_happens_on_its_days(
    hers: Client, app: Quart, alice: User
) -> None:
    await add(
        app,
        alice,
        timed("Dentist", "2026-11-24T14:00"),
        whole_days("Fair", "2026-11-22", "2026-11-24"),
        timed("Night train", "2026-11-24T22:00", "2026-11-25T06:00"),
        timed("Next month", "2026-12-24T10:00"),
    )
    train = "Night train, 22:00 - Wed 25 November, 06:00, Personal"
    fair = "Fair, All day from Sun 22 November until Tue 24 November, Personal"
    dentist = "Dentist, 14:00 - 15:00, Personal"
    month = cells(await text(await hers.get(MONTH)))
    assert len(month) == 42
    assert links(month["Tuesday 24 November"]) == [dentist, train]
    assert links(month["Sunday 22 November"]) == [fair.replace("from Sun 22 November ", "")]
    assert links(month["Monday 23 November"]) == [fair], "a bar begins again in its next week"
    assert links(month["Wednesday 25 November"]) == [], "a night counts for its first day"
    week = sections(await text(await hers.get(WEEK)))
    assert links(week["2026-11-23"]) == [fair]
    assert links(week["2026-11-24"]) == [fair, dentist, train]
    assert links(week["2026-11-25"]) == [train.replace("22:00 -", "Tue 24 November, 22:00 -")]
    day = sections(await text(await hers.get(DAY)))
    assert links(day["2026-11-24"]) == [fair, dentist, train]
    agenda = sections(await text(await hers.get(AGENDA)))
    assert list(agenda) == ["2026-11-24", "2026-11-25"]
    assert links(agenda["2026-11-24"]) == ["Fair", "Dentist", "Night train"]
    assert "3 of 3" in agenda["2026-11-24"]


async def test_a_series_stands_on_each_of_its_days_and_each_has_an_address(
    hers: Client, app: Quart, alice: User
) -> None:
    choir = repeating(timed("Choir", "2026-10-06T19:30"), "FREQ=WEEKLY")
    (number,) = await put(app, alice, choir)
    page = await text(await hers.get(MONTH))
    found = re.findall(rf"/appointments/{number}/\?on=([^\"]+)", page)
    days = [f"2026-{day}T19%3A30" for day in ("10-27", "11-03", "11-10", "11-17", "11-24", "12-01")]
    assert sorted(set(found)) == sorted(days)


@on_both
async def test_the_clocks_are_the_viewers(hers: Client, app: Quart, alice: User) -> None:
    await add(
        app,
        alice,
        timed("Call", "2026-11-24T20:00", zone="America/New_York"),
        timed("Early", "2026-03-29T01:30", "2026-03-29T03:30"),
        timed("Skipped", "2026-03-29T03:30"),
        timed("Twice", "2026-10-25T02:30"),
    )
    month = cells(await text(await hers.get(MONTH)))
    assert links(month["Wednesday 25 November"]) == ["Call, 02:00 - 03:00, Personal"]
    spring = sections(await text(await hers.get("/calendar/day/2026-03-29/")))
    assert re.findall(r'class="block [\w ]+? (h\d+ m\d+ lh\d+ lm\d+)', spring["2026-03-29"]) == [
        "h1 m30 lh2 lm0",  # by the clock, which skips an hour
        "h3 m30 lh1 lm0",
    ]
    autumn = sections(await text(await hers.get("/calendar/day/2026-10-25/")))
    assert links(autumn["2026-10-25"]) == ["Twice, 02:30 - 03:30, Personal"]


async def test_a_hidden_calendar_is_left_out_and_can_be_shown_from_there(
    hers: Client, app: Quart, alice: User
) -> None:
    await add(app, alice, timed("Dentist", "2026-11-24T14:00"))
    page = await text(await hers.get(MONTH))
    hide = re.search(r'action="(/calendars/\d+/hide/)"', page)
    assert hide
    answer = await hers.post(hide[1], form={"next": MONTH})
    assert (answer.status_code, answer.location) == (303, MONTH)
    for view in VIEWS:
        page = await text(await hers.get(view))
        assert "Dentist" not in page
        assert 'aria-pressed="false"' in page
    answer = await hers.post(hide[1].replace("hide", "show"), form={"next": "//evil.example"})
    assert answer.location == "/calendars/"
    assert "Dentist" in await text(await hers.get(MONTH))


async def test_a_crowded_day_says_how_many_more_there_are(
    hers: Client, app: Quart, alice: User
) -> None:
    await add(app, alice, *(timed(f"{hour}", f"2026-11-24T{hour:02}:00") for hour in range(8, 20)))
    cell = cells(await text(await hers.get(MONTH)))["Tuesday 24 November"]
    assert 'aria-label="9 more on Tuesday 24 November"' in cell
    assert "Tuesday 24 November, 12 appointments" in cell
    together = [timed(f"{number} at noon", "2026-11-26T12:00") for number in range(5)]
    await add(app, alice, *together)
    week = sections(await text(await hers.get(WEEK)))["2026-11-26"]
    assert len(links(week)) == 2
    assert 'aria-label="3 more on Thursday 26 November"' in week
    day = await text(await hers.get("/calendar/day/2026-11-26/"))
    assert len(links(day)) == 5


async def test_nobody_sees_what_is_somebody_elses(hers: Client, app: Quart, mallory: User) -> None:
    await add(app, mallory, timed("Secret", "2026-11-24T14:00"))
    for view in (*VIEWS, "/search/?q=secret"):
        assert "Secret" not in await text(await hers.get(view))


async def test_from_a_view_one_goes_on_back_to_today_and_to_the_other_views(hers: Client) -> None:
    page = await text(await hers.get("/calendar/week/2026-W53/"))
    assert re.search(r'href="/calendar/week/2026-W52/" rel="prev"', page)
    assert re.search(r'href="/calendar/week/2027-W01/" rel="next"', page)
    assert re.search(r'<a href="/calendar/week/2026-W48/" data-today>Today</a>', page)
    for view in ("month/2026-12", "day/2026-12-28", "agenda/2026-12-28"):
        assert f'href="/calendar/{view}/"' in page
    page = await text(await hers.get(MONTH))
    for view in ("week/2026-W48", "day/2026-11-24", "agenda/2026-11-24"):
        assert f'href="/calendar/{view}/"' in page, "today is in sight"


LANDINGS = [
    ("", 303, MONTH),
    ("?view=week", 303, WEEK),
    ("?view=day&date=2027-02-28", 303, "/calendar/day/2027-02-28/"),
    ("?date=2027-02-28", 303, "/calendar/month/2027-02/"),
    ("?q=choir", 303, f"{MONTH}?q=choir"),
    ("?view=year", 404, None),
    ("?date=2027-02-29", 404, None),
    ("?date=tomorrow", 404, None),
    ("month/2026-13/", 404, None),
    ("week/2026-W60/", 404, None),
    ("day/2026-02-30/", 404, None),
    ("agenda/1899-12-31/", 404, None),
    ("year/2026/", 404, None),
]


async def test_an_address_leads_to_its_view_and_what_is_no_date_is_not_found(hers: Client) -> None:
    for path, status, place in LANDINGS:
        answer = await hers.get(f"/calendar/{path}")
        assert (answer.status_code, answer.location) == (status, place), path


@pytest.mark.parametrize(
    ("start_view", "place"),
    [("", "/appointments/"), ("week", "/calendar/"), ("agenda", "/calendar/")],
)
async def test_who_signs_in_lands_where_the_profile_says(
    app: Quart, alice: User, client: Client, start_view: str, place: str
) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(start_view=start_view))
    answer = await log_in(client, alice.email, ALICE_PASSWORD)
    assert answer.location == place
    if start_view:
        assert (await client.get(place)).location.startswith(f"/calendar/{start_view}/")
    answer = await client.get("/login/?next=/calendars/")
    assert answer.location == "/calendars/"


async def test_a_day_has_all_its_hours_where_they_are_asked_for(
    hers: Client, app: Quart, alice: User
) -> None:
    await add(app, alice, timed("Early", "2026-11-25T05:10"), timed("Late", "2026-11-26T21:30"))
    page = await text(await hers.get(WEEK))
    assert 'class="days of-week from5 hours18"' in page
    assert "05:00 to 23:00 is shown." in page
    page = await text(await hers.get(f"{WEEK}?hours=all"))
    assert 'class="days of-week from0 hours24"' in page


async def test_the_line_of_now_stands_where_its_hour_is_shown(
    hers: Client, morning: time_machine.Traveller
) -> None:
    for wall, path, is_there in (
        ("09:30", WEEK, True),
        ("09:30", "/calendar/week/2026-W49/", False),
        ("02:45", WEEK, False),
        ("02:45", f"{WEEK}?hours=all", True),
    ):
        morning.move_to(datetime.fromisoformat(f"2026-11-24T{wall}+01:00"))
        page = await text(await hers.get(path))
        assert ('<div class="now' in page) == is_there, (wall, path)


async def test_a_day_chosen_in_a_small_month_has_its_list_below(
    hers: Client, app: Quart, alice: User
) -> None:
    await add(app, alice, timed("Dentist", "2026-11-26T14:00"))
    for query, day, titles in (
        ("", "Today", []),
        ("?day=2026-11-26", "Thursday, 26 November", ["Dentist"]),
        ("?day=1999-01-01", "Today", []),
    ):
        page = await text(await hers.get(MONTH + query))
        below = page.partition('id="chosen"')[2]
        assert f">{day}</a></h2>" in below
        assert links(below) == titles


async def test_more_than_a_view_can_show_is_said_to_be_there(
    hers: Client, app: Quart, alice: User
) -> None:
    hourly = timed("Hourly", "2026-11-01T00:00")
    await put(app, alice, repeating(hourly, "FREQ=HOURLY;COUNT=600"))
    more = "There are more appointments than can be shown here."
    assert more not in await text(await hers.get(MONTH))
    await put(app, alice, repeating(hourly, "FREQ=HOURLY;COUNT=600"))
    page = await text(await hers.get(MONTH))
    assert more in page
    assert "Sunday 1 November, 48 appointments" in page


@on_both
async def test_one_of_a_series_has_a_page_of_its_own_also_in_years_that_are_not_kept(
    hers: Client, app: Quart, alice: User, mallory: User
) -> None:
    choir = repeating(timed("Choir", "2026-10-06T19:30"), "FREQ=WEEKLY")
    number, single = await put(app, alice, choir, new_text(timed("One", "2026-10-06T19:30"), now()))
    (theirs,) = await put(app, mallory, choir)
    for on, day in (
        ("2026-11-24T19:30", "24 November 2026"),
        ("2031-01-07T19:30", "7 January 2031"),
    ):
        page = await text(await hers.get(f"/appointments/{number}/?on={on}"))
        assert day in page
        assert "Repeats every week on Tuesday" in page
    for path in (
        f"{number}/?on=2026-11-25T19:30",
        f"{number}/?on=2031-01-08T19:30",
        f"{number}/?on=",
        f"{number}/?on=tomorrow",
        f"{number}/?on=9999-12-31T19:30",
        f"{single}/?on=2026-10-06T19:30",
        f"{theirs}/?on=2026-11-24T19:30",
    ):
        assert (await hers.get(f"/appointments/{path}")).status_code == 404, path
    month = await text(await hers.get("/calendar/month/2031-01/"))
    assert f"/appointments/{number}/?on=2031-01-07T19%3A30" in month
