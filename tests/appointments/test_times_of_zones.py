"""When an appointment is, by the clocks of its zone: a table worked out by hand.

Each row has its text's times, and the instants (UTC) that follow from them, from when to when.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from quart import Quart

from sched_async.appointments.occurrences import occurrences
from sched_async.ics.content_lines import decoded
from sched_async.ics.derive import Derived, derive
from sched_async.models import Calendar, User
from sched_async.times import day_start

from ..rows import all_rows
from ..tables import each
from . import ZONE_BLOCK, add, put, whole_days

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
DAILY = "FREQ=DAILY;COUNT=3"
# zone, from when to when on the first day, rule; day and time of each occurrence in UTC
CLOCKS = {
    "Europe/Berlin": [
        # The clocks go forward from 2 to 3 on the 28th of March, and back on the 31st of October.
        ("2027-03-27 09:00/10:00", DAILY, "27T08:00/27T09:00 28T07:00/28T08:00 29T07:00/29T08:00"),
        ("2027-03-27 02:30/03:30", DAILY, "27T01:30/27T02:30 28T01:30/28T02:30 29T00:30/29T01:30"),
        ("2027-03-27 01:30/02:30", DAILY, "27T00:30/27T01:30 28T00:30/28T01:30 28T23:30/29T00:30"),
        ("2027-03-27 02:10/02:50", DAILY, "27T01:10/27T01:50 28T01:10/28T01:50 29T00:10/29T00:50"),
        ("2027-03-28 02:30/03:00", "", "28T01:30/28T02:00"),
        ("2027-03-28 02:59/03:01", "", "28T01:59/28T02:01"),
        ("2027-03-28 01:59/03:00", "", "28T00:59/28T01:00"),
        ("2027-03-28 02:30/05:00", "", "28T01:30/28T03:00"),
        ("2027-10-30 09:00/10:00", DAILY, "30T07:00/30T08:00 31T08:00/31T09:00 01T08:00/01T09:00"),
        ("2027-10-30 02:30/02:45", DAILY, "30T00:30/30T00:45 31T00:30/31T00:45 01T01:30/01T01:45"),
        ("2027-10-30 02:30/03:30", DAILY, "30T00:30/30T01:30 31T00:30/31T02:30 01T01:30/01T02:30"),
        ("2027-10-30 01:30/02:30", DAILY, "29T23:30/30T00:30 30T23:30/31T00:30 01T00:30/01T01:30"),
        ("2027-03-26 22:00/06:00", DAILY, "26T21:00/27T05:00 27T21:00/28T04:00 28T20:00/29T04:00"),
        ("2027-10-29 22:00/06:00", DAILY, "29T20:00/30T04:00 30T20:00/31T05:00 31T21:00/01T05:00"),
        ("2027-03-26 09:00/2027-03-29 17:00", "", "26T08:00/29T15:00"),
        ("2027-10-29 09:00/2027-11-01 17:00", "", "29T07:00/01T16:00"),
        ("2027-03-28 00:00/2027-03-29 00:00", "", "27T23:00/28T22:00"),
        ("2027-10-31 00:00/2027-11-01 00:00", "", "30T22:00/31T23:00"),
        ("2027-03-27 12:00/P1D", "", "27T11:00/28T10:00"),
        ("2027-03-27 12:00/PT24H", "", "27T11:00/28T11:00"),
        ("2027-03-26 22:00/PT8H", DAILY, "26T21:00/27T05:00 27T21:00/28T05:00 28T20:00/29T04:00"),
        ("2027-03-28 02:30/PT30M", "", "28T01:30/28T02:00"),
        ("2027-10-31 02:30/PT1H", "", "31T00:30/31T01:30"),
        ("2027-10-31 01:00/P1DT1H", "", "30T23:00/01T01:00"),
        ("2027-03-27 09:00/2027-03-27 09:00", "", "27T08:00/27T08:00"),
        ("2027-03-27 09:00/2027-03-27 08:00", "", "27T08:00/27T08:00"),
        ("2027-01-04 09:00/10:00", "FREQ=MONTHLY;INTERVAL=3;COUNT=4",
         "04T08:00/04T09:00 04T07:00/04T08:00 04T07:00/04T08:00 04T07:00/04T08:00"),
    ],
    "America/Santiago": [
        # Back from midnight to 23 on the 3rd of April; no midnight on the 5th of September.
        ("2027-04-03 09:00/10:00", DAILY, "03T12:00/03T13:00 04T13:00/04T14:00 05T13:00/05T14:00"),
        ("2027-04-02 23:30/23:45", DAILY, "03T02:30/03T02:45 04T02:30/04T02:45 05T03:30/05T03:45"),
        ("2027-04-03 22:00/00:30", "", "04T01:00/04T04:30"),
        ("2027-04-03 00:00/2027-04-04 00:00", "", "03T03:00/04T04:00"),
        ("2027-09-04 09:00/10:00", DAILY, "04T13:00/04T14:00 05T12:00/05T13:00 06T12:00/06T13:00"),
        ("2027-09-04 00:30/01:30", DAILY, "04T04:30/04T05:30 05T04:30/05T05:30 06T03:30/06T04:30"),
        ("2027-09-05 00:00/00:30", "", "05T04:00/05T04:30"),
        ("2027-09-05 00:00/2027-09-06 00:00", "", "05T04:00/06T03:00"),
        ("2027-09-03 22:00/06:00", DAILY, "04T02:00/04T10:00 05T02:00/05T09:00 06T01:00/06T09:00"),
    ],
    "Australia/Lord_Howe": [
        # Half an hour: back from 2 to 1:30 on the 4th of April, forward on the 3rd of October.
        ("2027-04-03 09:00/10:00", DAILY, "02T22:00/02T23:00 03T22:30/03T23:30 04T22:30/04T23:30"),
        ("2027-04-03 01:45/01:55", DAILY, "02T14:45/02T14:55 03T14:45/03T14:55 04T15:15/04T15:25"),
        ("2027-04-04 01:45/02:15", "", "03T14:45/03T15:45"),
        ("2027-10-02 09:00/10:00", DAILY, "01T22:30/01T23:30 02T22:00/02T23:00 03T22:00/03T23:00"),
        ("2027-10-02 02:15/02:45", DAILY, "01T15:45/01T16:15 02T15:45/02T16:15 03T15:15/03T15:45"),
        ("2027-10-03 02:00/02:30", "", "02T15:30/02T16:00"),
        ("2027-10-03 01:00/04:00", "", "02T14:30/02T17:00"),
    ],
    "Asia/Tokyo": [
        ("2027-03-27 02:30/03:30", DAILY, "26T17:30/26T18:30 27T17:30/27T18:30 28T17:30/28T18:30"),
        ("2027-01-15 09:00/10:00", "FREQ=MONTHLY;INTERVAL=6;COUNT=3",
         "15T00:00/15T01:00 15T00:00/15T01:00 15T00:00/15T01:00"),
        ("2027-10-30 22:00/06:00", "", "30T13:00/30T21:00"),
        ("2027-10-30 22:00/PT8H", "", "30T13:00/30T21:00"),
    ],
    "Africa/Casablanca": [
        # An hour less in Ramadan: back on the 7th of February, forward on the 14th of March.
        ("2027-02-06 09:00/10:00", DAILY, "06T08:00/06T09:00 07T09:00/07T10:00 08T09:00/08T10:00"),
        ("2027-02-06 02:30/02:45", DAILY, "06T01:30/06T01:45 07T01:30/07T01:45 08T02:30/08T02:45"),
        ("2027-03-13 09:00/10:00", DAILY, "13T09:00/13T10:00 14T08:00/14T09:00 15T08:00/15T09:00"),
        ("2027-03-13 02:30/03:30", DAILY, "13T02:30/13T03:30 14T02:30/14T03:30 15T01:30/15T02:30"),
    ],
    "America/Mexico_City": [
        # Summer time until 2022, and never since.
        ("2021-07-01 09:00/10:00", "FREQ=YEARLY;COUNT=3",
         "01T14:00/01T15:00 01T14:00/01T15:00 01T15:00/01T16:00"),
        ("2022-04-02 02:30/03:30", DAILY, "02T08:30/02T09:30 03T08:30/03T09:30 04T07:30/04T08:30"),
        ("2022-10-29 01:30/01:45", DAILY, "29T06:30/29T06:45 30T06:30/30T06:45 31T07:30/31T07:45"),
        ("2023-04-01 02:30/03:30", DAILY, "01T08:30/01T09:30 02T08:30/02T09:30 03T08:30/03T09:30"),
    ],
    "Asia/Almaty": [
        # From six hours to five, for good, on the 1st of March 2024.
        ("2024-02-29 09:00/10:00", DAILY, "29T03:00/29T04:00 01T04:00/01T05:00 02T04:00/02T05:00"),
        ("2024-02-28 23:30/23:45", DAILY, "28T17:30/28T17:45 29T17:30/29T17:45 01T18:30/01T18:45"),
        ("2024-02-29 22:00/06:00", "", "29T16:00/01T01:00"),
        ("2023-12-31 12:00/13:00", "FREQ=MONTHLY;COUNT=3",
         "31T06:00/31T07:00 31T06:00/31T07:00 31T07:00/31T08:00"),
    ],
    "Pacific/Apia": [
        # The 30th of December 2011 did not happen.
        ("2011-12-29 09:00/10:00", DAILY, "29T19:00/29T20:00 30T19:00/30T20:00 30T19:00/30T20:00"),
        ("2011-12-29 22:00/2011-12-31 06:00", "", "30T08:00/30T16:00"),
        ("2011-12-30 09:00/2011-12-31 10:00", "", "30T19:00/30T20:00"),
        ("2011-12-30 09:00/2011-12-31 09:00", "", "30T19:00/31T19:00"),
        ("2011-12-29 12:00/PT24H", "", "29T22:00/30T22:00"),
    ],
    "Asia/Beirut": [
        # No midnight on the 28th of March, and two hours from 23 on the 30th of October.
        ("2027-03-27 00:00/01:00", DAILY, "26T22:00/26T23:00 27T22:00/27T23:00 28T21:00/28T22:00"),
        ("2027-03-27 12:00/2027-03-28 00:00", "", "27T10:00/27T22:00"),
        ("2027-10-30 23:30/23:45", "", "30T20:30/30T20:45"),
        ("2027-10-30 23:30/00:30", "", "30T20:30/30T22:30"),
    ],
    "Africa/Cairo": [
        # No midnight on the 30th of April; two hours from 23 on the 28th of October.
        ("2027-04-29 00:00/00:30", DAILY, "28T22:00/28T22:30 29T22:00/29T22:30 30T21:00/30T21:30"),
        ("2027-10-27 23:15/23:45", DAILY, "27T20:15/27T20:45 28T20:15/28T20:45 29T21:15/29T21:45"),
    ],
}  # fmt: skip
TIMES = [(zone, *row) for zone, rows in CLOCKS.items() for row in rows]


def text(*lines: str, more: str = "") -> str:
    event = ["BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *event, f"{more}END:VCALENDAR", ""])


def spans(made: Derived) -> str:
    rows = sorted(made.occurrences, key=lambda row: (row["start_utc"], row["recurrence_id"]))
    return " ".join(f"{row['start_utc']:%dT%H:%M}/{row['end_utc']:%dT%H:%M}" for row in rows)


def lines(zone: str, span: str, rule: str) -> Iterator[str]:
    """DTSTART, and DTEND or DURATION; an end that comes first by the clock is the next day's."""
    start, _, end = span.partition("/")
    begin = datetime.fromisoformat(start)
    yield f"DTSTART;TZID={zone}:{begin:%Y%m%dT%H%M%S}"
    if end.startswith("P"):
        yield f"DURATION:{end}"
    else:
        until = datetime.fromisoformat(end if len(end) > 5 else f"{begin.date()} {end}")
        until += timedelta(days=len(end) == 5 and until < begin)
        yield f"DTEND;TZID={zone}:{until:%Y%m%dT%H%M%S}"
    if rule:
        yield f"RRULE:{rule}"


