"""Calendar files of other programs: what is taken, what is said of it, and what is refused."""

import asyncio
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from sched_async.appointments.undo import undo
from sched_async.database import begin
from sched_async.errors import RefusedError
from sched_async.ics import counting
from sched_async.ics.cutting import calendars
from sched_async.ics.foreign import Found, Summary, contents, found
from sched_async.interop import importing
from sched_async.interop.import_ics import read_file
from sched_async.models import Act, Appointment, Calendar, User

from ..rows import all_rows
from ..tables import each
from .corpus import EXAMPLES, Example, calendar, event

NOW = datetime(2026, 11, 25, tzinfo=UTC)

both_databases = pytest.mark.databases("sqlite", "postgresql")


def read(data: bytes) -> tuple[list[Found], Summary]:
    summary = Summary()
    return list(found(data, NOW, summary)), summary


def starts(some: list[Found]) -> list[str]:
    rows = [row for one in some if one.made for row in one.made.occurrences]
    return sorted(f"{row['start_utc']:%Y-%m-%dT%H:%M}" for row in rows)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_a_file_of_another_program_is_read(example: Example) -> None:
    some, summary = read(example.data)
    assert starts(some) == example.starts
    said = [sentence for one in some for sentence in one.changed]
    assert [any(one.startswith(begin) for one in said) for begin in example.changed] == [
        True for _ in said
    ]
    refused = [one.refused for one in sorted(some, key=lambda one: one.line) if one.refused]
    assert len(refused) == len(example.refused)
    for one, expected in zip(refused, example.refused, strict=True):
        assert one.startswith(expected)
    assert dict(summary.others) == example.others
    assert summary.name == example.calendar


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_what_was_taken_comes_back_as_it_is_kept(example: Example) -> None:
    for one in read(example.data)[0]:
        if one.made is not None:
            (again,) = read(one.made.ics.encode())[0]
            assert again.made is not None
            assert contents(again.made.ics) == contents(one.made.ics)
            assert not again.changed


def test_a_uid_that_was_missing_is_the_same_the_next_time() -> None:
    text = calendar(event("DTSTART:20261130T080000Z", "SUMMARY:Nameless", uid=""))
    later = text.replace("DTSTAMP:20261101", "DTSTAMP:20261120")
    uids = [read(one.encode())[0][0].made.columns["uid"] for one in (text, later)]  # type: ignore[union-attr]
    assert uids[0] == uids[1]


def test_a_refused_one_is_named_by_its_line_and_title() -> None:
    text = calendar(event("DTSTART:20261130T080000Z"), event("SUMMARY:Lost", uid="2"))
    _, lost = read(text.encode())[0]
    assert (lost.line, lost.title) == (text.splitlines().index("UID:2"), "Lost")


BAD = "DTSTART:20261130T080000Z\nSUMMARY:{}"


def repeated(times: int, rule: str) -> bytes:
    lines = ("DTSTART;TZID=Europe/Berlin:20261130T080000", f"RRULE:{rule}")
    return calendar(*(event(*lines, uid=str(number)) for number in range(times))).encode()


HOSTILE = [
    (b"", "This is not calendar data."),
    (b"PK\x03\x04" * 1000, "This is not calendar data."),
    (b"<html>" * 1000, "This is not calendar data."),
    (calendar(*(event("DTSTART:20261130T080000Z", uid=str(n)) for n in range(20_001))).encode(),
     "The file holds more than 20,000 appointments."),
    (b"x" * (10 * 1024 * 1024 + 1), "The file is larger than 10 MB."),
    (b"BEGIN:VCALENDAR\n" + b"A\n" * 1_000_001, "The file has more than 1,000,000 lines."),
    (repeated(500, "FREQ=DAILY"), "The file holds more than 300,000 dates."),
    (repeated(500, "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"), "This file takes too long to read."),
]  # fmt: skip


@pytest.mark.parametrize(("data", "sentence"), HOSTILE, ids=range(len(HOSTILE)))
async def test_a_file_that_is_none_is_refused_as_a_whole(data: bytes, sentence: str) -> None:
    with pytest.raises(RefusedError, match=sentence):
        await read_file(data)


EVIL = [
    (BAD.format("x" * 70_000), "It has a line of more than 64 KiB."),
    (BAD.format("x" * 60_000) + "".join(f"\nX-{n}:{'y' * 60_000}" for n in range(5)),
     "It is larger than 256 KiB."),
    ("DTSTART:20261130T080000Z\n" + "BEGIN:VALARM\n" * 9 + "END:VALARM\n" * 9,
     "It has components inside of each other"),
    ("DTSTART:20261130T080000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1,2", ""),
    ("DTSTART:20261130T080000Z\nRRULE:FREQ=HOURLY", "It repeats without end"),
    ("DTSTART:20261130T080000Z\n" + "\n".join(f"RDATE:{20270101 + n}T080000Z" for n in range(30))
     + "\nRRULE:FREQ=DAILY;COUNT=999999999", "It repeats more than 10,000 times"),
    ("DTSTART:20261130T080000Z\nRRULE:FREQ=DAILY;COUNT=" + "9" * 5000, "This rule"),
    ("DTSTART:20261130T080000Z\nBEGIN:VALARM\nTRIGGER:-PT5M\nREPEAT:4294967296\nEND:VALARM", ""),
    ("DTSTART:20261130T080000Z\nRRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
     "Its rule of repetition takes too long to follow."),
    ("DTSTART:99991230T080000Z\nRRULE:FREQ=DAILY;COUNT=9", "Its times are out of range."),
    ("DTSTART;TZID=America/New_York:20261130T080000\nRRULE:FREQ=YEARLY;UNTIL=99991231T235959Z", ""),
]  # fmt: skip


