"""Calendars that follow an address elsewhere: read within limits, and changed by nobody else."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from quart import Quart

from sched_async.errors import RefusedError
from sched_async.interop import fetching, following
from sched_async.interop.fetching import canonical_address, fetch
from sched_async.interop.import_ics import MOST_BYTES
from sched_async.models import Act, Appointment, Calendar, Followed, Reminder, User
from sched_async.testing import Client
from sched_async.times import now

from ..appointments import DENTIST, problem
from ..pages import text
from ..rows import all_rows
from .corpus import calendar, event

both_databases = pytest.mark.databases("sqlite", "postgresql")
FOLLOW = "/calendars/follow/"
ALARM = "BEGIN:VALARM\nTRIGGER:-PT15M\nEND:VALARM"
ONE = event("DTSTART:20301130T080000Z", "SUMMARY:Match", ALARM, uid="a")
OTHER = event("DTSTART;VALUE=DATE:20301224", "SUMMARY:Party", uid="b")
CLUB = "PRODID:x\nX-WR-CALNAME:Club"


class Source:
    """A server on loopback, and what it answers with."""

    def __init__(self) -> None:
        self.body = (calendar(ONE, OTHER, head=CLUB) + calendar(OTHER)).encode()
        self.head = ["HTTP/1.1 200 OK", 'ETag: "1"']
        self.asked: list[str] = []
        self.url = ""
        self.wait = 0.0
        self.answering: asyncio.Task[None] | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answering = asyncio.current_task()
        try:
            await self.answer(reader, writer)
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(asked)
        await asyncio.sleep(self.wait)
        head, body = self.head, self.body
        if 'If-None-Match: "1"' in asked and 'ETag: "1"' in head:
            head, body = ["HTTP/1.1 304 Not Modified"], b""
        lines = [*head, f"Content-Length: {len(body)}", "Connection: close", "", ""]
        writer.write("\r\n".join(lines).encode("latin-1") + body)


@pytest.fixture
def settings(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | {"FOLLOW_PRIVATE": "yes"}


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    made = Source()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/club.ics?key=secret"
    async with server:
        yield made
    if made.answering is not None:
        made.answering.cancel()
        await asyncio.wait({made.answering})


async def follows(client: Client, source: Source, **more: str) -> int:
    """Follow it; the number of the calendar."""
    response = await client.post(FOLLOW, form={"address": source.url, "color": "teal"} | more)
    page = await text(response)
    assert response.status_code == 303, re.findall(r'class="problem"[^>]*>([^<]*)', page)
    return max(one.id for one in await all_rows(client.app, Calendar))


async def refresh_at(app: Quart, moment: datetime) -> None:
    with time_machine.travel(moment):
        async with app.app_context():
            await following.refresh_due()


async def titles(app: Quart) -> list[str]:
    return sorted(one.title for one in await all_rows(app, Appointment))


@both_databases
async def test_what_lies_at_an_address_is_shown_and_kept_up_to_date(
    app: Quart, hers: Client, source: Source
) -> None:
    number = await follows(hers, source)
    page = await text(await hers.get("/calendars/"))
    assert "“Club” has been added, with 2 appointments." in page
    assert "Follows 127.0.0.1 · last refreshed today at" in page
    assert "secret" not in page
    assert await titles(app) == ["Match", "Party"]
    assert await all_rows(app, Reminder) == []
    moved = event("DTSTART:20301130T090000Z", "SUMMARY:Match, moved", uid="a")
    run = event("DTSTART:20310101T090000Z", "SUMMARY:Run", uid="c")
    source.body = (calendar(moved, run) + calendar(run)).encode()
    source.head[1] = 'ETag: "2"'
    response = await hers.post(f"/calendars/{number}/refresh/", form={})
    assert "wait a minute" in await text(await hers.get(response.location or ""))
    with time_machine.travel(now() + timedelta(minutes=2)):
        response = await hers.post(f"/calendars/{number}/refresh/", form={})
        assert "has been refreshed" in await text(await hers.get(response.location or ""))
    assert await titles(app) == ["Match, moved", "Run"]
    assert await all_rows(app, Reminder) == []
    assert "changed nothing" in await text(await hers.get("/trash/"))


async def test_a_new_name_and_nothing_new_are_taken_as_they_are(
    app: Quart, hers: Client, source: Source
) -> None:
    number = await follows(hers, source, name="My club")
    with time_machine.travel(now() + timedelta(days=2)):
        async with app.app_context():
            await following.refresh_due()
        (followed,) = await all_rows(app, Followed)
        assert followed.refreshed_at
        assert now() - followed.refreshed_at < timedelta(minutes=1)
    assert 'If-None-Match: "1"' in source.asked[-1]
    assert len(source.asked) == 2
    assert [one.name for one in await all_rows(app, Calendar)] == ["Personal", "My club"]
    assert len([act for act in await all_rows(app, Act) if act.kind == "refresh"]) == 1
    await hers.post(f"/calendars/{number}/edit/", form={"name": "Sports", "color": "rose"})
    await hers.post(f"/calendars/{number}/delete/", form={})
    assert await titles(app) == ["Match", "Party"]
    assert "Follows" not in await text(await hers.get("/calendars/"))


@both_databases
async def test_of_two_that_refresh_at_once_one_does(
    app: Quart, hers: Client, source: Source
) -> None:
    await follows(hers, source)
    with time_machine.travel(now() + timedelta(days=2)):
        async with app.app_context():
            await asyncio.gather(following.refresh_due(), following.refresh_due())
    assert len(source.asked) == 2


def fails_with(status: str) -> Callable[[Source], None]:
    def change(source: Source) -> None:
        source.head = [f"HTTP/1.1 {status}"]

    return change


def says(body: bytes) -> Callable[[Source], None]:
    def change(source: Source) -> None:
        source.head, source.body = ["HTTP/1.1 200 OK"], body

    return change


def sends_to(address: str) -> Callable[[Source], None]:
    def change(source: Source) -> None:
        source.head = ["HTTP/1.1 302 Found", f"Location: {address}"]

    return change


FAILURES = [
    (fails_with("404 Not Found"), "Its server answered with an error (404)."),
    (fails_with("200 OK\r\nContent-Encoding: gzip"), "sent a file that can't be read"),
    (says(b"<!doctype html><p>Sign in</p>"), "This is not calendar data."),
    (says(b""), "This is not calendar data."),
    (says(b"x" * (MOST_BYTES + 1)), "The file is larger than 10 MB."),
    (sends_to("ftp://example.org/x"), "Its server can't be reached."),
    (sends_to("/club.ics"), "keeps redirecting"),
    (sends_to("http://127.0.0.1:9/"), "Its server can't be reached."),
]


async def test_while_its_source_fails_a_calendar_stays_as_it_was_and_says_why(
    app: Quart, hers: Client, source: Source
) -> None:
    await follows(hers, source)
    moment = now()
    for change, sentence in FAILURES:
        change(source)
        moment += timedelta(days=2)
        await refresh_at(app, moment)
        (followed,) = await all_rows(app, Followed)
        assert sentence in followed.problem
        assert await titles(app) == ["Match", "Party"]
    page = await text(await hers.get("/calendars/"))
    assert "can't be reached." in page
    assert followed.failures == len(FAILURES)
    assert followed.next_at - moment < timedelta(days=1, minutes=1)


def stamped(etag: str, *parts: str, end: int | None = None) -> Callable[[Source], None]:
    def change(source: Source) -> None:
        source.head = ["HTTP/1.1 200 OK", f"ETag: {etag}"]
        source.body = calendar(*parts, head=CLUB).encode()[:end]

    return change


BROKEN = event("DTSTART:rubbish", "SUMMARY:Match", uid="a")
ODD = [
    # an answer, what is there afterwards, and what is said
    (
        stamped('"2"', ONE, OTHER, end=-20),
        ["Match", "Party"],
        "The file is incomplete.",
    ),
    (stamped('"3"', BROKEN, OTHER), ["Match", "Party"], "1 appointment can't be read."),
    (stamped('"4"', ONE, ONE.replace("UID:a", "UID:a\nSEQUENCE:2")), ["Match"], ""),
    (stamped('"\xff"', ONE, OTHER), ["Match", "Party"], ""),
]


async def test_what_an_odd_source_says_deletes_nothing_and_stops_no_other(
    app: Quart, hers: Client, source: Source
) -> None:
    await follows(hers, source)
    moment = now()
    for change, expected, sentence in ODD:
        change(source)
        moment += timedelta(days=2)
        await refresh_at(app, moment)
        (followed,) = await all_rows(app, Followed)
        assert (await titles(app), followed.problem) == (expected, sentence)
    fails_with("304 Not Modified")(source)
    source.body = b""
    response = await hers.post(FOLLOW, form={"address": source.url, "name": "x", "color": "teal"})
    assert response.status_code == 422


async def test_a_slow_source_is_given_up(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.2)
    source.wait = 1
    with pytest.raises(RefusedError, match="taking too long"):
        await fetch(source.url, allows_private=True)


PRIVATE = [
    "http://{}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://2130706433:{port}/",
    "http://0.0.0.0:{port}/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/",
    "http://[fd00::1]/",
    "http://[64:ff9b::7f00:1]/",
]

REFUSED = (fetching.PRIVATE, fetching.NOT_FOUND, fetching.NO_ADDRESS)


async def test_no_address_in_a_private_network_is_connected_to(source: Source) -> None:
    port = source.url.split(":")[2].partition("/")[0]
    for address in PRIVATE:
        with pytest.raises(RefusedError) as refused:
            await fetch(address.format(f"127.0.0.1:{port}", port=port))
        assert str(refused.value) in REFUSED, address
    assert source.asked == []


async def test_a_redirect_into_a_private_network_is_not_followed(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fetching.is_public
    monkeypatch.setattr(fetching, "is_public", lambda host: host == "127.0.0.1" or real(host))
    for where in ("http://127.0.0.2:9/", "http://[::1]:9/", "http://10.0.0.1/"):
        sends_to(where)(source)
        with pytest.raises(RefusedError, match="private network"):
            await fetch(source.url)
    assert len(source.asked) == 3


ADDRESSES = [
    ("webcal://example.org/a.ics", "https://example.org/a.ics"),
    (" https://example.org/a.ics?x=1 ", "https://example.org/a.ics?x=1"),
    ("example.org/a.ics", None),
    ("ftp://example.org/a.ics", None),
    ("file:///etc/passwd", None),
    ("https://", None),
    ("https://example.org:port/", None),
    ("https://ada:secret@example.org/", None),
    ("https://example.org/a b", None),
]


async def test_an_address_is_checked_at_its_field(hers: Client) -> None:
    for typed, expected in ADDRESSES:
        if expected:
            assert canonical_address(typed) == expected
            continue
        response = await hers.post(FOLLOW, form={"address": typed, "name": "x", "color": "teal"})
        page = await text(response)
        assert response.status_code == 422
        assert problem(page, "address"), typed
        assert 'value="x"' in page


WRITES = [
    ("/appointments/{one}/edit/", DENTIST, 422),
    ("/appointments/{one}/delete/", {}, 422),
    ("/appointments/create/", DENTIST | {"calendar": "{calendar}"}, 422),
    ("/appointments/{own}/edit/", DENTIST | {"calendar": "{calendar}"}, 422),
    ("/calendars/{calendar}/default/", {}, 422),
    ("/undo/{act}/", {}, 303),
]


async def test_nobody_changes_what_is_in_a_followed_calendar(
    app: Quart, hers: Client, alice: User, source: Source
) -> None:
    await hers.post("/appointments/create/", form=DENTIST)
    calendar_id = await follows(hers, source)
    rows = {row.title: row for row in await all_rows(app, Appointment)}
    (act,) = [one for one in await all_rows(app, Act) if one.kind == "refresh"]
    names = {"one": rows["Match"].id, "own": rows["Dentist"].id}
    names |= {"calendar": calendar_id, "act": act.id}
    before = [(row.ics, row.calendar_id) for row in await all_rows(app, Appointment)]
    for path, form, status in WRITES:
        filled = {name: value.format(**names) for name, value in form.items()}
        response = await hers.post(path.format(**names), form=filled)
        assert response.status_code == status, path
        assert [(row.ics, row.calendar_id) for row in await all_rows(app, Appointment)] == before
    page = await text(await hers.get(f"/appointments/{names['one']}/"))
    assert "can't be changed here" in page
    assert "/edit/" not in page
    for form_page in ("/appointments/create/", "/import/"):
        assert ">Club</option>" not in await text(await hers.get(form_page))
    response = await hers.post("/calendars/1/delete/", form={})
    assert "your only calendar" in await text(await hers.get(response.location or ""))
    assert datetime.now(UTC) > act.made_at