@each(("zone", "span", "rule", "expected"), TIMES)
def test_an_appointment_is_when_the_clocks_of_its_zone_show_it(
    zone: str, span: str, rule: str, expected: str
) -> None:
    made = derive(text(*lines(zone, span, rule)), NOW)
    assert spans(made) == expected
    assert all(row["end_utc"] > row["start_utc"] for row in made.occurrences)
    assert not any(row["floating"] for row in made.occurrences)
    assert made.zones == {zone}


OUTLOOK, CUSTOMIZED = "W. Europe Standard Time", "Customized Time Zone"
# How it is written; whose clocks it has, and whether it is at the same wall clock everywhere.
ZONES = [
    ("TZID=Europe/Berlin:20270701T090000", "", "Europe/Berlin", "01T07:00/01T08:00", False),
    ("TZID=europe/berlin:20270701T090000", "", "Europe/Berlin", "01T07:00/01T08:00", False),
    (f'TZID="{OUTLOOK}":20270701T090000', "", "Europe/Berlin", "01T07:00/01T08:00", False),
    (f"TZID={OUTLOOK}:20270701T090000", OUTLOOK, "Europe/Berlin", "01T07:00/01T08:00", False),
    ("TZID=/mozilla.org/20050126_1/Europe/Berlin:20270701T090000", "", "Europe/Berlin",
     "01T07:00/01T08:00", False),
    (f"TZID={CUSTOMIZED}:20270701T090000", CUSTOMIZED, CUSTOMIZED, "01T07:00/01T08:00", False),
    (f"TZID={CUSTOMIZED}:20270101T090000", CUSTOMIZED, CUSTOMIZED, "01T08:00/01T09:00", False),
    (f"TZID={CUSTOMIZED}:20270701T090000", "", CUSTOMIZED, "01T09:00/01T10:00", True),
    ("X=1:20270701T090000Z", "", "UTC", "01T09:00/01T10:00", False),
    ("X=1:20270701T090000", "", None, "01T09:00/01T10:00", True),
    ("X=1:20270328T023000", "", None, "28T02:30/28T03:30", True),
]  # fmt: skip


