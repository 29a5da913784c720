"""What is exported is read back by other programs' libraries as the same times."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import icalendar
import pytest
import recurring_ical_events
import vobject
from dateutil.rrule import rruleset
from ical.calendar_stream import IcsCalendarStream
from quart import Quart
from sqlalchemy import update

from sched_async.appointments.calendar_changes import COLORS
from sched_async.database import begin
from sched_async.ics.content_lines import read
from sched_async.ics.derive import derive
from sched_async.interop import ics
from sched_async.models import Calendar, User
from sched_async.testing import Client
from sched_async.times import now

from ..appointments import ZONE_BLOCK, put
from ..tables import each

CALENDAR = "/calendars/1.ics"
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
Span = tuple[datetime, datetime]
Times = dict[str, list[Span]]

# Times without a zone, and days, are as if they were UTC, as they are kept.
EVENTS = {
    "berlin-over-dst": """DTSTART;TZID=Europe/Berlin:20260327T090000
DTEND;TZID=Europe/Berlin:20260327T100000
RRULE:FREQ=DAILY;COUNT=5""",
    "one-day": "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261225",
    "several-days": "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227",
    "floating": "DTSTART:20260601T080000\nDTEND:20260601T090000",
    "utc": "DTSTART:20260601T080000Z\nDTEND:20260601T090000Z",
    "exdate-and-override": """DTSTART;TZID=America/New_York:20260302T180000
DTEND;TZID=America/New_York:20260302T190000
RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4
EXDATE;TZID=America/New_York:20260309T180000
END:VEVENT
BEGIN:VEVENT
UID:exdate-and-override
DTSTAMP:20260101T000000Z
RECURRENCE-ID;TZID=America/New_York:20260316T180000
DTSTART;TZID=America/New_York:20260317T200000
DTEND;TZID=America/New_York:20260317T213000
SUMMARY:Later""",
    "monthly-by-weekday": """DTSTART;TZID=Europe/London:20260113T100000
DTEND;TZID=Europe/London:20260113T110000
RRULE:FREQ=MONTHLY;BYDAY=2TU;COUNT=12""",
    "yearly-days": """DTSTART;VALUE=DATE:20260501
DTEND;VALUE=DATE:20260502
RRULE:FREQ=YEARLY;COUNT=2""",
    "until": """DTSTART;TZID=Europe/Berlin:20261020T090000
DTEND;TZID=Europe/Berlin:20261020T093000
RRULE:FREQ=DAILY;UNTIL=20261028T080000Z""",
    "duration": "DTSTART;TZID=Asia/Kolkata:20260601T230000\nDURATION:PT90M",
    "own-block": """DTSTART;TZID=Our clocks:20260710T090000
DTEND;TZID=Our clocks:20260710T100000
RRULE:FREQ=MONTHLY;COUNT=6""",
    "utc-by-name": "DTSTART;TZID=Etc/UTC:20260601T080000\nDURATION:PT1H",
    "longer-name": """DTSTART;TZID=/example.org/2005/Europe/Paris:20260710T090000
DTEND;TZID=/example.org/2005/Europe/Paris:20260710T100000""",
    "windows-name": """DTSTART;TZID=W. Europe Standard Time:20260710T090000
DTEND;TZID=W. Europe Standard Time:20260710T100000
RRULE:FREQ=MONTHLY;COUNT=6""",
}
BLOCKS = {"own-block": ZONE_BLOCK.format("Our clocks")}
OTHER_BLOCK = ZONE_BLOCK.format("Our clocks").replace("+0200", "+0600").replace("+0100", "+0500")


def text_of(uid: str, event: str, block: str = "") -> str:
    lines = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Elsewhere//EN
{block}BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
SUMMARY:{uid}
{event}
END:VEVENT
END:VCALENDAR
"""
    return lines.replace("\n", "\r\n")


TEXTS = {uid: text_of(uid, event, BLOCKS.get(uid, "")) for uid, event in EVENTS.items()}


def ours(text: str) -> list[Span]:
    made = derive(text, now())
    return sorted((row["start_utc"], row["end_utc"]) for row in made.occurrences)


def instant(value: date | datetime) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def by_recurring_ical_events(text: str) -> Iterator[tuple[str, Any, Any]]:
    calendar = icalendar.Calendar.from_ical(text)
    assert calendar.get_missing_tzids() == set()
    assert [error for event in calendar.events for error in event.errors] == []
    for event in recurring_ical_events.of(calendar).between(FIRST, LAST):
        yield str(event["UID"]), event.start, event.end


def by_ical(text: str) -> Iterator[tuple[str, Any, Any]]:
    calendar = IcsCalendarStream.calendar_from_ics(text)
    for event in calendar.timeline_tz(UTC).overlapping(FIRST, LAST):
        yield str(event.uid), event.start, event.end


def by_vobject(text: str) -> Iterator[tuple[str, Any, Any]]:
    """It has no word for a changed one, so that these are put in their places here."""
    events = list(vobject.readOne(text).vevent_list)
    changed = {
        (one.uid.value, instant(one.recurrence_id.value))
        for one in events
        if hasattr(one, "recurrence_id")
    }
    for event in events:
        begin = event.dtstart.value
        end = event.dtend.value if hasattr(event, "dtend") else begin + event.duration.value
        rule: rruleset | None = getattr(event, "rruleset", None)
        for start in rule or (begin,):
            is_changed = (event.uid.value, instant(start)) in changed
            if not is_changed or hasattr(event, "recurrence_id"):
                yield event.uid.value, start, start + (end - begin)


