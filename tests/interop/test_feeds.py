"""Subscriptions: a secret address shows one calendar to other programs, and can be ended."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import recurring_ical_events
from icalendar import Calendar
from quart import Quart
from quart.testing import QuartClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import update

from sched_async.database import Database, begin
from sched_async.models import Feed, User
from sched_async.testing import Client, signed_in
from sched_async.times import now

from ..appointments import DENTIST, ZONE_BLOCK, put
from ..pages import text
from ..rows import activities, all_rows
from .corpus import calendar, event

both_databases = pytest.mark.databases("sqlite", "postgresql")
FEEDS = "/calendars/1/feeds/"
SPAN = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
SERIES = (
    "SUMMARY:Therapy\nLOCATION:Secret street\nDTSTART;TZID=Europe/Berlin:20300401T090000\n"
    "DTEND;TZID=Europe/Berlin:20300401T100000\nRRULE:FREQ=WEEKLY;COUNT=4\nX-OWN:Hidden\n"
    "EXDATE;TZID=Europe/Berlin:20300408T090000"
)
FREE_ONE = (
    "RECURRENCE-ID;TZID=Europe/Berlin:20300415T090000\nSUMMARY:Therapy\nTRANSP:TRANSPARENT\n"
    "DTSTART;TZID=Europe/Berlin:20300415T090000\nDTEND;TZID=Europe/Berlin:20300415T100000"
)
OFFICE = ZONE_BLOCK.format("My office").strip()
SECRETLY = "SUMMARY:x\nRRULE:FREQ=DAILY;COUNT=1;X-NOTE=HIDDEN"
PRIVATE = (
    calendar(event(SERIES, uid="therapy-hidden"), event(FREE_ONE, uid="therapy-hidden")),
    calendar(
        event("SUMMARY:Flat\nDTSTART;TZID=My office:20300601T090000\nDURATION:PT1H", uid="f"),
        head=f"VERSION:2.0\n{OFFICE}",
    ),
    calendar(event("SUMMARY:Fair\nDTSTART;VALUE=DATE:20300602\nTRANSP:TRANSPARENT", uid="x")),
    calendar(event('DTSTART;X-A="a;VALUE=Hidden":20300604T100000Z', SECRETLY, uid="z")),
    calendar(event("SUMMARY:Gone\nDTSTART:20300603T100000Z\nSTATUS:CANCELLED", uid="y")),
)


async def made(client: Client, kind: str = "all") -> str:
    """Have an address; as its page shows it, without the host."""
    page = await text(await client.post(f"{FEEDS}{kind}/", form={}))
    found = re.search(r">http://localhost(/feeds/[\w-]{43}\.ics)</textarea>", page)
    assert found, page
    assert f'href="webcal://localhost{found[1]}"' in page
    return found[1]


def times(data: bytes) -> list[tuple[Any, Any]]:
    found = recurring_ical_events.of(Calendar.from_ical(data)).between(*SPAN)
    return sorted((str(one["DTSTART"].dt), str(one["DTEND"].dt)) for one in found)


@both_databases
async def test_an_address_is_shown_once_and_read_without_signing_in(
    app: Quart, client: QuartClient, hers: Client, alice: User
) -> None:
    await put(app, alice, PRIVATE[0])
    address = await made(hers)
    page = await text(await hers.get(FEEDS))
    assert "never used" in page
    assert address[7:50] not in page
    response = await client.get(address)
    data = await response.get_data(as_text=False)
    assert response.content_type == "text/calendar; charset=utf-8"
    assert "Set-Cookie" not in response.headers
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT1H" in data
    assert len(times(data)) == 3
    assert times(data) == times(await (await hers.get("/calendars/1.ics")).get_data(as_text=False))
    assert (await client.head(address)).status_code == 200
    (feed,) = await all_rows(app, Feed)
    assert feed.token_hash not in address
    assert (await activities(app, alice.id))[-1] == "feed_created"


@both_databases
async def test_who_has_it_already_is_told_so_by_one_query(
    app: Quart, client: QuartClient, hers: Client
) -> None:
    address = await made(hers)
    first = await client.get(address)
    assert first.headers["Cache-Control"] == "private, no-cache"
    asked = {"If-None-Match": first.headers["ETag"]}
    assert (await client.get(address, headers=asked)).status_code == 304
    assert "last used today" in await text(await hers.get(FEEDS))
    queries: list[str] = []
    opened: Database = app.extensions["database"]
    for engine in {opened.write_engine.sync_engine, opened.read_engine.sync_engine}:
        sqlalchemy_event.listen(
            engine, "before_cursor_execute", lambda *given: queries.append(given[2])
        )
    again = await client.get(address, headers=asked)
    assert (again.status_code, again.headers["ETag"]) == (304, first.headers["ETag"])
    assert [one for one in queries if one != "BEGIN"][1:] == []
    await hers.post("/appointments/create/", form={"title": "x", "allday": "y"} | DAY)
    changed = await client.get(address, headers=asked)
    assert changed.status_code == 200
    await hers.post("/calendars/1/edit/", form={"name": "Family", "color": "teal"})
    asked = {"If-None-Match": changed.headers["ETag"]}
    assert (await client.get(address, headers=asked)).status_code == 200


DAY = {"start": "2030-05-05", "end": "2030-05-05"}


async def test_an_address_ends_when_it_is_replaced_or_removed_or_its_calendar_goes(
    app: Quart, client: QuartClient, hers: Client
) -> None:
    async def status(address: str) -> int:
        return (await client.get(address)).status_code

    first = await made(hers)
    busy = await made(hers, "busy")
    second = await made(hers)
    assert [await status(one) for one in (first, busy, second)] == [404, 200, 200]
    await hers.post(f"{FEEDS}busy/remove/", form={})
    assert [await status(one) for one in (busy, second)] == [404, 200]
    await hers.post("/calendars/create/", form={"name": "Other", "color": "teal"})
    response = await hers.post("/calendars/1/delete/", form={})
    assert await status(second) == 404
    undo = re.findall(r'action="(/undo/\d+/)"', await text(await hers.get(response.location)))[-1]
    await hers.post(undo)
    assert await status(second) == 200
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(delete_at=now()))
    assert await status(second) == 404
    for wrong in ("/feeds/x.ics", second[:-5] + ".ics", "/feeds/" + "a" * 43 + ".ics"):
        assert await status(wrong) == 404


async def test_busy_only_tells_times_and_nothing_else(
    app: Quart, client: QuartClient, hers: Client, alice: User
) -> None:
    await put(app, alice, *PRIVATE)
    data = await (await client.get(await made(hers, "busy"))).get_data(as_text=False)
    assert times(data) == [
        ("2030-04-01 09:00:00+02:00", "2030-04-01 10:00:00+02:00"),
        ("2030-04-22 09:00:00+02:00", "2030-04-22 10:00:00+02:00"),
        ("2030-06-01 09:00:00+02:00", "2030-06-01 10:00:00+02:00"),
        ("2030-06-04 10:00:00+00:00", "2030-06-04 10:00:00+00:00"),
    ]
    names = set(re.findall(rb"^([A-Z-]+)[;:]", data, re.MULTILINE))
    assert names <= {
        *(b"BEGIN", b"END", b"VERSION", b"PRODID", b"NAME", b"X-WR-CALNAME", b"COLOR"),
        *(b"REFRESH-INTERVAL", b"X-PUBLISHED-TTL", b"UID", b"DTSTAMP", b"DTSTART", b"DTEND"),
        *(b"DURATION", b"RRULE", b"EXDATE", b"SUMMARY", b"TZID", b"TZOFFSETFROM", b"TZOFFSETTO"),
        *(b"TZNAME", b"RDATE"),
    }
    for word in (
        b"Therapy",
        b"Secret",
        b"Hidden",
        b"hidden",
        b"HIDDEN",
        b"Flat",
        b"Fair",
        b"Gone",
        b"office",
    ):
        assert word not in data, word
    assert set(re.findall(rb"SUMMARY:(.*)\r", data)) == {b"Busy"}


async def test_who_sees_only_what_is_busy_is_not_told_of_any_other_change(
    app: Quart, client: QuartClient, hers: Client
) -> None:
    response = await hers.post("/appointments/create/", form=DENTIST)
    address = await made(hers, "busy")
    first = await client.get(address)
    asked = {"If-None-Match": first.headers["ETag"]}
    for path, form in (
        (f"{response.location}edit/", DENTIST | {"title": "Oncologist"}),
        ("/calendars/1/edit/", {"name": "Illness", "color": "teal"}),
    ):
        assert (await hers.post(path, form=form)).status_code == 303
        for _ in range(2):
            again = await client.get(address, headers=asked)
            assert (again.status_code, again.headers["ETag"]) == (304, first.headers["ETag"])
    await hers.post(f"{response.location}edit/", form=DENTIST | {"end": "2030-05-06T11:00"})
    assert (await client.get(address, headers=asked)).status_code == 200


async def test_nobody_can_open_or_end_the_addresses_of_anothers_calendar(
    app: Quart, hers: Client, mallory: User
) -> None:
    address = await made(hers)
    stranger = await signed_in(app, mallory.email)
    for path in (FEEDS, f"{FEEDS}all/"):
        assert (await stranger.open(path, method="GET")).status_code in (303, 404)
    for path in (f"{FEEDS}all/", f"{FEEDS}all/remove/"):
        assert (await stranger.post(path, form={})).status_code == 404
    assert (await hers.get(address)).status_code == 200