@each(("start", "block", "zone", "expected", "floating"), ZONES)
def test_a_zone_is_known_by_any_of_its_names_or_by_its_block(
    start: str, block: str, zone: str | None, expected: str, floating: bool
) -> None:
    more = ZONE_BLOCK.format(block).replace("\n", "\r\n") if block else ""
    made = derive(text(f"DTSTART;{start}", "DURATION:PT1H", more=more), NOW)
    assert (made.columns["timezone"], spans(made)) == (zone, expected)
    assert {row["floating"] for row in made.occurrences} == {floating}


# The first and the last day, as its text has them; from which day to which it is kept.
DAYS = [
    ("DTSTART;VALUE=DATE:20270328", "DTEND;VALUE=DATE:20270329", "28T00:00/29T00:00"),
    ("DTSTART;VALUE=DATE:20270328", "X-NO:END", "28T00:00/29T00:00"),
    ("DTSTART;VALUE=DATE:20270328", "DURATION:P3D", "28T00:00/31T00:00"),
    ("DTSTART;VALUE=DATE:20270328", "DURATION:PT1H", "28T00:00/29T00:00"),
    ("DTSTART;VALUE=DATE:20270328", "DTEND;VALUE=DATE:20270328", "28T00:00/29T00:00"),
    ("DTSTART;VALUE=DATE:20270328", "DTEND;VALUE=DATE:20270301", "28T00:00/29T00:00"),
    ("DTSTART;VALUE=DATE:20111230", "DTEND;VALUE=DATE:20111231", "30T00:00/31T00:00"),
    ("DTSTART;VALUE=DATE:20111229", "DTEND;VALUE=DATE:20120101", "29T00:00/01T00:00"),
    ("DTSTART;VALUE=DATE:20280228", "RRULE:FREQ=DAILY;COUNT=3",
     "28T00:00/29T00:00 29T00:00/01T00:00 01T00:00/02T00:00"),
    ("DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY;COUNT=2",
     "29T00:00/01T00:00 29T00:00/01T00:00"),
]  # fmt: skip


