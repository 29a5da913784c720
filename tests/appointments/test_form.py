"""What the form takes for a time: its ways of writing, whole days, zones and clock changes."""

from datetime import UTC, datetime

import pytest
from quart import Quart

from sched_async.database import begin
from sched_async.models import Appointment, User
from sched_async.testing import Client

from ..pages import text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, instants, kind, make, problem, value


def wall(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


def instant(iso: str) -> datetime:
    return datetime.fromisoformat(iso).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2030-05-06T09:30", "2030-05-06T10:30"),
        ("2030-05-06 09:30", "2030-05-06 10:30"),
        ("2030-05-06T09:30:00", "2030-05-06 10:30:00"),
        ("2030-05-06 09:30:59", "2030-05-06T10:30:59"),
        ("  2030-05-06 09:30\t", "2030-05-06T10:30 "),
    ],
)
async def test_a_time_may_be_written_in_several_ways(
    app: Quart, hers: Client, start: str, end: str
) -> None:
    await make(hers, start=start, end=end)
    (kept,) = await all_rows(app, Appointment)
    assert (kept.start, kept.end) == (wall("2030-05-06T09:30"), wall("2030-05-06T10:30"))
    assert (await instants(app))[0][0] == instant("2030-05-06T07:30")


@pytest.mark.parametrize("given", [{}, {"timezone": ""}, {"timezone": "  "}], ids=repr)
async def test_without_a_zone_it_is_the_users(
    app: Quart, mallory: User, hers: Client, given: dict[str, str]
) -> None:
    without_zone = {name: DENTIST[name] for name in ("title", "start", "end")}
    assert (await hers.post(CREATE, form=without_zone | given)).status_code == 303
    (kept,) = await all_rows(app, Appointment)
    assert kept.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("typed", "name"),
    [("America/Lima", "America/Lima"), (" asia/TOKYO ", "Asia/Tokyo"), ("utc", "UTC")],
)
async def test_a_zone_is_kept_by_its_proper_name(
    app: Quart, hers: Client, typed: str, name: str
) -> None:
    await make(hers, timezone=typed)
    (kept,) = await all_rows(app, Appointment)
    assert kept.timezone == name


async def test_the_form_offers_the_zones_of_the_world(hers: Client) -> None:
    page = await text(await hers.get(CREATE))
    for name in ("Europe/Berlin", "Australia/Lord_Howe", "UTC"):
        assert f'<option value="{name}">' in page


# Whole days


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2030-05-06", "2030-05-08"),
        # The box was ticked in a browser without script, which left the times as they were.
        ("2030-05-06T09:30", "2030-05-08T10:30"),
        ("2030-05-06T18:00", "2030-05-08T08:00"),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_whole_days_are_dates_whatever_the_zone(
    app: Quart, hers: Client, start: str, end: str, zone: str
) -> None:
    await make(hers, allday="y", start=start, end=end, timezone=zone)
    (kept,) = await all_rows(app, Appointment)
    assert kept.allday
    assert (kept.start, kept.end) == (wall("2030-05-06"), wall("2030-05-08"))
    assert await instants(app) == [(instant("2030-05-06"), instant("2030-05-09"))]


async def test_a_time_that_clocks_skip_does_not_matter_to_a_whole_day(
    app: Quart, hers: Client
) -> None:
    await make(hers, allday="y", start="2027-03-28T02:30", end="2027-03-28T02:30")
    (kept,) = await all_rows(app, Appointment)
    assert kept.start == wall("2027-03-28")


async def test_whole_days_are_shown_without_a_time(hers: Client) -> None:
    page = await text(
        await hers.get(await make(hers, allday="y", start="2030-05-06", end="2030-05-08"))
    )
    assert '<time datetime="2030-05-06">Monday, 6 May 2030</time>' in page
    assert "All day until Wed 8 May" in page
    assert "hour" not in page


