"""Importing by the browser: a file, a look at what it would do, and one press."""

import re
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import time_machine
from quart import Quart, Response
from quart.testing import QuartClient
from werkzeug.datastructures import FileStorage

from sched_async.interop import import_view
from sched_async.interop.import_ics import MOST_BYTES
from sched_async.models import Appointment, Calendar, Reminder, Upload, User
from sched_async.security.csrf import HEADER
from sched_async.testing import Client, signed_in
from sched_async.times import now

from ..mailbox import MAIL_URL
from ..pages import text
from ..rows import all_rows
from ..tables import each
from .corpus import calendar, event

TWO = calendar(
    event("DTSTART:20261130T080000Z", "SUMMARY:Chess", uid="a"),
    event("DTSTART:20261201T080000Z", "SUMMARY:Choir", uid="b"),
    event("SUMMARY:Lost", uid="c"),
    head="PRODID:x\nX-WR-CALNAME:Club",
).encode()

both_databases = pytest.mark.databases("sqlite", "postgresql")


async def send(client: Client, data: bytes, name: str = "club.ics", **fields: str) -> Response:
    file = FileStorage(BytesIO(data), filename=name)
    return await client.post("/import/", form=fields, files={"file": file})


async def previewed(client: Client, data: bytes = TWO, **fields: str) -> str:
    response = await send(client, data, **fields)
    assert response.status_code == 303, await text(response)
    return response.location or ""


@both_databases
async def test_a_file_is_shown_then_imported_and_taken_back_by_one_undo(
    app: Quart, hers: Client
) -> None:
    address = await previewed(hers)
    page = " ".join((await text(await hers.get(address))).split())
    assert "<dt>New</dt><dd>2</dd>" in page
    assert "Line 17: It has no start." in page
    assert await all_rows(app, Appointment) == []
    response = await hers.post(address)
    page = await text(await hers.get(response.location or ""))
    assert "2 appointments imported into “Personal”." in page
    assert {one.title for one in await all_rows(app, Appointment)} == {"Chess", "Choir"}
    assert await all_rows(app, Upload) == []
    assert (await hers.post(address)).status_code == 404
    undo = re.findall(r'action="(/undo/\d+/)"', page)[-1]
    await hers.post(undo)
    assert await all_rows(app, Appointment) == []


MORE = calendar(
    event("DTSTART;TZID=Our Office:20261130T080000", "SUMMARY:Chess", uid="a"),
    event("DTSTART;VALUE=DATE:20261224", "DURATION:P2D", "RRULE:FREQ=YEARLY", uid="b"),
    *(f"BEGIN:{kind}\nEND:{kind}\n" for kind in ("VTODO", "VTODO", "VJOURNAL", "X-OURS")),
).encode()


async def test_the_page_says_when_all_of_it_is_and_what_is_not_taken(hers: Client) -> None:
    page = " ".join((await text(await hers.get(await previewed(hers, MORE)))).split())
    assert '<time datetime="2026-11-30T08:00">Monday, 30 November 2026</time>, 08:00' in page
    assert "Thursday, 24 December 2026</time>, All day until Fri 25 Dec" in page
    assert "Its time zone “Our Office” is unknown, so its times are taken as they stand." in page
    assert "2 tasks, 1 journal entry and 1 other entry were not taken." in page
    assert "<dt>New</dt><dd>2</dd> </dl>" in page
    page = await text(await hers.get(await previewed(hers, calendar().encode())))
    assert "There are no appointments in this file." in page


@both_databases
async def test_a_new_calendar_is_called_as_the_file_says(app: Quart, hers: Client) -> None:
    address = await previewed(hers, calendar="0")
    assert "A new calendar will be created." in await text(await hers.get(address))
    assert len(await all_rows(app, Calendar)) == 1
    await hers.post(address)
    assert [one.name for one in await all_rows(app, Calendar)] == ["Personal", "Club"]
    again = await previewed(hers, calendar="2")
    page = await text(await hers.get(again))
    assert ">Import</button>" not in page
    assert "Choose another file" in page


REFUSED = [
    (b"", "x.ics", "This is not calendar data."),
    (b"PK\x03\x04", "x.zip", "This is not calendar data."),
    (TWO, "", "Choose a file."),
]


@each(("data", "name", "sentence"), REFUSED)
async def test_what_is_no_calendar_file_is_refused_at_its_field(
    app: Quart, hers: Client, data: bytes, name: str, sentence: str
) -> None:
    response = await send(hers, data, name)
    assert response.status_code == 422
    assert sentence in await text(response)
    assert await all_rows(app, Upload) == []


async def test_a_form_without_a_file_says_so(hers: Client) -> None:
    response = await hers.post("/import/", form={"calendar": "1"})
    assert response.status_code == 422
    assert "Choose a file." in await text(response)