@each(("start", "end", "expected"), DAYS)
def test_whole_days_are_dates_and_no_clock_changes_them(
    start: str, end: str, expected: str
) -> None:
    made = derive(text(start, end), NOW)
    assert spans(made) == expected
    assert {(row["floating"], row["allday"]) for row in made.occurrences} == {(True, True)}
    assert made.columns["timezone"] is None
    assert made.zones == frozenset()


# Master, rule and more; the wall clock at which each begins.
MONTHLY = "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=4"
TUESDAY, BIWEEKLY = "20270105T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU"
RULES = [
    ("TZID=Europe/Berlin:20270131T090000", "FREQ=MONTHLY;COUNT=5",
     "2027-01-31T08:00 2027-03-31T07:00 2027-05-31T07:00 2027-07-31T07:00 2027-08-31T07:00"),
    ("X=1:20280131T090000", MONTHLY,
     "2028-01-31T09:00 2028-02-29T09:00 2028-03-31T09:00 2028-04-30T09:00"),
    ("X=1:20280131T090000", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=4",
     "2028-01-31T09:00 2028-02-29T09:00 2028-03-31T09:00 2028-04-30T09:00"),
    (f"X=1:{TUESDAY}", BIWEEKLY,
     "2027-01-05T09:00 2027-01-10T09:00 2027-01-19T09:00 2027-01-24T09:00"),
    (f"X=1:{TUESDAY}", f"{BIWEEKLY};WKST=MO",
     "2027-01-05T09:00 2027-01-10T09:00 2027-01-19T09:00 2027-01-24T09:00"),
    (f"X=1:{TUESDAY}", f"{BIWEEKLY};WKST=SU",
     "2027-01-05T09:00 2027-01-17T09:00 2027-01-19T09:00 2027-01-31T09:00"),
    # A start that is not on its rule counts.
    (f"X=1:{TUESDAY}", "FREQ=WEEKLY;BYDAY=WE;COUNT=3",
     "2027-01-05T09:00 2027-01-06T09:00 2027-01-13T09:00"),
    ("TZID=Europe/Berlin:20270328T023000", "FREQ=YEARLY;COUNT=2",
     "2027-03-28T01:30 2028-03-28T00:30"),
    # UNTIL is included, whichever way it is written.
    ("TZID=Europe/Berlin:20270327T090000", "FREQ=DAILY;UNTIL=20270328T070000Z",
     "2027-03-27T08:00 2027-03-28T07:00"),
    ("TZID=Europe/Berlin:20270327T090000", "FREQ=DAILY;UNTIL=20270328T065959Z", "2027-03-27T08:00"),
    ("TZID=Europe/Berlin:20270327T090000", "FREQ=DAILY;UNTIL=20270328",
     "2027-03-27T08:00 2027-03-28T07:00"),
    ("TZID=Europe/Berlin:20270327T090000", "FREQ=DAILY;UNTIL=20270328T090000",
     "2027-03-27T08:00 2027-03-28T07:00"),
    ("TZID=Asia/Tokyo:20270327T080000", "FREQ=DAILY;UNTIL=20270327T230000Z",
     "2027-03-26T23:00 2027-03-27T23:00"),
    ("VALUE=DATE:20270327", "FREQ=DAILY;UNTIL=20270328", "2027-03-27T00:00 2027-03-28T00:00"),
    # Of what is skipped by the clocks nothing is dropped, and it counts.
    ("TZID=Europe/Berlin:20270327T023000", "FREQ=DAILY;COUNT=3",
     "2027-03-27T01:30 2027-03-28T01:30 2027-03-29T00:30"),
]  # fmt: skip


