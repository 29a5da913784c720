"""Making, reading, changing and deleting appointments, and that each is its owner's alone."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from quart import Quart

from sched_async.appointments import calendar_changes, changes
from sched_async.database import begin
from sched_async.ics.derive import derive
from sched_async.models import Appointment, User
from sched_async.testing import Client, signed_in

from ..pages import text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, LIST, add, instants, landed, make, problem, timed, titles, value
from .conftest import MORNING


@pytest.fixture
async def dentist(app: Quart, hers: Client) -> str:
    """The address of Alice's appointment."""
    return await make(hers)


@pytest.fixture
async def mallorys(app: Quart, mallory: User) -> Client:
    return await signed_in(app, "mallory@example.org")


async def test_the_front_page_leads_to_the_list(client: Client) -> None:
    assert landed(await client.get("/")) == (303, LIST)


# Making


@pytest.mark.databases("sqlite", "postgresql")
async def test_a_new_appointment_is_kept_as_it_was_typed(app: Quart, hers: Client) -> None:
    address = await make(hers)
    (kept,) = await all_rows(app, Appointment)
    assert address == f"/appointments/{kept.id}/"
    assert (kept.title, kept.location) == ("Dentist", "Main Street 5")
    assert kept.description == "Bring the X-ray."
    assert (kept.start, kept.end) == (datetime(2030, 5, 6, 9), datetime(2030, 5, 6, 10))
    assert (kept.timezone, kept.allday) == ("Europe/Berlin", False)
    seven = datetime(2030, 5, 6, 7, tzinfo=UTC)
    assert await instants(app) == [(seven, seven + timedelta(hours=1))]


async def test_after_saving_one_sees_the_appointment_and_hears_once_that_it_is_saved(
    hers: Client, dentist: str
) -> None:
    page = await text(await hers.get(dentist))
    for words in ("Saved.", "Dentist", "Main Street 5", "Bring the X-ray.", "1 hour"):
        assert words in page
    assert "Monday, 6 May 2030" in page
    assert "09:00 – 10:00" in page  # noqa: RUF001 (a dash between times)
    assert "Saved." not in await text(await hers.get(dentist))


async def test_what_was_left_empty_is_not_shown(hers: Client) -> None:
    page = await text(await hers.get(await make(hers, location="", description="")))
    assert "Where" not in page
    assert "Notes" not in page


async def test_the_lines_of_a_description_stay_lines(hers: Client) -> None:
    page = await text(await hers.get(await make(hers, description="one\r\ntwo")))
    assert "one<br>\ntwo" in page


async def test_a_description_may_have_tabs(app: Quart, hers: Client) -> None:
    await make(hers, description="one\ttwo\r\n\tthree")
    (kept,) = await all_rows(app, Appointment)
    assert kept.description == "one\ttwo\n\tthree"


@pytest.mark.parametrize(
    ("moment", "start", "end"),
    [
        ("2026-11-24T08:30", "2026-11-24T10:00", "2026-11-24T11:00"),
        ("2026-11-24T08:00", "2026-11-24T10:00", "2026-11-24T11:00"),
        ("2026-12-31T22:59", "2027-01-01T00:00", "2027-01-01T01:00"),
        # The next hour, or the one after it, is skipped.
        ("2027-03-28T00:30", "2027-03-28T03:00", "2027-03-28T04:00"),
        ("2027-03-27T23:30", "2027-03-28T01:00", "2027-03-28T03:00"),
        # The hour happens twice.
        ("2026-10-24T23:30", "2026-10-25T02:00", "2026-10-25T03:00"),
    ],
)
async def test_the_form_proposes_the_next_full_hour_and_takes_its_own_proposal(
    app: Quart, alice: User, moment: str, start: str, end: str
) -> None:
    with time_machine.travel(datetime.fromisoformat(moment).replace(tzinfo=UTC), tick=False):
        hers = await signed_in(app, "alice@example.org")
        page = await text(await hers.get(CREATE))
        proposed = {name: value(page, name) or "" for name in ("start", "end", "timezone")}
        assert proposed == {"start": start, "end": end, "timezone": "Europe/Berlin"}
        assert value(page, "title") == ""
        await make(hers, **proposed)


