"""One's own data: all of it in a zip, and all of it gone when the account is deleted."""

import asyncio
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from icalendar import Calendar as ICalendar
from icalendar import Event
from quart import Quart, Response
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from sched_async import database
from sched_async.accounts.admin.actions import act_on
from sched_async.accounts.password_reset import link_for
from sched_async.accounts.settings import delete_account
from sched_async.app import create_app
from sched_async.database import begin, reading
from sched_async.ics.ics_text import Facts
from sched_async.interop import export_view
from sched_async.models import (
    Appointment,
    Base,
    Calendar,
    Change,
    LoginSession,
    Occurrence,
    User,
)
from sched_async.testing import Client, signed_in
from sched_async.times import now, to_utc

from ..appointments import add
from ..conftest import ALICE_PASSWORD, MALLORY_PASSWORD
from ..mailbox import MAIL_URL, mails
from ..pages import Browser, asks_to_confirm, cookie, csrf_token, is_signed_in, log_in, text
from ..rows import activities, all_rows
from .logins import age_proof, login_rows

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL)

DATA = "/account/data/"
EXPORT = f"{DATA}export/"
DELETE = f"{DATA}delete/"
MAIN = "calendars/Personal.ics"
ALICE, MALLORY = "alice@example.org", "mallory@example.org"
START = datetime(2026, 11, 24, 9, 30)


Owned = tuple[User, Facts]


def timed(user: User, title: str, zone: str = "Europe/Berlin", **more: Any) -> Owned:
    usual = {"start": START, "end": START + timedelta(hours=1)}
    return user, Facts(**{"title": title, "allday": False, "timezone": zone, **usual, **more})


def whole_days(user: User, title: str, first: date, last: date) -> Owned:
    start, end = (datetime(day.year, day.month, day.day) for day in (first, last))
    return user, Facts(title, start, end, True, None)


async def keep(app: Quart, *appointments: Owned) -> None:
    """All of one person."""
    await add(app, appointments[0][0], *(facts for _, facts in appointments))


async def unzipped(response: Response) -> tuple[dict[str, Any], str]:
    assert response.status_code == 200
    with ZipFile(io.BytesIO(await response.get_data(as_text=False))) as archive:
        assert archive.namelist() == ["account.json", MAIN]
        return json.loads(archive.read("account.json")), archive.read(MAIN).decode()


async def exported(client: Browser) -> tuple[dict[str, Any], dict[str, Event]]:
    """The account, and the events by what they are called."""
    account, calendar = await unzipped(await client.get(EXPORT))
    parsed = ICalendar.from_ical(calendar)
    assert parsed.get_missing_tzids() == set()
    assert [error for event in parsed.events for error in event.errors] == []
    return account, {str(event["SUMMARY"]): event for event in parsed.events}


# Taking it along


async def test_the_zip_holds_the_profile_and_every_appointment(
    app: Quart, hers: Client, alice: User
) -> None:
    await keep(
        app,
        timed(
            alice, "Zahnärztin; mit Überweisung, 2. Stock", location="Markt 1", description="a\nb"
        ),
        whole_days(alice, "Holiday", date(2026, 12, 24), date(2026, 12, 26)),
    )
    account, events = await exported(hers)
    profile = account["profile"]
    assert (profile["name"], profile["email"], profile["timezone"]) == (
        "Alice",
        ALICE,
        "Europe/Berlin",
    )
    assert (profile["week_start"], profile["clock_hours"], profile["is_admin"]) == (1, 24, True)
    assert (profile["ways_in"], profile["has_second_factor"]) == (["password"], False)
    holiday, dentist = sorted(account["appointments"], key=lambda row: str(row["title"]))
    assert (dentist["start"], dentist["end"]) == ("2026-11-24T09:30:00", "2026-11-24T10:30:00")
    assert (dentist["location"], dentist["description"]) == ("Markt 1", "a\nb")
    assert (holiday["allday"], holiday["end"]) == (True, "2026-12-26T00:00:00")
    assert {event["UID"] for event in events.values()} == {dentist["uid"], holiday["uid"]}
    (session,) = account["sessions"]
    assert session["created_at"].endswith("+00:00")