@each(("start", "rule", "expected"), RULES)
def test_a_rule_gives_the_days_that_the_standard_says(start: str, rule: str, expected: str) -> None:
    made = derive(text(f"DTSTART;{start}", "X-NO:END", f"RRULE:{rule}"), NOW)
    found = sorted(row["start_utc"] for row in made.occurrences)
    assert " ".join(f"{one:%Y-%m-%dT%H:%M}" for one in found) == expected


def test_an_occurrence_may_name_its_original_in_another_zone() -> None:
    """Compared as instants: it is replaced, and not shown beside the other."""
    override = ["RECURRENCE-ID;TZID=Europe/Paris:20270328T000000", "SUMMARY:Later"]
    times = ["DTSTART;TZID=Asia/Tokyo:20270328T100000", "DTEND;TZID=Asia/Tokyo:20270328T110000"]
    more = "\r\n".join(["BEGIN:VEVENT", "UID:1", *override, *times, "END:VEVENT", ""])
    master = ("DTSTART;TZID=Asia/Tokyo:20270327T080000", "DURATION:PT1H", f"RRULE:{DAILY}")
    made = derive(text(*master, more=more), NOW)
    assert spans(made) == "26T23:00/27T00:00 28T01:00/28T02:00 28T23:00/29T00:00"
    keys = {row["recurrence_id"]: row["title"] for row in made.occurrences}
    assert keys == {
        "2027-03-27T08:00": None,
        "2027-03-28T08:00": "Later",
        "2027-03-29T08:00": None,
    }


@pytest.mark.parametrize("fold", [b"\r\n ", b"\r\n\t", b"\n "], ids=ascii)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=ascii)
def test_a_line_may_be_folded_inside_of_a_character(fold: bytes, mark: bytes) -> None:
    whole = text("DTSTART:20270101T090000", "SUMMARY:Tea \U0001f375 at four").encode()
    cup = whole.index("\U0001f375".encode()) + 2
    made = derive(decoded(mark + whole[:cup] + fold + whole[cup:]), NOW)
    assert made.columns["title"] == "Tea \U0001f375 at four"


# Who looks, from the east of all to the west of all.
VIEWERS = ("Pacific/Kiritimati", "Pacific/Apia", "Asia/Tokyo", "Asia/Kolkata", "Europe/Berlin",
           "UTC", "America/Santiago", "America/Mexico_City", "Pacific/Pago_Pago")  # fmt: skip