async def test_every_blank_form_has_a_key_of_its_own(hers: Client) -> None:
    keys = {value(await text(await hers.get(CREATE)), "submission") for _ in range(3)}
    assert len(keys) == 3
    assert all(key and len(key) >= 16 for key in keys)


async def test_a_form_that_is_sent_again_makes_one_appointment(app: Quart, hers: Client) -> None:
    key = value(await text(await hers.get(CREATE)), "submission") or ""
    first, second = [await make(hers, submission=key) for _ in range(2)]
    assert first == second
    assert len(await all_rows(app, Appointment)) == 1


@pytest.mark.databases("sqlite", "postgresql")
async def test_a_form_that_is_clicked_twice_makes_one_appointment(app: Quart, hers: Client) -> None:
    addresses = await asyncio.gather(*(make(hers, submission="a-key") for _ in range(5)))
    assert len(set(addresses)) == 1
    assert len(await all_rows(app, Appointment)) == 1


async def test_two_people_may_send_the_same_key(app: Quart, hers: Client, mallorys: Client) -> None:
    assert await make(hers, submission="a-key") != await make(mallorys, submission="a-key")
    assert len(await all_rows(app, Appointment)) == 2


@pytest.mark.parametrize("without", [{}, {"submission": ""}], ids=["absent", "empty"])
async def test_forms_without_a_key_make_an_appointment_each(
    app: Quart, hers: Client, without: dict[str, str]
) -> None:
    assert await make(hers, **without) != await make(hers, **without)
    assert len(await all_rows(app, Appointment)) == 2


# What cannot be saved


@pytest.mark.parametrize("path", [CREATE, "edit/"], ids=["create", "edit"])
async def test_what_was_typed_comes_back_with_the_message_at_its_field(
    app: Quart, hers: Client, dentist: str, path: str
) -> None:
    typed = {
        "title": "Zahnarzt",
        "start": "2031-01-01T12:00",
        "end": "soon",
        "timezone": "America/Lima",
        "location": "Hauptstraße 5",
        "description": "eins\nzwei",
        "submission": "the-same-key",
    }
    response = await hers.post(path if path == CREATE else dentist + path, form=typed)
    assert response.status_code == 422
    page = await text(response)
    # A field for a time can hold nothing else.
    assert {name: value(page, name) for name in typed} == typed | {"end": ""}
    assert problem(page, "end") == "Use the format 2026-11-24 09:30."
    assert [name for name in typed if problem(page, name)] == ["end"]
    assert '<a href="#end">End</a>' in page
    (kept,) = await all_rows(app, Appointment)
    assert kept.title == "Dentist"


@each(
    ("changed", "field"),
    [
        ({"title": " "}, "title"),
        ({"start": ""}, "start"),
        ({"start": "2027-03-28T02:30", "end": "2027-03-28T03:30"}, "start"),
        ({"start": "2027-03-28T01:30", "end": "2027-03-28T02:30"}, "end"),
        ({"start": "2030-05-06"}, "start"),
        ({"end": "2030-05-06"}, "end"),
        ({"end": "2030-05-06T08:00"}, "end"),
        ({"end": "2031-05-07", "allday": "y"}, "end"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"location": "x" * 256}, "location"),
        ({"description": "x" * 10_001}, "description"),
    ],
)
async def test_a_message_stands_at_the_field_that_it_is_about(
    hers: Client, changed: dict[str, str], field: str
) -> None:
    page = await text(await hers.post(CREATE, form=DENTIST | changed))
    assert [name for name in DENTIST if problem(page, name)] == [field]


async def test_all_that_is_wrong_is_said_at_once(hers: Client) -> None:
    page = await text(await hers.post(CREATE, form={"title": "", "start": "x", "end": ""}))
    assert [name for name in DENTIST if problem(page, name)] == ["title", "start", "end"]


async def test_a_field_that_was_not_sent_is_missing_and_comes_back_as_it_was(
    app: Quart, hers: Client, dentist: str
) -> None:
    sent = {name: DENTIST[name] for name in ("title", "start", "timezone")}
    response = await hers.post(dentist + "edit/", form=sent | {"title": "Changed"})
    assert response.status_code == 422
    page = await text(response)
    assert problem(page, "end") == "This field is required."
    assert value(page, "end") == DENTIST["end"]
    assert [kept.title for kept in await all_rows(app, Appointment)] == ["Dentist"]