async def test_the_zip_has_a_file_for_each_calendar_and_says_what_each_is(
    app: Quart, hers: Client, alice: User
) -> None:
    """Names that a file cannot have, or that are too alike for some systems, get others."""
    named = [("a/b", "moss"), ("A b", "plum"), ("nul", "sky"), ("Ärzte", "rose")]
    for name, color in named:
        assert (
            await hers.post("/calendars/create/", form={"name": name, "color": color})
        ).status_code == 303
    await hers.post("/calendars/5/default/")
    await hers.post("/calendars/2/hide/")
    await keep(app, timed(alice, "Checkup"))
    response = await hers.get(EXPORT)
    with ZipFile(io.BytesIO(await response.get_data(as_text=False))) as archive:
        account = json.loads(archive.read("account.json"))
        texts = {name: archive.read(name).decode() for name in archive.namelist()[1:]}
    files = ["Ärzte", "Personal", "a b", "A b (2)", "calendar"]
    assert list(texts) == [f"calendars/{name}.ics" for name in files]
    assert [one["file"] for one in account["calendars"]] == list(texts)
    assert [one["is_default"] for one in account["calendars"]] == [True] + 4 * [False]
    assert [one["is_hidden"] for one in account["calendars"]] == [False, False, True, False, False]
    assert [one["color"] for one in account["calendars"]][:3] == ["rose", "indigo", "moss"]
    assert ["Checkup" in one for one in texts.values()] == [True] + 4 * [False]


async def test_times_keep_their_clock_and_zone_and_whole_days_are_dates(
    app: Quart, hers: Client, alice: User
) -> None:
    """RFC 5545: VALUE=DATE with an end that is not part of it, a VTIMEZONE for each TZID."""
    zones = ("Europe/Berlin", "America/New_York", "Atlantic/Reykjavik", "Etc/UTC")
    rows = [timed(alice, zone, zone) for zone in zones]
    await keep(app, *rows, whole_days(alice, "Day", date(2026, 11, 24), date(2026, 11, 24)))
    _, calendar = await unzipped(await hers.get(EXPORT))
    lines = calendar.replace("\r\n ", "").split("\r\n")
    for zone in zones[:3]:
        assert f"DTSTART;TZID={zone}:20261124T093000" in lines
        assert f"TZID:{zone}" in lines
    assert "DTSTART:20261124T093000Z" in lines
    assert "DTSTART;VALUE=DATE:20261124" in lines
    assert "DTEND;VALUE=DATE:20261125" in lines
    assert "TZID:Etc/UTC" not in lines
    assert lines[0:3] == ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//sched_async//EN"]
    assert lines[-2:] == ["END:VCALENDAR", ""]


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(2026, 7, 1), date(2199, 12, 31)])
async def test_another_calendar_reads_the_same_instants(
    app: Quart, hers: Client, alice: User, day: date
) -> None:
    start = datetime(day.year, day.month, day.day, 12)
    end, instant = start + timedelta(hours=1), to_utc(start, "Europe/Berlin")
    await keep(app, timed(alice, "Noon", start=start, end=end))
    _, events = await exported(hers)
    read = events["Noon"].start
    assert isinstance(read, datetime)
    assert read.astimezone(UTC) == instant


async def test_an_appointment_that_did_not_change_is_the_same_each_time(
    app: Quart, hers: Client, alice: User
) -> None:
    await keep(app, timed(alice, "Dentist"), timed(alice, "Dentist"))
    first, second = [await unzipped(await hers.get(EXPORT)) for _ in range(2)]
    assert first[1] == second[1]
    uids = [row["uid"] for row in first[0]["appointments"]]
    assert len(set(uids)) == 2
    assert all(len(uid) == 32 for uid in uids), "random, and without the name of a host"
    assert "DTSTAMP:" in first[1]


async def test_an_appointment_keeps_its_uid_at_another_address_and_when_it_is_changed(
    app: Quart, hers: Client, alice: User, settings: dict[str, Any]
) -> None:
    await keep(app, timed(alice, "Dentist"))
    (before,) = (await exported(hers))[1].values()
    await change(hers, "Barber")
    moved = create_app(settings | {"PUBLIC_URL": "http://127.0.0.1"})
    async with database.opened(moved):
        (after,) = (await exported(await signed_in(moved, ALICE)))[1].values()
    assert (str(before["UID"]), "Barber") == (str(after["UID"]), str(after["SUMMARY"]))