async def test_a_file_of_ten_megabytes_is_taken_and_more_is_not(app: Quart, hers: Client) -> None:
    filler = b"X-FILLER:" + b"x" * 60_000 + b"\r\n"
    lines = TWO.replace(b"VERSION:2.0\n", b"VERSION:2.0\n" + filler * 150)
    assert (await send(hers, lines)).status_code == 303
    assert (await send(hers, b"x" * (MOST_BYTES + 300_000))).status_code == 413


async def test_no_other_form_takes_a_file_and_this_one_only_one(hers: Client) -> None:
    file = {"file": FileStorage(BytesIO(TWO), filename="x.ics")}
    response = await hers.post("/calendars/create/", form={"name": "x"}, files=file)
    assert response.status_code == 400
    two: Any = file | {"more": FileStorage(BytesIO(TWO), filename="y.ics")}
    assert (await hers.post("/import/", files=two)).status_code == 400


async def test_nobody_sees_or_does_what_somebody_else_has_uploaded(
    app: Quart, hers: Client, mallory: User
) -> None:
    address = await previewed(hers)
    his = await signed_in(app, mallory.email)
    for _ in range(2):
        assert (await his.get(address)).status_code == 404
        assert (await his.post(address)).status_code == 404
    response = await send(his, TWO, calendar="1")
    assert response.status_code == 422
    assert "Choose one of your calendars." in await text(response)
    assert await all_rows(app, Appointment) == []


async def test_who_is_not_signed_in_is_sent_away_before_the_file_is_read(
    app: Quart, client: QuartClient, alice: User
) -> None:
    file = {"file": FileStorage(BytesIO(TWO), filename="x.ics")}
    response = await client.post("/import/", files=file)
    assert response.status_code in (303, 403)
    assert await all_rows(app, Upload) == []


async def test_a_file_waits_for_an_hour_and_makes_room_for_the_next(
    app: Quart, hers: Client
) -> None:
    first, second = await previewed(hers), await previewed(hers)
    assert (await hers.get(first)).status_code == 404
    with time_machine.travel(now() + timedelta(minutes=61)):
        assert (await hers.get(second)).status_code == 404
        async with app.app_context():
            await import_view.forget()
    assert await all_rows(app, Upload) == []


async def test_what_has_changed_in_the_calendar_meanwhile_is_looked_at_again(
    app: Quart, hers: Client
) -> None:
    await hers.post(await previewed(hers))
    address = await previewed(hers, TWO.replace(b"T080000Z", b"T090000Z"))
    page = await text(await hers.get(address))
    assert "The version in the file replaces the one in the calendar." in page
    await hers.post(address)
    assert {one.start.hour for one in await all_rows(app, Appointment)} == {9}


RINGING = calendar(
    event("DTSTART:20301130T080000Z", "BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM", uid="r")
).encode()


@pytest.mark.settings(MAIL_URL=MAIL_URL)
async def test_imported_reminders_are_silent_unless_the_box_says_otherwise(
    app: Quart, hers: Client
) -> None:
    address = await previewed(hers, RINGING)
    assert "Send me this file's reminders by email" in await text(await hers.get(address))
    await hers.post(address)
    assert await all_rows(app, Reminder) == []
    (one,) = await all_rows(app, Appointment)
    assert "TRIGGER:-PT15M" in one.ics
    page = await text(await hers.get(f"/appointments/{one.id}/edit/"))
    assert "Its reminders were imported without emails." in page
    assert not re.search(r'name="reminder"[^>]*checked', page)
    form = {"title": "x", "start": "2030-11-30T08:00", "end": "2030-11-30T08:00:01"}
    await hers.post(
        f"/appointments/{one.id}/edit/", form=form | {"timezone": "UTC", "reminder": ""}
    )
    assert await all_rows(app, Reminder) == []
    await hers.delete(f"/appointments/{one.id}/delete/")
    await hers.post(await previewed(hers, RINGING), form={"reminders": "y"})
    (reminder,) = await all_rows(app, Reminder)
    assert reminder.appointment_id != one.id
    assert "reminders by email" not in await text(await hers.get(await previewed(hers, TWO)))


@each("is_cut", [True, False])
async def test_an_upload_that_breaks_off_leaves_nothing(
    app: Quart, hers: Client, is_cut: bool
) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="club.ics"\r\n\r\n'
    body = head + TWO + b"\r\n--x--\r\n"
    headers = {
        HEADER: await hers.csrf_token(),
        "Content-Type": "multipart/form-data; boundary=x",
        "Content-Length": str(len(body)),
    }
    async with hers.request("/import/", method="POST", headers=headers) as connection:
        await connection.send(body[: len(body) // 2] if is_cut else body)
        await (connection.disconnect() if is_cut else connection.send_complete())
    assert len(await all_rows(app, Upload)) == (0 if is_cut else 1)