@pytest.mark.parametrize(
    "reader", [by_recurring_ical_events, by_ical, by_vobject], ids=lambda one: one.__name__
)
async def test_other_programs_read_the_same_times(
    app: Quart,
    hers: Client,
    alice: User,
    subtests: pytest.Subtests,
    reader: Callable[[str], Iterator[tuple[str, Any, Any]]],
) -> None:
    await put(app, alice, *TEXTS.values())
    found: Times = defaultdict(list)
    for uid, start, end in reader(await exported(hers, CALENDAR)):
        found[uid].append((instant(start), instant(end)))
    for uid, text in TEXTS.items():
        with subtests.test(uid):
            assert sorted(found[uid]) == ours(text)


async def exported(client: Client, path: str) -> str:
    response = await client.get(path)
    assert response.status_code == 200
    data = await response.get_data(as_text=False)
    assert int(response.headers["Content-Length"]) == len(data)
    lines = data.split(b"\r\n")
    assert not [line for line in lines if len(line) > 75 or b"\n" in line]
    return data.decode()


async def test_zones_of_one_name_and_other_rules_are_told_apart(
    app: Quart, hers: Client, alice: User
) -> None:
    """And those of the same rules are there once."""
    blocks = (BLOCKS["own-block"], OTHER_BLOCK, OTHER_BLOCK, BLOCKS["own-block"])
    texts = [text_of(f"{n}", EVENTS["own-block"], block) for n, block in enumerate(blocks)]
    await put(app, alice, *texts)
    calendar = read(await exported(hers, CALENDAR))
    names = ["Our clocks", "Our clocks (2)"]
    assert [block.text("TZID") for block in calendar.parts("VTIMEZONE")] == names
    first, other = names
    starts = [event.first("DTSTART") for event in calendar.parts("VEVENT")]
    assert [line and line.param("TZID") for line in starts] == [first, other, other, first]
    found = {uid: instant(start) for uid, start, _ in by_ical(await exported(hers, CALENDAR))}
    assert [found[f"{n}"] for n in range(4)] == [ours(text)[-1][0] for text in texts]


async def test_a_zone_that_nobody_knows_is_left_out(app: Quart, hers: Client, alice: User) -> None:
    """Its times are those of wherever one is, and programs refuse names without rules."""
    lines = 'DTSTART;TZID="Nowhere; at all":20260601T080000\nDTEND:20260601T090000'
    await put(app, alice, text_of("lost", lines))
    text = await exported(hers, CALENDAR)
    assert "DTSTART:20260601T080000\r\n" in text
    assert "VTIMEZONE" not in text


async def test_a_series_without_end_has_the_rules_of_later_years(
    app: Quart, hers: Client, alice: User
) -> None:
    lines = "DTSTART;TZID=Europe/Berlin:20200101T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY"
    await put(app, alice, text_of("daily", lines))
    text = await exported(hers, "/appointments/1.ics")
    far = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).at((now().year + 19, 7, 1))
    assert [instant(event.start).hour for event in far] == [7]


async def test_what_is_not_written_as_the_standard_wants_it_is_so_in_the_file(
    app: Quart, hers: Client, alice: User
) -> None:
    """Whatever stands between the events, and whatever its lines end in or how long they are."""
    block = BLOCKS["own-block"]
    text = text_of("one", EVENTS["own-block"] + f"\nDESCRIPTION:{'ä' * 99}")
    text = text.replace("\r\n", "\n").replace("BEGIN:VEVENT", "begin:vevent")
    text = text.replace("END:VCALENDAR", f"{block}END:VCALENDAR")
    await put(app, alice, text)
    calendar = read(await exported(hers, CALENDAR))
    assert [part.name for part in calendar.parts("VTIMEZONE")] == ["VTIMEZONE"]
    assert [event.text("DESCRIPTION") for event in calendar.parts("VEVENT")] == ["ä" * 99]


@pytest.mark.parametrize("path", [CALENDAR, "/appointments/1.ics"])
async def test_a_head_says_what_a_get_would(
    app: Quart, hers: Client, alice: User, path: str
) -> None:
    await put(app, alice, TEXTS["utc"])
    got, asked = await hers.get(path), await hers.head(path)
    for name in ("Content-Type", "Content-Length", "Content-Disposition", "Cache-Control"):
        assert got.headers[name] == asked.headers[name], name
    assert got.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert got.headers["Cache-Control"] == "no-store"


@each(
    ("name", "header"),
    [
        ("Work", 'filename="Work.ics"'),
        ("Müll", "filename=\"Mull.ics\"; filename*=UTF-8''M%C3%BCll.ics"),
        ("会議", "filename=\"calendar.ics\"; filename*=UTF-8''%E4%BC%9A%E8%AD%B0.ics"),
        ('../a"b\\', 'filename="a b.ics"'),
        ("nul", 'filename="calendar.ics"'),
    ],
)
async def test_a_calendar_says_what_it_is_called(
    app: Quart, hers: Client, name: str, header: str
) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(Calendar).values(name=name, color="moss"))
    response = await hers.get(CALENDAR)
    assert response.headers["Content-Disposition"] == f"attachment; {header}"
    calendar = read((await response.get_data(as_text=False)).decode())
    assert [calendar.text(one) for one in ("NAME", "X-WR-CALNAME")] == [name, name]
    assert calendar.text("COLOR") == "seagreen"


def test_every_colour_has_a_name_in_css_of_its_own() -> None:
    """By which a calendar that comes back has its colour again."""
    assert set(ics.CSS_COLORS) == set(COLORS)
    assert len(set(ics.CSS_COLORS.values())) == len(COLORS)