async def change(client: Browser, title: str) -> None:
    """By the form of the first appointment."""
    form = {"title": title, "start": f"{START}", "end": f"{START + timedelta(hours=1)}"}
    response = await client.post("/appointments/1/edit/", form=form)
    assert response.status_code == 303


async def test_two_appointments_of_one_second_never_share_a_uid(
    app: Quart, hers: Client, alice: User
) -> None:
    uids = set()
    for _ in range(3):
        (number,) = await add(app, *timed(alice, "Dentist"))
        uids |= {str(event["UID"]) for event in (await exported(hers))[1].values()}
        assert (await hers.delete(f"/appointments/{number}/delete/")).status_code == 200
    assert len(uids) == 3


async def test_text_cannot_become_another_event(app: Quart, hers: Client, alice: User) -> None:
    """ASVS 1.2.x: encoded for where it goes."""
    evil = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\rUID:evil\n\\n;,\u2028"
    await keep(app, timed(alice, evil.replace("\r", "").replace("\n", " "), description=evil))
    account, events = await exported(hers)
    (event,) = events.values()
    kept = evil.replace("\r\n", "\n").replace("\r", "\n")
    assert str(event["DESCRIPTION"]) == account["appointments"][0]["description"] == kept


@pytest.mark.databases("sqlite", "postgresql")
async def test_however_many_appointments_each_is_there_once(
    app: Quart, hers: Client, alice: User
) -> None:
    many = [
        timed(alice, f"{number}") if number % 3 else whole_days(alice, f"{number}", START, START)
        for number in range(1001)
    ]
    await keep(app, *many)
    account, events = await exported(hers)
    titles = sorted(int(row["title"]) for row in account["appointments"])
    assert titles == list(range(1001))
    assert len(events) == 1001


async def test_who_has_nothing_has_an_empty_calendar(hers: Client) -> None:
    account, events = await exported(hers)
    assert account["appointments"] == []
    assert events == {}


async def test_activity_and_sessions_are_there_and_nothing_to_sign_in_with(
    app: Quart, client: Browser, alice: User
) -> None:
    await log_in(client, ALICE, ALICE_PASSWORD)
    response = await client.get(EXPORT)
    account, _ = await unzipped(response)
    (entry,) = account["activity"]
    assert (entry["event"], entry["key"]) == ("Signed in", "login")
    assert len(account["sessions"]) == len(account["devices"]) == 1
    (user,) = await all_rows(app, User)
    (row,) = await login_rows(app, alice.id)
    everything = json.dumps(account)
    for secret in (user.password_hash, "argon2", row.token_hash, cookie(client), "token", "hash"):
        assert str(secret) not in everything


async def test_nothing_of_anybody_else_is_there(
    app: Quart, hers: Client, alice: User, mallory: User
) -> None:
    """ASVS 8.2.2."""
    await keep(app, timed(alice, "Dentist"))
    account, events = await exported(await signed_in(app, MALLORY))
    assert events == {}
    assert "alice" not in json.dumps(account).lower()
    assert len(account["sessions"]) == 1


async def test_it_is_a_download_and_no_page(hers: Client) -> None:
    """ASVS 3.2.1 and 14.3.2."""
    response = await hers.get(EXPORT)
    body = await response.get_data(as_text=False)
    headers = response.headers
    assert headers["Content-Type"] == "application/zip"
    assert headers["Content-Disposition"].startswith('attachment; filename="sched-20')
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert int(headers["Content-Length"]) == len(body)


@pytest.mark.parametrize("path", [DATA, EXPORT, DELETE])
async def test_it_is_nobodys_without_signing_in(client: Browser, path: str) -> None:
    assert (await client.get(path)).location == f"/login/?next={path}"