async def found(app: Quart, first: date, last: date, zone: str) -> list[str]:
    """What somebody there has from one day to another."""
    (calendar,) = await all_rows(app, Calendar)
    a, b = day_start(first, zone), day_start(last + timedelta(days=1), zone)
    async with app.app_context():
        return [row.title for row in await occurrences([calendar.id], a, b, zone)]


async def test_a_whole_day_is_on_its_dates_wherever_one_is(app: Quart, alice: User) -> None:
    await add(
        app, alice, whole_days("Day", "2027-03-28"), whole_days("Fair", "2027-10-30", "2027-11-01")
    )
    expected = {"03-27": [], "03-28": ["Day"], "03-29": [], "10-29": [], "10-30": ["Fair"]}
    expected |= {"10-31": ["Fair"], "11-01": ["Fair"], "11-02": []}
    for zone in VIEWERS:
        for day, titles in expected.items():
            one = date.fromisoformat(f"2027-{day}")
            assert await found(app, one, one, zone) == titles, (zone, day)


# A floating span, who looks, and on which day it is found: on exactly one.
FLOATING = [
    ("20270328T023000", "PT1H", "Europe/Berlin", "2027-03-28"),
    ("20270328T021500", "PT30M", "Europe/Berlin", "2027-03-28"),
    ("20270328T001500", "PT30M", "Asia/Beirut", "2027-03-28"),
    ("20270328T001500", "PT30M", "Pacific/Kiritimati", "2027-03-28"),
    ("20270328T001500", "PT30M", "Pacific/Pago_Pago", "2027-03-28"),
    ("20271031T023000", "PT30M", "Europe/Berlin", "2027-10-31"),
    ("20270905T000000", "PT1H", "America/Santiago", "2027-09-05"),
    ("20270403T233000", "PT15M", "America/Santiago", "2027-04-03"),
    ("20111230T120000", "PT1H", "Asia/Tokyo", "2011-12-30"),
    # The day that did not happen there: what was meant for it is not lost.
    ("20111230T120000", "PT1H", "Pacific/Apia", "2011-12-31"),
]


@each(("start", "duration", "zone", "day"), FLOATING)
async def test_a_time_without_a_zone_is_found_once_wherever_one_is(
    app: Quart, alice: User, start: str, duration: str, zone: str, day: str
) -> None:
    title = f"{start} {zone}"
    whole = text(f"DTSTART:{start}", f"DURATION:{duration}", f"SUMMARY:{title}")
    await put(app, alice, whole.replace("UID:1", f"UID:{title}"))
    there = [
        f"{one}"
        for one in (date.fromisoformat(day) + timedelta(days=at) for at in range(-2, 3))
        if title in await found(app, one, one, zone)
    ]
    assert there == [day]


async def test_a_whole_day_that_a_place_has_skipped_is_not_lost_there(
    app: Quart, alice: User
) -> None:
    await add(app, alice, whole_days("Never", "2011-12-30"))
    one, other = date(2011, 12, 29), date(2011, 12, 31)
    assert await found(app, one, one, "Pacific/Apia") == []
    assert await found(app, other, other, "Pacific/Apia") == ["Never"]


async def test_a_weekly_one_is_found_on_a_far_day_and_what_only_touches_is_not(
    app: Quart, alice: User
) -> None:
    weekly = ("DTSTART;TZID=Europe/Berlin:20260105T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
    without = ("EXDATE;TZID=Europe/Berlin:20271206T090000",)
    await put(app, alice, text(*weekly, "SUMMARY:Kept"))
    await put(app, alice, text(*weekly, *without, "SUMMARY:Left out").replace("UID:1", "UID:2"))
    (calendar,) = await all_rows(app, Calendar)
    begin, hour = datetime(2027, 12, 6, 8, tzinfo=UTC), timedelta(hours=1)
    spans = {(0, 1): ["Kept"], (-1, 0): [], (1, 2): [], (-1, 2): ["Kept"]}
    async with app.app_context():
        for (a, b), titles in spans.items():
            bounds = (begin + a * hour, begin + b * hour)
            rows = await occurrences([calendar.id], *bounds, "Europe/Berlin")
            assert [row.title for row in rows] == titles
    day = date(2032, 12, 6)  # beyond the rows that are kept
    assert await found(app, day, day, "Europe/Berlin") == ["Kept", "Left out"]
