"""A form about what somebody has changed or deleted meanwhile: both versions, and either kept."""

import asyncio
import re

import pytest
from quart import Quart, Response

from sched_async.appointments import calendar_changes
from sched_async.database import begin
from sched_async.models import Act, Appointment, User
from sched_async.testing import Client, signed_in

from ..pages import hidden_fields, text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, landed, make, problem, put, value

ZONE = [
    *("BEGIN:VTIMEZONE", "TZID:Ours", "BEGIN:STANDARD", "DTSTART:20000101T000000"),
    *("TZOFFSETFROM:+0530", "TZOFFSETTO:+0530", "END:STANDARD", "END:VTIMEZONE"),
]
ENDS = ["END:VEVENT", "END:VCALENDAR", ""]

both_databases = pytest.mark.databases("sqlite", "postgresql")


@pytest.fixture
async def dentist(hers: Client) -> str:
    return await make(hers)


async def opened(client: Client, address: str) -> dict[str, str]:
    """The hidden fields of an edit form that is open now."""
    hidden = await hidden_fields(await client.get(address + "edit/"))
    return {name: hidden[name] for name in ("revision", "submission")}


async def send(client: Client, address: str, form: dict[str, str], **changed: str) -> Response:
    return await client.post(address + "edit/", form=DENTIST | form | changed)


def versions(page: str) -> dict[str, list[str]]:
    """What the page says of each field: once where the versions agree, else mine and the other."""
    found = {}
    for part in re.findall(r"<div>\s*<dt>(.*?)</div>", page, re.DOTALL):
        name, *values = re.split(r"</dt>|</dd>", part)
        plain = [" ".join(re.sub("<[^>]*>", " ", one).split()) for one in (name, *values)]
        found[plain[0]] = [one for one in plain[1:] if one]
    return found


@both_databases
async def test_a_form_whose_appointment_has_changed_meanwhile_shows_both_versions(
    app: Quart, hers: Client, dentist: str
) -> None:
    old = await opened(hers, dentist)
    await send(hers, dentist, {}, title="Orthodontist", location="")
    response = await send(hers, dentist, old, start="2030-05-06T08:30", description="")
    assert response.status_code == 409
    page = await text(response)
    assert versions(page) == {
        "Title Different": ["Your version Dentist", "The other version Orthodontist"],
        "When Different": [
            "Your version Monday, 6 May 2030 08:30 – 10:00 · 1 hour, 30 minutes",  # noqa: RUF001
            "The other version Monday, 6 May 2030 09:00 – 10:00 · 1 hour",  # noqa: RUF001
        ],
        "Location Different": ["Your version Main Street 5", "The other version None"],
        "Description Different": ["Your version None", "The other version Bring the X-ray."],
    }
    assert f'<a class="button" href="{dentist}">Keep the other version</a>' in page
    (kept,) = await all_rows(app, Appointment)
    assert (kept.title, kept.description) == ("Orthodontist", "Bring the X-ray.")


@both_databases
async def test_one_press_saves_what_was_typed_unless_there_is_a_newer_one_again(
    app: Quart, hers: Client, dentist: str
) -> None:
    old = await opened(hers, dentist)
    await send(hers, dentist, {}, title="Orthodontist")
    page = await send(hers, dentist, old, title="Tooth fairy", allday="y")
    form = await hidden_fields(page)
    assert form.keys() == {*DENTIST, *old, "allday", "csrf_token"}
    await send(hers, dentist, {}, title="Dental hygienist")
    page = await hers.post(dentist + "edit/", form=form)
    assert page.status_code == 409
    assert "Dental hygienist" in await text(page)
    form = await hidden_fields(page)
    assert landed(await hers.post(dentist + "edit/", form=form)) == (303, dentist)
    (kept,) = await all_rows(app, Appointment)
    assert (kept.title, kept.allday) == ("Tooth fairy", True)
    page = await hers.post(dentist + "edit/", form=form)
    assert landed(page) == (303, dentist), "the same sent twice is saved already"


@both_databases
async def test_of_two_forms_that_are_sent_at_one_moment_one_is_asked(
    app: Quart, hers: Client, dentist: str
) -> None:
    old = await opened(hers, dentist)
    titles = ("Orthodontist", "Tooth fairy")
    responses = await asyncio.gather(*(send(hers, dentist, old, title=one) for one in titles))
    statuses = [response.status_code for response in responses]
    assert sorted(statuses) == [303, 409]
    (kept,) = await all_rows(app, Appointment)
    assert kept.title == titles[statuses.index(303)]
    page = await text(responses[statuses.index(409)])
    mine, other = reversed(titles) if statuses[0] == 303 else titles
    assert versions(page)["Title Different"] == [
        f"Your version {mine}",
        f"The other version {other}",
    ]