async def test_after_ten_minutes_one_has_to_prove_oneself_first(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 7.5.1."""
    await log_in(client, ALICE, ALICE_PASSWORD)
    token = await csrf_token(client, DELETE)
    await age_proof(app)
    for path in (DATA, EXPORT, DELETE):
        assert (await client.get(path)).location == f"/confirm/?next={path}"
    response = await client.post(DELETE, form={"csrf_token": token})
    assert await asks_to_confirm(response, DELETE)
    assert (await all_rows(app, User))[0].delete_at is None
    form = {"password": ALICE_PASSWORD, "next": EXPORT}
    form["csrf_token"] = await csrf_token(client, f"/confirm/?next={EXPORT}")
    assert (await client.post("/confirm/", form=form)).location == EXPORT
    assert (await client.get(EXPORT)).status_code == 200


@pytest.mark.databases("sqlite", "postgresql")
async def test_many_exports_at_once_all_come(app: Quart, hers: Client, alice: User) -> None:
    await keep(app, timed(alice, "Dentist"))
    answers = await asyncio.gather(*(exported(hers) for _ in range(5)))
    assert [list(events) for _, events in answers] == [["Dentist"]] * 5


async def test_when_no_turn_comes_one_is_asked_to_try_again(
    app: Quart, hers: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_view, "WAIT", 0.01)
    async with app.app_context():
        slots = export_view.slots("export")
    for _ in range(export_view.AT_ONCE):
        await slots.acquire()
    response = await hers.get(EXPORT)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    slots.release()
    assert (await hers.get(EXPORT)).status_code == 200


# Having it deleted


async def due(app: Quart, user_id: int, at: datetime | None = None) -> None:
    """As if the account's time were over."""
    async with app.app_context(), begin() as db:
        at = at or now() - timedelta(seconds=1)
        await db.execute(update(User).where(User.id == user_id).values(delete_at=at))


async def delete_due(app: Quart) -> None:
    async with app.app_context():
        await delete_account.delete_due()


async def delete_at(app: Quart, user_id: int) -> datetime | None:
    async with app.app_context(), reading() as db:
        return await db.scalar(select(User.delete_at).where(User.id == user_id))


async def rows_of(app: Quart, user_id: int) -> dict[str, int]:
    """How many rows of each table are this person's."""
    theirs = {table.name: table.c.user_id == user_id for table in tables_with_owner()}
    theirs["user"] = User.__table__.c.id == user_id
    mine = select(Calendar.id).where(Calendar.user_id == user_id)
    for model in (Appointment, Occurrence, Change):
        theirs[model.__tablename__] = model.calendar_id.in_(mine)
    async with app.app_context(), reading() as db:
        return {
            name: await db.scalar(
                select(func.count()).select_from(Base.metadata.tables[name]).where(which)
            )
            or 0
            for name, which in theirs.items()
        }


def tables_with_owner() -> list[Any]:
    return [table for table in Base.metadata.sorted_tables if "user_id" in table.c]


async def test_it_asks_and_then_gives_seven_days(app: Quart, hers: Client, alice: User) -> None:
    page = await text(await hers.get(DELETE))
    assert "Delete your account?" in page
    assert await delete_at(app, alice.id) is None
    response = await hers.post(DELETE)
    assert (response.status_code, response.location) == (303, "/login/")
    at = await delete_at(app, alice.id)
    assert at is not None
    assert timedelta(days=7) - timedelta(minutes=1) < at - now() <= timedelta(days=7)
    assert "Your account will be deleted on" in await text(await hers.get("/login/"))
    assert await activities(app, alice.id) == ["deletion_asked"]


async def test_the_owner_is_told_how_to_keep_it(app: Quart, hers: Client) -> None:
    await hers.post(DELETE)
    (mail,) = await mails(app)
    assert (mail.recipient, mail.subject) == (ALICE, "Your account will be deleted")
    assert "http://localhost/login/" in mail.text
    assert "http://localhost/login/" in mail.html


async def test_everybody_is_signed_out_at_once(
    app: Quart, hers: Client, client: Browser, mallory: User
) -> None:
    """ASVS 7.4.2."""
    await act_on_app(app, MALLORY, "make-administrator")
    there, stranger, copy = await signed_in(app, ALICE), await signed_in(app, MALLORY), Client(app)
    value = cookie(hers)
    assert value
    copy.set_cookie("localhost", "sched_login", value)
    async with app.app_context():
        reset = (await link_for(ALICE)).removeprefix("http://localhost")
    await hers.post(DELETE)
    assert [await is_signed_in(browser) for browser in (hers, there, copy)] == [False] * 3
    assert await is_signed_in(stranger)
    await client.get(reset)
    assert (await client.get("/password/reset/")).status_code == 404


async def test_signing_in_keeps_the_account(
    app: Quart, hers: Client, client: Browser, alice: User
) -> None:
    await keep(app, timed(alice, "Dentist"))
    await hers.post(DELETE)
    await log_in(client, ALICE, "not the right password")
    assert await delete_at(app, alice.id) is not None
    response = await log_in(client, ALICE, ALICE_PASSWORD)
    assert response.status_code == 303
    page = await text(await client.get("/appointments/?past=1"))
    assert "Your account will not be deleted." in page
    assert await delete_at(app, alice.id) is None
    assert "deletion_cancelled" in await activities(app, alice.id)
    await delete_due(app)
    assert (await rows_of(app, alice.id))["appointment"] == 1


async def test_a_usual_sign_in_says_nothing_of_it(app: Quart, client: Browser, alice: User) -> None:
    await log_in(client, ALICE, ALICE_PASSWORD)
    assert "Your account will not be deleted." not in await text(await client.get("/appointments/"))
    assert await activities(app, alice.id) == ["login"]


@pytest.mark.databases("sqlite", "postgresql")
async def test_after_seven_days_it_is_gone_with_everything(
    app: Quart, hers: Client, client: Browser, alice: User, mallory: User
) -> None:
    await act_on_app(app, MALLORY, "make-administrator")
    await log_in(client, MALLORY, MALLORY_PASSWORD)
    await keep(app, *(timed(alice, f"{number}") for number in range(1001)))
    await hers.delete("/appointments/1001/delete/")
    await keep(app, timed(alice, "1001"))
    await keep(app, timed(mallory, "Mine"))
    theirs = await rows_of(app, mallory.id)
    await hers.post(DELETE)
    await due(app, alice.id, now() + timedelta(minutes=1))
    await delete_due(app)
    assert (await rows_of(app, alice.id))["appointment"] == 1001, "not before its time"
    await due(app, alice.id)
    async with app.app_context():
        await link_for(ALICE)
    await delete_due(app)
    assert set((await rows_of(app, alice.id)).values()) == {0}
    assert [mail for mail in await mails(app) if mail.recipient == ALICE] == []
    assert await rows_of(app, mallory.id) == theirs
    assert (await log_in(app.test_client(), ALICE, ALICE_PASSWORD)).status_code == 401
    assert await is_signed_in(client)


async def test_the_app_looks_for_accounts_to_delete_by_itself(app: Quart) -> None:
    assert delete_account.delete_due in [job.work for job in app.extensions["jobs"]]


@pytest.mark.databases("sqlite", "postgresql")
async def test_several_nodes_may_look_at_once(app: Quart, alice: User, mallory: User) -> None:
    for user in (alice, mallory):
        await due(app, user.id)
    await asyncio.gather(*(delete_due(app) for _ in range(3)))
    assert await all_rows(app, User) == []


@pytest.mark.databases("sqlite", "postgresql")
async def test_an_account_is_kept_whole_or_not_at_all(
    app: Quart, client: Browser, alice: User
) -> None:
    """A sign-in at the very moment."""
    await keep(app, timed(alice, "Dentist"), timed(alice, "Barber"))
    await due(app, alice.id)
    response, _ = await asyncio.gather(log_in(client, ALICE, ALICE_PASSWORD), delete_due(app))
    rows = await rows_of(app, alice.id)
    kept = response.status_code == 303
    assert (rows["user"], rows["appointment"]) == ((1, 2) if kept else (0, 0))
    assert await delete_at(app, alice.id) is None


# Whoever looks after the others


async def act_on_app(app: Quart, email: str, act: str) -> None:
    async with app.app_context():
        await act_on(email, act, sure=True)


async def test_the_only_administrator_cannot_leave_the_others_alone(
    app: Quart, hers: Client, alice: User, mallory: User
) -> None:
    page = await text(await hers.get(DELETE))
    assert "You are the only administrator" in page
    assert '<button class="danger">' not in page
    response = await hers.post(DELETE)
    assert response.status_code == 409
    assert "Make one of them an administrator first." in await text(response)
    assert await delete_at(app, alice.id) is None
    assert await is_signed_in(hers)
    assert await mails(app) == []


@pytest.mark.parametrize("but", ["deactivated", "leaving"])
async def test_another_administrator_who_cannot_look_after_them_does_not_count(
    app: Quart, hers: Client, alice: User, mallory: User, but: str
) -> None:
    async with app.app_context(), begin() as db:
        db.add(User(name="Bob", email="bob@example.org", password_hash="-", timezone="UTC"))
    await act_on_app(app, MALLORY, "make-administrator")
    if but == "deactivated":
        await act_on_app(app, MALLORY, "deactivate")
    else:
        await due(app, mallory.id, now() + timedelta(days=3))
    assert (await hers.post(DELETE)).status_code == 409
    assert await delete_at(app, alice.id) is None


async def test_whoever_is_alone_or_has_a_successor_may_go(
    app: Quart, hers: Client, alice: User
) -> None:
    assert (await hers.post(DELETE)).status_code == 303
    assert await delete_at(app, alice.id) is not None


async def test_somebody_who_looks_after_nobody_may_go(
    app: Quart, alice: User, mallory: User
) -> None:
    theirs = await signed_in(app, MALLORY)
    assert (await theirs.post(DELETE)).status_code == 303
    assert await delete_at(app, mallory.id) is not None
    assert await delete_at(app, alice.id) is None


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_the_last_two_administrators_one_stays(
    app: Quart, hers: Client, alice: User, mallory: User
) -> None:
    async with app.app_context(), begin() as db:
        db.add(User(name="Bob", email="bob@example.org", password_hash="-", timezone="UTC"))
    await act_on_app(app, MALLORY, "make-administrator")
    theirs = await signed_in(app, MALLORY)
    answers = await asyncio.gather(hers.post(DELETE), theirs.post(DELETE))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    leaving = [await delete_at(app, user.id) is not None for user in (alice, mallory)]
    assert sorted(leaving) == [False, True]


async def test_a_session_that_was_ended_deletes_nothing(
    app: Quart, hers: Client, alice: User
) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(LoginSession).values(expires_at=now()))
    response = await hers.post(DELETE)
    assert response.location == f"/login/?next={DELETE}"
    assert await delete_at(app, alice.id) is None