async def test_a_box_that_was_ticked_is_ticked_in_the_form_that_comes_back(hers: Client) -> None:
    page = await text(await hers.post(CREATE, form=DENTIST | {"title": "", "allday": "y"}))
    assert 'checked id="allday"' in page


# Changing


async def test_the_form_for_a_change_holds_what_is_kept(hers: Client, dentist: str) -> None:
    page = await text(await hers.get(dentist + "edit/"))
    assert {name: value(page, name) for name in DENTIST} == DENTIST
    assert 'checked id="allday"' not in page


async def test_a_change_is_saved(app: Quart, hers: Client, dentist: str) -> None:
    changed = DENTIST | {"title": "Orthodontist", "end": "2030-05-06T11:30", "location": ""}
    response = await hers.post(dentist + "edit/", form=changed)
    assert landed(response) == (303, dentist)
    page = await text(await hers.get(dentist))
    assert "Saved." in page
    assert "Orthodontist" in page
    (kept,) = await all_rows(app, Appointment)
    assert (kept.end, kept.location) == (datetime(2030, 5, 6, 11, 30), "")
    assert (await instants(app))[0][1] == datetime(2030, 5, 6, 9, 30, tzinfo=UTC)


async def test_a_change_is_dated(app: Quart, alice: User, morning: time_machine.Traveller) -> None:
    hers = await signed_in(app, "alice@example.org")
    address = await make(hers)
    morning.shift(timedelta(hours=1))
    await hers.post(address + "edit/", form=DENTIST | {"title": "Orthodontist"})
    (kept,) = await all_rows(app, Appointment)
    assert kept.created_at == MORNING
    assert kept.modified_at == MORNING + timedelta(hours=1)


async def test_an_appointment_keeps_its_zone_when_the_form_names_none(
    app: Quart, alice: User, hers: Client
) -> None:
    """Alice lives in Berlin; her start and end stay by the clocks in Lima."""
    address = await make(hers, timezone="America/Lima")
    without_zone = {name: DENTIST[name] for name in ("title", "start", "end")}
    for form in (without_zone, without_zone | {"timezone": " "}):
        assert (await hers.post(address + "edit/", form=form)).status_code == 303
        (kept,) = await all_rows(app, Appointment)
        assert kept.timezone == "America/Lima"
        assert (await instants(app))[0][0] == datetime(2030, 5, 6, 14, tzinfo=UTC)


async def test_another_zone_moves_the_appointment_to_the_clocks_there(
    app: Quart, hers: Client, dentist: str
) -> None:
    await hers.post(dentist + "edit/", form=DENTIST | {"timezone": "Asia/Tokyo"})
    (kept,) = await all_rows(app, Appointment)
    assert kept.start == datetime(2030, 5, 6, 9)
    assert (await instants(app))[0][0] == datetime(2030, 5, 6, 0, tzinfo=UTC)


async def test_a_change_never_becomes_the_result_of_another_form(
    app: Quart, hers: Client, dentist: str
) -> None:
    """The key belongs to the form that made an appointment."""
    await hers.post(dentist + "edit/", form=DENTIST | {"submission": "a-key"})
    assert await make(hers, submission="a-key") != dentist


@pytest.mark.parametrize(
    ("where", "status", "message"),
    [("free", 303, None), ("taken", 422, "That calendar has this appointment already.")],
)
async def test_an_appointment_moves_to_another_calendar_that_does_not_have_it(
    app: Quart,
    alice: User,
    hers: Client,
    dentist: str,
    where: str,
    status: int,
    message: str | None,
) -> None:
    (kept,) = await all_rows(app, Appointment)
    async with app.app_context(), begin() as db:
        work = await calendar_changes.add(db, alice.id, "Work", "amber")
        if where == "taken":
            async with changes.act(db, alice.id, "import") as act:
                act.put(work.id, derive(kept.ics, MORNING))
    response = await hers.post(dentist + "edit/", form=DENTIST | {"calendar": f"{work.id}"})
    assert response.status_code == status
    assert problem(await text(response), "calendar") == message
    moved = (await all_rows(app, Appointment))[0]
    assert (moved.calendar_id == work.id) == (where == "free")
    assert (await hers.post(CREATE, form=DENTIST | {"calendar": "404"})).status_code == 422


# Deleting