async def test_hostile_ones_are_refused_by_themselves_and_soon() -> None:
    texts = [event(*lines.strip("\n").split("\n"), uid=str(n)) for n, (lines, _) in enumerate(EVIL)]
    heard = await read_file(calendar(*texts, event("DTSTART:20261130T080000Z", uid="z")).encode())
    for one, (_, said) in zip(heard.found, EVIL, strict=False):
        assert one.refused.startswith(said), one
        assert bool(one.refused) == bool(said), one
    assert heard.found[-1].made is not None


BERLIN = "DTSTART;TZID=Europe/Berlin:20261130T080000"
RULES = [
    (BERLIN, "FREQ=DAILY", 725),
    (BERLIN, "FREQ=DAILY;INTERVAL=3", 240),
    (BERLIN, "FREQ=DAILY;COUNT=10000", 9999),
    (BERLIN, "FREQ=DAILY;UNTIL=20270131", 55),
    (BERLIN, "FREQ=DAILY;BYDAY=MO,TU,WE", 300),
    (BERLIN, "FREQ=DAILY;INTERVAL=7;BYDAY=TU;COUNT=10", 0),
    (BERLIN, "FREQ=WEEKLY;BYDAY=MO,FR,FR", 200),
    (BERLIN, "FREQ=WEEKLY;WKST=SU", 100),
    (BERLIN, "FREQ=HOURLY;UNTIL=20261231T000000Z", 600),
    (BERLIN, "FREQ=YEARLY", 0),
    (BERLIN, "FREQ=DAILY;COUNT=2;UNTIL=20261130", 0),
    (BERLIN, "FREQ=DAILY;BYSETPOS=1", 0),
    (f"EXDATE:20261201T070000Z,20261202T070000Z\n{BERLIN}", "FREQ=DAILY;COUNT=9", 5),
    ("DTSTART;VALUE=DATE:20280101", "FREQ=DAILY", 725),
]


@each(("lines", "rule", "at_least"), RULES)
def test_no_more_dates_are_counted_ahead_than_there_are(
    lines: str, rule: str, at_least: int
) -> None:
    data = calendar(event(*lines.split("\n"), f"RRULE:{rule}")).encode()
    (file,) = calendars(data)
    counted = counting.at_least(file.events, NOW)
    assert at_least <= counted <= len(starts(read(data)[0]))


def test_its_own_uid_is_not_the_one_of_an_alarm() -> None:
    alarm = ("BEGIN:VALARM", "UID:alarm", "TRIGGER:-PT5M", "END:VALARM")
    lines = (*alarm, "SUMMARY:Late", 'UID;X-A="a:b":m\\,n')
    some, _ = read(calendar(event("DTSTART:20261130T080000Z", *lines, uid="")).encode())
    assert [one.made.columns["uid"] for one in some if one.made] == ["m,n"]


async def test_the_loop_is_free_while_a_file_is_read() -> None:
    data = calendar(*(event("DTSTART:20261130T080000Z", uid=str(n)) for n in range(500))).encode()
    reading = asyncio.create_task(read_file(data))
    worked = []
    while not reading.done():
        begun = time.thread_time()
        await asyncio.sleep(0)
        worked.append(time.thread_time() - begun)
    assert len((await reading).found) == 500
    assert max(worked) < 0.05


async def run(file: Path, **options: Any) -> str:
    given: dict[str, Any] = {"email": "alice@example.org", "name": "Club", "dry_run": False}
    return await importing.run(file, **given | options)


@both_databases
async def test_importing_twice_changes_nothing_and_undo_takes_all_back(
    app: Quart, alice: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "club.ics"
    some = [event(f"DTSTART:202611{day}T080000Z", uid=f"{day}") for day in (28, 29, 30)]
    file.write_text(calendar(*some, event("SUMMARY:Lost", uid="x")))
    async with app.app_context():
        assert "3 new, 0 changed, 0 already there, 1 refused" in await run(file, dry_run=True)
        assert await all_rows(app, Appointment) == []
        await run(file)
        assert "Line 19, “Lost”: refused. It has no start." in capsys.readouterr().err
        assert len(await all_rows(app, Appointment)) == 3
        assert [one.name for one in await all_rows(app, Calendar)] == ["Personal", "Club"]
        before = len(await all_rows(app, Act))
        assert "0 new, 0 changed, 3 already there" in await run(file)
        assert len(await all_rows(app, Act)) == before
        some[0] = some[0].replace("T080000Z", "T090000Z")
        file.write_text(calendar(*reversed(some)).replace("DTSTAMP:20261101", "DTSTAMP:20261102"))
        assert "0 new, 1 changed, 2 already there" in await run(file)
        acts = sorted(one.id for one in await all_rows(app, Act) if one.kind == "import")
        async with begin() as db:
            await undo(db, alice.id, acts[1])
        async with begin() as db:
            await undo(db, alice.id, acts[0])
    assert await all_rows(app, Appointment) == []


async def test_a_calendar_of_somebody_else_is_never_touched(
    app: Quart, alice: User, mallory: User, tmp_path: Path
) -> None:
    file = tmp_path / "club.ics"
    file.write_text(calendar(event("DTSTART:20261130T080000Z")))
    async with app.app_context():
        for who in (alice, mallory):
            await run(file, email=who.email, name="Personal")
        with pytest.raises(RefusedError, match="no account with the address"):
            await run(file, email="nobody@example.org")
    rows = await all_rows(app, Appointment)
    assert len({one.calendar_id for one in islice(rows, 2)}) == 2