async def test_deactivating_an_account_keeps_it(app: Quart, hers: Client, alice: User) -> None:
    """Its owner cannot sign in any more to keep it."""
    await hers.post(DELETE)
    await act_on_app(app, ALICE, "deactivate")
    assert await delete_at(app, alice.id) is None


@pytest.mark.databases("sqlite", "postgresql")
async def test_an_account_that_cannot_be_deleted_does_not_keep_the_others(
    app: Quart,
    alice: User,
    mallory: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await due(app, alice.id, now() - timedelta(days=1))
    await due(app, mallory.id)
    delete_one = delete_account._delete_one

    async def fail_for_alice(work: AsyncSession, user_id: int) -> None:
        await delete_one(work, user_id)
        if user_id == alice.id:
            raise OSError("no space left")

    monkeypatch.setattr(delete_account, "_delete_one", fail_for_alice)
    await delete_due(app)
    assert (await rows_of(app, alice.id))["user"] == 1
    assert (await rows_of(app, mallory.id))["user"] == 0
    assert f"account not deleted user={alice.id}" in caplog.text


REFUSE = (
    "CREATE TRIGGER refuse BEFORE DELETE ON user WHEN old.email LIKE 'stuck%' "
    "BEGIN SELECT RAISE(ABORT, 'no'); END"
)


@pytest.mark.databases("sqlite")
async def test_accounts_that_cannot_be_deleted_keep_no_other(
    app: Quart, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """However many there are, and though they have waited for longer."""
    stuck = {
        "name": "",
        "password_hash": "",
        "timezone": "UTC",
        "delete_at": now() - timedelta(days=1),
    }
    people = [stuck | {"email": f"stuck{n}@example.org"} for n in range(delete_account.MOST + 1)]
    async with app.app_context(), begin() as db:
        await (await db.connection()).exec_driver_sql(REFUSE)
        await db.execute(insert(User), people)
        late = {"email": "late@example.org", "delete_at": now()}
        await db.execute(insert(User), [stuck | late])
    await due(app, alice.id)
    await delete_due(app)
    left = {user.email for user in await all_rows(app, User)}
    assert left == {person["email"] for person in people}
    assert caplog.text.count("account not deleted") == len(people)
