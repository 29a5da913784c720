"""A whole account moves to another server: its download is taken in there, file by file."""

import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from quart import Quart
from sqlalchemy import select

from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.database import reading
from sched_async.ics.derive import derive
from sched_async.ics.foreign import contents
from sched_async.models import Appointment, Calendar, User
from sched_async.testing import Client, signed_in

from ..appointments import DENTIST, ZONE_BLOCK, put
from ..appointments.test_repeating import CHOIR
from ..conftest import ALICE
from .corpus import calendar, event
from .test_import_pages import previewed

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FOREIGN = (
    calendar(
        event(
            "DTSTART;TZID=My office:20300601T090000",
            "DURATION:PT1H",
            "SUMMARY:Flat\\, viewing",
            "ATTENDEE:mailto:x@example.org",
            "BEGIN:VALARM",
            "TRIGGER:-PT15M",
            "END:VALARM",
            uid="foreign",
        ),
        head=f"PRODID:x\n{ZONE_BLOCK.format('My office').strip()}",
    ),
    calendar(event("DTSTART:20300601T090000", "SUMMARY:Floating", uid="floating")),
)
CALENDARS = (("Family, friends; all", "plum"), ("Ärzte", "moss"))


async def fill(app: Quart, client: Client, user: User) -> None:
    await put(app, user, *FOREIGN)
    for name, color in CALENDARS:
        await client.post("/calendars/create/", form={"name": name, "color": color})
    last = str(max(one.id for one in await calendars(app, user.id)))
    for form in (DENTIST, DENTIST | {"allday": "y", "reminder_days": "1"}, CHOIR):
        answer = await client.post("/appointments/create/", form=form | {"calendar": last})
        assert answer.status_code == 303
    choir = answer.location or ""
    one = CHOIR | {"start": "2030-05-13T11:00", "end": "2030-05-13T12:00", "scope": "one"}
    await client.post(f"{choir}edit/?on=2030-05-13T09:00", form=one)
    await client.delete(f"{choir}delete/?on=2030-05-20T09:00")


async def calendars(app: Quart, user_id: int) -> list[Calendar]:
    async with app.app_context(), reading() as db:
        return list(await db.scalars(Calendar.readable_by(user_id).order_by(Calendar.id)))


async def everything(app: Quart, user_id: int) -> dict[tuple[str, str], list[Any]]:
    """By the name of its calendar: each with its colour, and what each appointment says."""
    found: dict[tuple[str, str], list[Any]] = {}
    for one in await calendars(app, user_id):
        async with app.app_context(), reading() as db:
            query = select(Appointment.ics).where(Appointment.calendar_id == one.id)
            texts = list(await db.scalars(query.order_by(Appointment.uid)))
        if texts:
            found[one.name, one.color] = [
                (contents(text), derive(text, NOW).occurrences) for text in texts
            ]
    return found


async def test_a_whole_account_moves_to_another_server(
    app: Quart, hers: Client, alice: User, mallory: User, settings: dict[str, Any], tmp_path: Path
) -> None:
    await fill(app, hers, alice)
    stranger = await signed_in(app, mallory.email)
    await stranger.post("/appointments/create/", form=DENTIST | {"title": "Not hers"})
    response = await hers.get("/account/data/export/")
    archive = ZipFile(BytesIO(await response.get_data(as_text=False)))
    account = json.loads(archive.read("account.json"))
    before = await everything(app, alice.id)
    assert sum(map(len, before.values())) == 5
    other = create_app(settings | {"DATABASE_URL": "", "DATA_DIR": str(tmp_path / "other")})
    async with other.test_app():
        async with other.app_context():
            new = await create_account(**ALICE)
        client = await signed_in(other, new.email)
        for one in account["calendars"]:
            data = archive.read(one["file"])
            assert b"Not hers" not in data
            into = "1" if one["is_default"] else "0"
            answer = await client.post(await previewed(client, data, calendar=into))
            assert answer.status_code == 303
        assert await everything(other, new.id) == before