async def test_the_form_asks_for_dates_only_when_it_is_about_whole_days(hers: Client) -> None:
    address = await make(hers, allday="y", start="2030-05-06", end="2030-05-08")
    page = await text(await hers.get(address + "edit/"))
    assert (kind(page, "start"), kind(page, "end")) == ("date", "date")
    assert (value(page, "start"), value(page, "end")) == ("2030-05-06", "2030-05-08")
    assert 'checked id="allday"' in page
    page = await text(await hers.get(CREATE))
    assert (kind(page, "start"), kind(page, "end")) == ("datetime-local", "datetime-local")


@each(
    ("allday", "typed", "shown"),
    [
        ("y", "2030-05-06T09:00", "2030-05-06"),
        ("y", "2030-05-06", "2030-05-06"),
        ("", "2030-05-06T09:00", "2030-05-06T09:00"),
        ("", "2030-05-06 09:00:30", "2030-05-06T09:00"),
        ("", "2030-05-06", "2030-05-06T00:00"),
        ("", "0001-02-03T04:05", "0001-02-03T04:05"),
        ("y", "0001-02-03", "0001-02-03"),
        ("y", "soon", ""),
        ("", "", ""),
    ],
)
async def test_what_was_typed_comes_back_in_a_shape_that_browsers_show(
    hers: Client, allday: str, typed: str, shown: str
) -> None:
    """An ``<input>`` stays empty when its value is not of its type."""
    form = {**DENTIST, "title": "", "start": typed, "end": typed}
    if allday:
        form["allday"] = allday
    response = await hers.post(CREATE, form=form)
    assert response.status_code == 422
    page = await text(response)
    assert (value(page, "start"), value(page, "end")) == (shown, shown)


async def test_an_appointment_becomes_whole_days_and_a_timed_one_again(
    app: Quart, hers: Client
) -> None:
    address = await make(hers)
    days = DENTIST | {"allday": "y", "start": "2030-05-06", "end": "2030-05-06"}
    await hers.post(address + "edit/", form=days)
    (kept,) = await all_rows(app, Appointment)
    assert (kept.allday, (await instants(app))[0][0]) == (True, instant("2030-05-06"))
    await hers.post(address + "edit/", form=DENTIST)
    (kept,) = await all_rows(app, Appointment)
    assert (kept.allday, (await instants(app))[0][0]) == (False, instant("2030-05-06T07:00"))


# When clocks change

SKIPPED = [
    ("Europe/Berlin", "2027-03-28T02:00", "01:59 and 03:00"),
    ("America/New_York", "2027-03-14T02:30", "01:59 and 03:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:29", "01:59 and 02:30"),
    ("Australia/Sydney", "2026-10-04T02:59", "01:59 and 03:00"),
    ("America/Santiago", "2026-09-06T00:00", "23:59 and 01:00"),
    ("Africa/Casablanca", "2027-03-14T02:30", "01:59 and 03:00"),
]


@each(("zone", "at", "nearest"), SKIPPED)
async def test_a_time_that_clocks_skip_is_refused_with_the_nearest(
    app: Quart, hers: Client, zone: str, at: str, nearest: str
) -> None:
    response = await hers.post(
        CREATE, form=DENTIST | {"start": at, "end": f"{at[:11]}05:00", "timezone": zone}
    )
    assert response.status_code == 422
    page = await text(response)
    assert nearest in (problem(page, "start") or "")
    assert value(page, "start") == at
    assert await all_rows(app, Appointment) == []