@each(
    ("other", "mine", "status"),
    [
        ({"title": "Orthodontist"}, {"title": "Orthodontist"}, 303),
        ({"title": "Orthodontist"}, {"title": ""}, 422),
        ({"allday": "y"}, {"allday": "y", "timezone": "Asia/Tokyo"}, 303),
        ({"title": "Orthodontist"}, {"revision": ""}, 303),
        ({"title": "Dentist"}, {"title": "Orthodontist"}, 303),
        ({"timezone": "Europe/Paris"}, {}, 409),
    ],
)
async def test_only_versions_that_differ_are_asked_about(
    app: Quart,
    hers: Client,
    dentist: str,
    other: dict[str, str],
    mine: dict[str, str],
    status: int,
) -> None:
    old = await opened(hers, dentist)
    await send(hers, dentist, {}, **other)
    acts = len(await all_rows(app, Act))
    response = await send(hers, dentist, old, **mine)
    assert response.status_code == status
    (kept,) = await all_rows(app, Appointment)
    if status == 303:
        assert kept.title == mine.get("title", "Dentist")
        saved = (other.get("title", "Dentist") != kept.title) or "revision" in mine
        assert len(await all_rows(app, Act)) == acts + saved
    if status == 409:
        assert "Europe/Paris" in versions(await text(response))["Time zone Different"][1]


async def test_another_calendar_is_a_difference(
    app: Quart, alice: User, hers: Client, dentist: str
) -> None:
    async with app.app_context(), begin() as db:
        work = await calendar_changes.add(db, alice.id, "Work", "amber")
    old = await opened(hers, dentist)
    (kept,) = await all_rows(app, Appointment)
    await send(hers, dentist, {}, calendar=f"{work.id}")
    page = await send(hers, dentist, old, calendar=f"{kept.calendar_id}")
    assert versions(await text(page))["Calendar Different"] == [
        "Your version Personal",
        "The other version Work",
    ]
    await hers.post(dentist + "edit/", form=await hidden_fields(page))
    assert (await all_rows(app, Appointment))[0].calendar_id == kept.calendar_id


async def test_mine_is_shown_as_it_would_be_saved_over_what_another_program_wrote(
    app: Quart, alice: User, hers: Client
) -> None:
    """Its zone is known by its own rules only, and its seconds are not in the form."""
    begins = "DTSTART;TZID=Ours:20300506T090030"
    lines = [*ZONE, "BEGIN:VEVENT", "UID:1", "DTSTAMP:20261124T083000Z", begins, "DURATION:PT1H"]
    (number,) = await put(app, alice, "\r\n".join(["BEGIN:VCALENDAR", *lines, *ENDS]))
    address = f"/appointments/{number}/"
    old = await opened(hers, address)
    form = {"title": "Yoga", "timezone": "Ours", "location": "", "description": ""}
    assert (await send(hers, address, form)).status_code == 303
    page = await text(await send(hers, address, form | old, end="2030-05-06T10:30"))
    assert versions(page)["When Different"] == [
        "Your version Monday, 6 May 2030 05:30 \u2013 07:00 · 1 hour, 29 minutes, 30 seconds",
        "The other version Monday, 6 May 2030 05:30 \u2013 06:30 · 1 hour",
    ]


# Deleted


@both_databases
@pytest.mark.parametrize("what", ["appointment", "calendar"])
async def test_what_was_typed_about_a_deleted_one_makes_it_anew_with_one_press(
    app: Quart, alice: User, hers: Client, what: str
) -> None:
    async with app.app_context(), begin() as db:
        work = await calendar_changes.add(db, alice.id, "Work", "amber")
    address = await make(hers, calendar=f"{work.id}")
    old = await opened(hers, address)
    if what == "appointment":
        await hers.post(address + "delete/")
    else:
        await hers.post(f"/calendars/{work.id}/delete/")
    response = await send(hers, address, old, title="Orthodontist", calendar=f"{work.id}")
    assert response.status_code == 409
    page = await text(response)
    assert f'<form method="post" action="{CREATE}"' in page
    assert "This appointment has been deleted since you opened the form." in page
    assert ">Leave it deleted</a>" in page
    form = {name: value(page, name) or "" for name in DENTIST}
    assert form == DENTIST | {"title": "Orthodontist"}
    (calendar,) = re.findall(r'<option selected value="(\d+)"', page) or [""]
    assert (calendar == f"{work.id}") == (what == "appointment")
    form |= await hidden_fields(response) | ({"calendar": calendar} if calendar else {})
    first, again = [landed(await hers.post(CREATE, form=form)) for _ in range(2)]
    assert first == again
    assert first[1] != address
    assert "Orthodontist" in await text(await hers.get(first[1] or ""))


async def test_what_was_never_ones_own_is_not_found_whatever_the_form_says(
    app: Quart, hers: Client, mallory: User, dentist: str
) -> None:
    old = await opened(hers, dentist)
    mallorys = await signed_in(app, "mallory@example.org")
    for forged in (old, {"revision": "999999999999999999999-1"}, {"revision": "-"}, {}):
        assert (await send(mallorys, dentist, forged)).status_code == 404
    await hers.post(dentist + "delete/")
    assert (await send(hers, dentist, {})).status_code == 404
    assert (await hers.get(dentist + "edit/")).status_code == 404


async def test_what_is_wrong_in_the_form_of_a_deleted_one_is_said_once_it_is_made_anew(
    hers: Client, dentist: str
) -> None:
    old = await opened(hers, dentist)
    await hers.post(dentist + "delete/")
    response = await send(hers, dentist, old, title="", location="Elsewhere")
    assert response.status_code == 409
    form = await hidden_fields(response) | DENTIST | {"title": ""}
    assert problem(await text(await hers.post(CREATE, form=form)), "title")