async def test_deleting_by_script_answers_json(app: Quart, hers: Client, dentist: str) -> None:
    response = await hers.delete(dentist + "delete/")
    assert response.status_code == 200
    assert await response.get_json() == {"status": "OK"}
    assert await all_rows(app, Appointment) == []
    assert "“Dentist” has been deleted." not in await text(await hers.get(LIST))


async def test_deleting_twice_finds_nothing_the_second_time(hers: Client, dentist: str) -> None:
    await hers.delete(dentist + "delete/")
    response = await hers.delete(dentist + "delete/")
    assert response.status_code == 404
    assert await response.get_json() == {"status": "Not Found"}


async def test_somebody_elses_appointment_is_not_found_and_stays(
    app: Quart, mallorys: Client, dentist: str
) -> None:
    response = await mallorys.delete(dentist + "delete/")
    assert response.status_code == 404
    assert await response.get_json() == {"status": "Not Found"}
    assert len(await all_rows(app, Appointment)) == 1


async def test_a_page_deletes_at_once_and_says_so(app: Quart, hers: Client, dentist: str) -> None:
    page = await text(await hers.get(dentist))
    assert f'<form method="post" action="{dentist}delete/">' in page
    for press in ("once", "twice"):
        assert landed(await hers.post(dentist + "delete/")) == (303, LIST), press
        assert await all_rows(app, Appointment) == []
    page = await text(await hers.get(LIST))
    assert page.count("“Dentist” has been deleted.") == page.count(">Undo</button>") == 1


async def test_old_links_to_delete_lead_to_a_page_with_one_button(
    app: Quart, hers: Client, dentist: str
) -> None:
    page = await text(await hers.get(dentist + "delete/"))
    assert "Delete this appointment?" in page
    assert "Dentist" in page
    assert "Monday, 6 May 2030" in page
    assert len(await all_rows(app, Appointment)) == 1


async def test_what_came_back_or_was_never_ones_own_is_not_deleted_before(
    app: Quart, hers: Client, mallorys: Client, dentist: str
) -> None:
    await hers.post(dentist + "delete/")
    page = await text(await hers.get(LIST))
    for client, path in ((mallorys, dentist), (hers, "/appointments/404404/")):
        assert (await client.post(path + "delete/")).status_code == 404
    await hers.post(re.findall(r"/undo/\d+/", page)[-1])
    assert len(await all_rows(app, Appointment)) == 1
    await hers.delete(dentist + "delete/")
    assert landed(await hers.post(dentist + "delete/")) == (303, LIST)


async def test_only_the_one_that_was_meant_is_deleted(app: Quart, hers: Client) -> None:
    first, second = await make(hers, title="First"), await make(hers, title="Second")
    await hers.post(first + "delete/")
    assert [kept.title for kept in await all_rows(app, Appointment)] == ["Second"]
    assert (await hers.get(second)).status_code == 200


async def test_the_list_holds_ones_own_appointments_only(
    app: Quart, alice: User, mallory: User, hers: Client
) -> None:
    await add(app, mallory, timed("Heist", "2030-05-06T09:00"), timed("Alibi", "2020-05-06T09:00"))
    await add(app, alice, timed("Dentist", "2030-05-06T09:00"))
    assert titles(await text(await hers.get(LIST))) == ["Dentist"]
    assert titles(await text(await hers.get(LIST + "?past=1"))) == []


async def test_an_edit_form_left_open_never_changes_an_appointment_made_later(
    app: Quart, hers: Client, dentist: str
) -> None:
    """Not even when its own was the last one that was made, and is deleted."""
    assert (await hers.delete(f"{dentist}delete/")).status_code == 200
    other = await make(hers, title="Made later")
    for path in ("", "edit/", "delete/"):
        assert (await hers.get(dentist + path)).status_code == 404
    response = await hers.post(f"{dentist}edit/", form=DENTIST | {"title": "Meant for the other"})
    assert response.status_code == 404
    assert other != dentist
    assert [row.title for row in await all_rows(app, Appointment)] == ["Made later"]


async def test_back_and_another_title_make_another_appointment(hers: Client) -> None:
    first = await make(hers, submission="a-key", title="Dentist")
    second = await make(hers, submission="a-key", title="Optician")
    assert first != second
    assert "Optician" in await text(await hers.get(second))
    assert await make(hers, submission="a-key", title="Dentist") == first
    assert await make(hers, submission="a-key", title="Optician") == second