@pytest.mark.parametrize(
    ("zone", "start", "end", "minutes"),
    [
        # The wall clock shows one hour or more; the time that passes is less, or more.
        ("Europe/Berlin", "2027-03-28T01:30", "2027-03-28T03:30", 60),
        ("Europe/Berlin", "2027-03-27T12:00", "2027-03-28T12:00", 23 * 60),
        ("Europe/Berlin", "2026-10-24T12:00", "2026-10-25T12:00", 25 * 60),
        ("Europe/Berlin", "2026-10-25T01:30", "2026-10-25T03:30", 180),
        ("Europe/Berlin", "2026-10-25T02:15", "2026-10-25T02:45", 30),
        ("Australia/Lord_Howe", "2026-10-04T01:59", "2026-10-04T02:30", 1),
        ("Australia/Lord_Howe", "2026-04-05T01:15", "2026-04-05T02:15", 90),
        ("Australia/Sydney", "2026-04-05T01:30", "2026-04-05T03:30", 180),
    ],
)
async def test_an_appointment_across_a_change_lasts_as_long_as_it_really_does(
    app: Quart, hers: Client, zone: str, start: str, end: str, minutes: int
) -> None:
    await make(hers, start=start, end=end, timezone=zone)
    (kept,) = await all_rows(app, Appointment)
    assert (kept.start, kept.end) == (wall(start), wall(end))
    ((start_utc, end_utc),) = await instants(app)
    assert (end_utc - start_utc).total_seconds() == minutes * 60


@pytest.mark.parametrize(
    ("zone", "at", "first"),
    [
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        ("Australia/Sydney", "2026-04-05T02:30", "2026-04-04T15:30"),
        ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30"),
    ],
)
async def test_a_time_that_happens_twice_is_the_first_and_stays_it_after_a_change(
    app: Quart, hers: Client, zone: str, at: str, first: str
) -> None:
    end = f"{wall(at).date()}T23:59"
    address = await make(hers, start=at, end=end, timezone=zone)
    (kept,) = await all_rows(app, Appointment)
    assert (await instants(app))[0][0] == instant(first)
    page = await text(await hers.get(address + "edit/"))
    form = {name: value(page, name) or "" for name in ("title", "start", "end", "timezone")}
    assert (await hers.post(address + "edit/", form=form)).status_code == 303
    (kept,) = await all_rows(app, Appointment)
    assert (kept.start, (await instants(app))[0][0]) == (wall(at), instant(first))


@pytest.mark.parametrize("zone", ["Pacific/Apia", "Pacific/Fakaofo"])
async def test_a_day_that_a_zone_skipped_is_refused_but_for_whole_days(
    app: Quart, alice: User, hers: Client, zone: str
) -> None:
    """At the end of 2011 they crossed the date line: there was no 30 December."""
    async with app.app_context(), begin() as db:
        db.add(alice)
        alice.timezone = zone
    skipped = {"start": "2011-12-30T12:00", "end": "2011-12-30T13:00", "timezone": zone}
    page = await text(await hers.post(CREATE, form=DENTIST | skipped))
    assert "The nearest times are" in (problem(page, "start") or "")
    address = await make(hers, allday="y", start="2011-12-30", end="2011-12-30")
    assert "Friday, 30 December 2011" in await text(await hers.get(address))
    assert "Dentist" in await text(await hers.get("/appointments/?past=1"))


async def test_a_time_has_the_bounds_of_the_years_that_the_form_takes(hers: Client) -> None:
    page = await text(await hers.get(CREATE))
    assert page.count('max="2199-12-31T23:59" min="1900-01-01T00:00"') == 2
    sent = DENTIST | {"title": "", "allday": "y"}
    page = await text(await hers.post(CREATE, form=sent))
    assert page.count('max="2199-12-31" min="1900-01-01"') == 3  # and the last day


async def test_a_refused_form_says_so_in_its_title_and_has_the_focus_on_its_summary(
    hers: Client,
) -> None:
    page = await text(await hers.get(CREATE))
    assert "<title>New appointment · sched</title>" in page
    assert " autofocus" not in page
    refused = await text(await hers.post(CREATE, form=DENTIST | {"title": ""}))
    assert "<title>Error: New appointment · sched</title>" in refused
    assert '<div class="flash error" role="alert" tabindex="-1" autofocus>' in refused
