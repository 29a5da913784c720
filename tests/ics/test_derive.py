"""What follows from an iCalendar text: when it happens, what it is called, what is refused."""

import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sched_async.appointments import expanding
from sched_async.errors import RefusedError
from sched_async.ics import derive as module
from sched_async.ics.content_lines import decoded, folded, read, written
from sched_async.ics.derive import derive, later
from sched_async.ics.ics_text import Facts, new_text, patched

from ..appointments import ZONE_BLOCK

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def calendar(*events: str, blocks: str = "") -> str:
    """A text of these events, each with its lines between bars."""
    texts = (
        "\n".join(["BEGIN:VEVENT", "UID:1", *event.split("|"), "END:VEVENT"]) for event in events
    )
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", blocks, *texts, "END:VCALENDAR", ""])


def spans(text: str, now: datetime = NOW) -> list[str]:
    """Each occurrence as “start/end” in UTC."""
    found = sorted(derive(text, now).occurrences, key=lambda one: str(one["start_utc"]))
    return [f"{one['start_utc']:%Y-%m-%dT%H:%M}/{one['end_utc']:%Y-%m-%dT%H:%M}" for one in found]


def starts(text: str) -> list[str]:
    return [span.partition("/")[0] for span in spans(text)]


def days(*walls: str, at: str = "T09:00") -> list[str]:
    return [f"{wall}{at}" for wall in walls]


def zoned(zone: str, start: str, end: str, rule: str = "") -> str:
    times = f"DTSTART;TZID={zone}:{start}|DTEND;TZID={zone}:{end}"
    return calendar(f"{times}|{rule}" if rule else times)


DAILY = "RRULE:FREQ=DAILY;COUNT={}"
# Zone, start, end, how often daily, and what that is in UTC.
CLOCKS = [
    # Berlin goes forward on 29 March 2026 at 02:00, and back on 25 October at 03:00.
    ("Europe/Berlin", "20260328T090000", "20260328T100000", 2,
     ["2026-03-28T08:00/2026-03-28T09:00", "2026-03-29T07:00/2026-03-29T08:00"]),
    ("Europe/Berlin", "20261024T090000", "20261024T100000", 2,
     ["2026-10-24T07:00/2026-10-24T08:00", "2026-10-25T08:00/2026-10-25T09:00"]),
    # In the skipped hour: by the offset from before.
    ("Europe/Berlin", "20260328T023000", "20260328T030000", 3,
     ["2026-03-28T01:30/2026-03-28T02:00", "2026-03-29T01:30/2026-03-29T02:00",
      "2026-03-30T00:30/2026-03-30T01:00"]),
    ("Europe/Berlin", "20260329T023000", "20260329T031500", 1,
     ["2026-03-29T01:30/2026-03-29T02:15"]),
    # In the hour that happens twice: the first.
    ("Europe/Berlin", "20261025T023000", "20261025T024500", 1,
     ["2026-10-25T00:30/2026-10-25T00:45"]),
    ("Europe/Berlin", "20261025T013000", "20261025T033000", 1,
     ["2026-10-24T23:30/2026-10-25T02:30"]),
    # A shift ends at six on every night, and a night train takes what it takes.
    ("Europe/Berlin", "20260327T220000", "20260328T060000", 2,
     ["2026-03-27T21:00/2026-03-28T05:00", "2026-03-28T21:00/2026-03-29T04:00"]),
    ("Europe/Berlin", "20261023T220000", "20261024T060000", 2,
     ["2026-10-23T20:00/2026-10-24T04:00", "2026-10-24T20:00/2026-10-25T05:00"]),
    # Half an hour, in the south: forward on 4 October 2026, back on 5 April.
    ("Australia/Lord_Howe", "20261003T021500", "20261003T024500", 2,
     ["2026-10-02T15:45/2026-10-02T16:15", "2026-10-03T15:45/2026-10-03T16:15"][:2]),
    ("Australia/Lord_Howe", "20260405T014500", "20260405T020000", 1,
     ["2026-04-04T14:45/2026-04-04T15:30"]),
    ("Australia/Lord_Howe", "20260404T120000", "20260404T130000", 2,
     ["2026-04-04T01:00/2026-04-04T02:00", "2026-04-05T01:30/2026-04-05T02:30"]),
    ("Australia/Sydney", "20261003T023000", "20261003T030000", 2,
     ["2026-10-02T16:30/2026-10-02T17:00", "2026-10-03T16:30/2026-10-03T17:00"]),
    ("America/Santiago", "20260404T233000", "20260405T003000", 1,
     ["2026-04-05T02:30/2026-04-05T04:30"]),
    # New York, both ways.
    ("America/New_York", "20260307T023000", "20260307T033000", 2,
     ["2026-03-07T07:30/2026-03-07T08:30", "2026-03-08T07:30/2026-03-08T08:30"]),
    ("America/New_York", "20261101T013000", "20261101T023000", 1,
     ["2026-11-01T05:30/2026-11-01T07:30"]),
    # No changes at all.
    ("Asia/Tokyo", "20260328T090000", "20260328T100000", 2,
     ["2026-03-28T00:00/2026-03-28T01:00", "2026-03-29T00:00/2026-03-29T01:00"]),
    ("Asia/Kathmandu", "20260328T090000", "20260328T100000", 1,
     ["2026-03-28T03:15/2026-03-28T04:15"]),
    # Rules that were changed: Brazil has had no summer time since 2019, Moscow since 2014.
    ("America/Sao_Paulo", "20180215T120000", "20180215T130000", 1,
     ["2018-02-15T14:00/2018-02-15T15:00"]),
    ("America/Sao_Paulo", "20200215T120000", "20200215T130000", 1,
     ["2020-02-15T15:00/2020-02-15T16:00"]),
    ("Europe/Moscow", "20140701T120000", "20140701T130000", 1,
     ["2014-07-01T08:00/2014-07-01T09:00"]),
    ("Europe/Moscow", "20150701T120000", "20150701T130000", 1,
     ["2015-07-01T09:00/2015-07-01T10:00"]),
    # Ramadan in Morocco.
    ("Africa/Casablanca", "20270206T120000", "20270206T130000", 2,
     ["2027-02-06T11:00/2027-02-06T12:00", "2027-02-07T12:00/2027-02-07T13:00"]),
    # Days without a midnight, and a day that did not happen.
    ("Asia/Beirut", "20260329T000000", "20260329T013000", 1,
     ["2026-03-28T22:00/2026-03-28T22:30"]),
    ("Africa/Cairo", "20260424T001500", "20260424T020000", 1,
     ["2026-04-23T22:15/2026-04-23T23:00"]),
    ("Pacific/Apia", "20111229T120000", "20111229T130000", 3,
     ["2011-12-29T22:00/2011-12-29T23:00", "2011-12-30T22:00/2011-12-30T23:00",
      "2011-12-30T22:00/2011-12-30T23:00"]),
    # Three days with hours.
    ("Europe/Berlin", "20260327T090000", "20260330T170000", 1,
     ["2026-03-27T08:00/2026-03-30T15:00"]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "start", "end", "count", "expected"), CLOCKS)
def test_the_wall_clock_is_what_was_meant(
    zone: str, start: str, end: str, count: int, expected: list[str]
) -> None:
    assert spans(zoned(zone, start, end, DAILY.format(count))) == expected
    if count == 1:
        assert spans(zoned(zone, start, end)) == expected


RULES = [
    ("DTSTART;TZID=Europe/Berlin:20270131T090000|RRULE:FREQ=MONTHLY;COUNT=5",
     ["2027-01-31T08:00", "2027-03-31T07:00", "2027-05-31T07:00", "2027-07-31T07:00",
      "2027-08-31T07:00"]),
    ("DTSTART:20280131T090000|RRULE:FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=4",
     days("2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30")),
    ("DTSTART:20280131T090000|RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=4",
     days("2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30")),
    ("DTSTART:20270105T090000|RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU",
     days("2027-01-05", "2027-01-10", "2027-01-19", "2027-01-24")),
    ("DTSTART:20270105T090000|RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
     days("2027-01-05", "2027-01-10", "2027-01-19", "2027-01-24")),
    ("DTSTART:20270105T090000|RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
     days("2027-01-05", "2027-01-17", "2027-01-19", "2027-01-31")),
    # A start that is not on its rule stays, and counts.
    ("DTSTART:20270106T090000|RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=3",
     days("2027-01-06", "2027-01-08", "2027-01-15")),
    # UNTIL: in UTC, as a date, as local time.
    ("DTSTART;TZID=Europe/Berlin:20270101T090000|RRULE:FREQ=DAILY;UNTIL=20270103T080000Z",
     days("2027-01-01", "2027-01-02", "2027-01-03", at="T08:00")),
    ("DTSTART;TZID=Europe/Berlin:20270101T090000|RRULE:FREQ=DAILY;UNTIL=20270103T075959Z",
     days("2027-01-01", "2027-01-02", at="T08:00")),
    ("DTSTART;TZID=Europe/Berlin:20270101T090000|RRULE:FREQ=DAILY;UNTIL=20270102",
     days("2027-01-01", "2027-01-02", at="T08:00")),
    ("DTSTART:20270101T090000|RRULE:FREQ=DAILY;UNTIL=20270102T090000",
     days("2027-01-01", "2027-01-02")),
    ("DTSTART;VALUE=DATE:20270101|RRULE:FREQ=DAILY;UNTIL=20270102",
     days("2027-01-01", "2027-01-02", at="T00:00")),
    # Left out, and added; the same start twice is one.
    ("DTSTART:20270101T090000|RRULE:FREQ=DAILY;COUNT=3|EXDATE:20270102T090000",
     days("2027-01-01", "2027-01-03")),
    ("DTSTART;TZID=Europe/Berlin:20270101T090000|RRULE:FREQ=DAILY;COUNT=3"
     "|EXDATE:20270102T080000Z", days("2027-01-01", "2027-01-03", at="T08:00")),
    ("DTSTART;TZID=Europe/Berlin:20270101T090000|RRULE:FREQ=DAILY;COUNT=3"
     "|EXDATE;VALUE=DATE:20270102", days("2027-01-01", "2027-01-03", at="T08:00")),
    ("DTSTART:20270101T090000|RDATE:20270105T090000,20270101T090000|RDATE:20270103T090000",
     days("2027-01-01", "2027-01-03", "2027-01-05")),
    ("DTSTART;TZID=Europe/Berlin:20270101T090000|RDATE;VALUE=PERIOD:20270103T080000Z/PT1H",
     days("2027-01-01", "2027-01-03", at="T08:00")),
    # Hourly over a day is still a day.
    ("DTSTART:20270101T220000|RRULE:FREQ=HOURLY;INTERVAL=6;COUNT=3",
     ["2027-01-01T22:00", "2027-01-02T04:00", "2027-01-02T10:00"]),
    ("DTSTART:20270101T080000|RRULE:FREQ=DAILY;BYHOUR=8,12;BYMINUTE=30;COUNT=3",
     ["2027-01-01T08:00", "2027-01-01T08:30", "2027-01-01T12:30"]),
]  # fmt: skip


@pytest.mark.parametrize(("event", "expected"), RULES)
def test_a_rule_is_followed(event: str, expected: list[str]) -> None:
    assert starts(calendar(event)) == expected


DURATIONS = [
    ("DTSTART:20270101T090000|DTEND:20270101T103000", "2027-01-01T09:00/2027-01-01T10:30"),
    ("DTSTART:20270101T090000Z|DURATION:PT90M", "2027-01-01T09:00/2027-01-01T10:30"),
    ("DTSTART;TZID=Europe/Berlin:20260328T120000|DURATION:P1D",
     "2026-03-28T11:00/2026-03-29T10:00"),
    ("DTSTART;TZID=Europe/Berlin:20260328T120000|DURATION:PT24H",
     "2026-03-28T11:00/2026-03-29T11:00"),
    ("DTSTART;TZID=Europe/Berlin:20260328T120000|DURATION:P1W",
     "2026-03-28T11:00/2026-04-04T10:00"),
    # An end in another zone is read in the start's.
    ("DTSTART;TZID=Europe/Berlin:20270101T090000|DTEND;TZID=America/New_York:20270101T120000",
     "2027-01-01T08:00/2027-01-01T17:00"),
    ("DTSTART;VALUE=DATE:20270101|DTEND;VALUE=DATE:20270104", "2027-01-01T00:00/2027-01-04T00:00"),
    ("DTSTART;VALUE=DATE:20270101", "2027-01-01T00:00/2027-01-02T00:00"),
    ("DTSTART;VALUE=DATE:20270101|DTEND;VALUE=DATE:20270101", "2027-01-01T00:00/2027-01-02T00:00"),
    ("DTSTART;VALUE=DATE:20270101|DURATION:P2D", "2027-01-01T00:00/2027-01-03T00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "expected"), DURATIONS)
def test_it_ends_when_it_says(event: str, expected: str) -> None:
    assert spans(calendar(event)) == [expected]


@pytest.mark.parametrize(
    "event",
    [
        "DTSTART:20270101T090000",
        "DTSTART:20270101T090000|DTEND:20270101T090000",
        "DTSTART:20270101T090000|DTEND:20261231T090000",
        "DTSTART:20270101T090000|DURATION:-PT1H",
    ],
)
def test_nothing_ends_before_it_starts(event: str) -> None:
    (one,) = derive(calendar(event), NOW).occurrences
    assert one["end_utc"] - one["start_utc"] == timedelta(seconds=1)
    assert derive(calendar(event), NOW).columns["end"] == datetime(2027, 1, 1, 9)


# Zones, as other programs name them


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ('"W. Europe Standard Time"', "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/example.org/20231027/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
    ],
)
def test_a_zone_is_known_by_its_names(zone: str, name: str) -> None:
    made = derive(zoned(zone, "20270701T090000", "20270701T100000"), NOW)
    assert made.columns["timezone"] == name
    instant = datetime(2027, 7, 1, 9, tzinfo=ZoneInfo(name))
    assert made.occurrences[0]["start_utc"] == instant
    assert made.zones == {name}


@pytest.mark.parametrize("name", ["W. Europe Standard Time", "Customized Time Zone"])
def test_a_zone_of_its_own_goes_by_the_rules_of_its_block(name: str) -> None:
    event = f'DTSTART;TZID="{name}":20270701T090000|DTEND;TZID="{name}":20270701T100000'
    made = derive(calendar(event, blocks=ZONE_BLOCK.format(name)), NOW)
    assert f"{made.occurrences[0]['start_utc']:%H:%M}" == "07:00"
    known = "Europe/Berlin" if name.startswith("W.") else name
    assert (made.columns["timezone"], made.occurrences[0]["floating"]) == (known, False)


def test_zones_of_one_name_in_several_texts_go_each_by_their_own_rules() -> None:
    event = "DTSTART;TZID=Ours:20270701T090000|DTEND;TZID=Ours:20270701T100000"
    east = ZONE_BLOCK.format("Ours").replace("+0200", "+0600")
    texts = (calendar(event, blocks=block) for block in (ZONE_BLOCK.format("Ours"), east))
    assert [starts(text) for text in texts] == [["2027-07-01T07:00"], ["2027-07-01T03:00"]]


def test_a_zone_that_nobody_knows_is_named_and_never_silently_utc() -> None:
    made = derive(zoned("Mars/Olympus", "20270701T090000", "20270701T100000"), NOW)
    assert made.columns["timezone"] == "Mars/Olympus"
    assert made.occurrences[0]["floating"] is True


@pytest.mark.parametrize(
    ("event", "floating", "allday", "zone"),
    [
        ("DTSTART:20270701T090000", True, False, None),
        ("DTSTART:20270701T090000Z", False, False, "UTC"),
        ("DTSTART;VALUE=DATE:20270701", True, True, None),
        ("DTSTART;TZID=Asia/Tokyo:20270701T090000", False, False, "Asia/Tokyo"),
    ],
)
def test_a_time_is_somewhere_or_wherever_one_is(
    event: str, floating: bool, allday: bool, zone: str | None
) -> None:
    made = derive(calendar(event), NOW)
    (one,) = made.occurrences
    assert (one["floating"], one["allday"], one["long"]) == (floating, allday, False)
    assert made.columns["timezone"] == zone


# What differs


def changed(original: str, more: str, zone: str = "Asia/Tokyo") -> str:
    series = f"DTSTART;TZID={zone}:20270101T080000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3"
    return calendar(f"{series}|SUMMARY:Run|LOCATION:Park", f"RECURRENCE-ID{original}|{more}")


@pytest.mark.parametrize(
    "original",
    [
        ";TZID=Asia/Tokyo:20270102T080000",
        ";TZID=Europe/Paris:20270102T000000",
        ":20270101T230000Z",
        ";VALUE=DATE:20270102",
    ],
)
def test_an_occurrence_that_differs_stands_for_its_original_and_not_beside_it(
    original: str,
) -> None:
    more = "DTSTART;TZID=Asia/Tokyo:20270102T100000|DURATION:PT2H|SUMMARY:Ride|LOCATION:Park"
    made = derive(changed(original, more), NOW)
    rows = {one["recurrence_id"]: one for one in made.occurrences}
    assert sorted(rows) == ["2027-01-01T08:00", "2027-01-02T08:00", "2027-01-03T08:00"]
    ride = rows["2027-01-02T08:00"]
    assert (ride["title"], ride["location"], ride["search"]) == ("Ride", None, "ride\npark\n")
    assert ride["end_utc"] - ride["start_utc"] == timedelta(hours=2)
    assert rows["2027-01-01T08:00"]["title"] is rows["2027-01-01T08:00"]["search"] is None


def test_a_text_of_one_occurrence_alone_is_kept_as_it_is() -> None:
    made = derive(
        calendar("RECURRENCE-ID:20270102T080000Z|DTSTART:20270102T090000Z|SUMMARY:A"), NOW
    )
    assert [one["recurrence_id"] for one in made.occurrences] == ["2027-01-02T08:00"]
    assert made.columns["title"] == "A"


# How far


@pytest.mark.parametrize(
    ("start", "rule", "count", "last"),
    [
        ("20261125T090000Z", "FREQ=DAILY", 732, "2028-11-25"),
        ("20261125T090000Z", "FREQ=WEEKLY", 105, "2028-11-22"),
        ("20300101T090000Z", "FREQ=MONTHLY", 25, "2032-01-01"),
        ("20261125T090000Z", "FREQ=YEARLY", 10, "2035-11-25"),
        ("20261125T090000Z", "FREQ=YEARLY;INTERVAL=4", 6, "2046-11-25"),
        ("20161125T090000Z", "FREQ=YEARLY", 13, "2028-11-25"),
    ],
)
def test_a_series_without_end_is_kept_for_two_years_and_ten_of_it(
    start: str, rule: str, count: int, last: str
) -> None:
    made = derive(calendar(f"DTSTART:{start}|RRULE:{rule}"), NOW)
    found = [f"{one['start_utc']:%Y-%m-%d}" for one in made.occurrences]
    assert (len(found), found[-1]) == (count, last)
    assert made.columns["expanded_until"] > made.occurrences[-1]["start_utc"]


def test_whole_days_by_the_hour_are_each_there_once() -> None:
    made = derive(calendar("DTSTART;VALUE=DATE:20270101|RRULE:FREQ=HOURLY;COUNT=50"), NOW)
    found = [one["recurrence_id"] for one in made.occurrences]
    assert found == ["2027-01-01", "2027-01-02", "2027-01-03"]


def test_what_comes_later_is_found_up_to_twenty_years_on() -> None:
    text = calendar("DTSTART:20261130T090000|RRULE:FREQ=WEEKLY|EXDATE:20311208T090000")
    until = derive(text, NOW).columns["expanded_until"]
    year = datetime(2031, 12, 1, tzinfo=UTC), datetime(2031, 12, 31, tzinfo=UTC)
    found = [one["recurrence_id"][:10] for one in later(text, max(until, year[0]), year[1], NOW)]
    assert found == ["2031-12-01", "2031-12-15", "2031-12-22", "2031-12-29"]
    far = later(text, until, datetime(2199, 1, 1, tzinfo=UTC), NOW)
    assert far[-1]["start_utc"].year == 2046


def test_a_series_that_ends_is_kept_whole() -> None:
    made = derive(calendar("DTSTART:20260101T090000Z|RRULE:FREQ=WEEKLY;COUNT=2000"), NOW)
    assert (len(made.occurrences), made.columns["expanded_until"]) == (2000, None)


# What is refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not calendar data"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR", "no appointment"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", "not calendar data"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR", "not calendar data"),
        (calendar("SUMMARY:A"), "no start"),
        (calendar("DTSTART:soon"), "date that cannot be read: soon"),
        (calendar("DTSTART:20270230T090000"), "date that cannot be read"),
        (calendar("DTSTART:20270101T090000|SUMMARY:A\0B"), "not calendar data"),
        (calendar("DTSTART:20270101T090000|SUMMARY:\ud800"), "not calendar data"),
        (calendar("DTSTART:20270101T090000", "DTSTART:20270102T090000"), "more than one"),
        (calendar("DTSTART:20270101T090000").replace("UID:1", "UID:"), "UID must have"),
        (
            calendar(
                "DTSTART:20270101T090000|RRULE:FREQ=DAILY",
                "RECURRENCE-ID;RANGE=THISANDFUTURE:20270103T090000|DTSTART:20270103T100000",
            ),
            "all that follow it",
        ),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=DAILY|RRULE:FREQ=WEEKLY"), "than one rule"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=MINUTELY;COUNT=2"), "more often than hourly"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=DAILY;BYMINUTE=0,30"), "more often"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=SOMETIMES"), "rule of repetition"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=DAILY;INTERVAL=0"), "rule of repetition"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=DAILY;BYDAY=XX"), "rule of repetition"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=DAILY;COUNT=10001"), "10,000 times"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=DAILY;UNTIL=20990101"), "10,000 times"),
        (calendar("DTSTART:20270101T090000|RRULE:FREQ=HOURLY"), "2,000 times a year"),
        (calendar("DTSTART:20270101T090000|DESCRIPTION:" + "x" * 262_144), "256 KiB"),
        (calendar("DTSTART;TZID=X:00010101T000000|DURATION:P1W"), ""),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_a_sentence(text: str, words: str) -> None:
    if not words:
        assert derive(text, NOW)
        return
    with pytest.raises(RefusedError, match=words):
        derive(text, NOW)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY;BYSETPOS=2;COUNT=3",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
    ],
)
async def test_a_rule_that_leads_nowhere_is_given_up(rule: str) -> None:
    """And its thread with it."""
    text = calendar(f"DTSTART:20270101T090000|RRULE:{rule}")
    begin = time.monotonic()
    with pytest.raises(RefusedError, match="takes too long"):
        await expanding.in_thread(lambda: derive(text, NOW), 0.2)
    assert time.monotonic() - begin < 2


# Texts as other programs write them


def test_a_character_that_is_folded_apart_comes_together() -> None:
    text = calendar("DTSTART:20270101T090000|SUMMARY:\U0001f600 ünd x").encode()
    at = text.index("\U0001f600".encode()) + 2
    for fold in (b"\r\n ", b"\n\t"):
        whole = decoded(b"\xef\xbb\xbf" + text[:at] + fold + text[at:])
        assert derive(whole, NOW).columns["title"] == "\U0001f600 ünd x"


def test_columns_hold_what_the_text_says() -> None:
    more = "LOCATION:Main St\\, 5|DESCRIPTION:a\\nb\\;c\\\\n|STATUS:Cancelled|TRANSP:TRANSPARENT"
    stamps = "CREATED:20260101T000000Z|DTSTAMP:20260102T000000Z|LAST-MODIFIED:20260103T000000Z"
    columns = derive(calendar(f"DTSTART:20270101T090000|SUMMARY:Zoë|{more}|{stamps}"), NOW).columns
    assert (columns["title"], columns["location"]) == ("Zoë", "Main St, 5")
    assert columns["description"] == "a\nb;c\\n"
    assert columns["search"] == "zoe\nmain st, 5\na\nb;c\\n"
    assert (columns["status"], columns["transparent"]) == ("CANCELLED", True)
    assert (columns["created_at"].day, columns["modified_at"].day) == (1, 3)


FOREIGN = (
    'DTSTART;TZID=Europe/Berlin:20270101T090015|DURATION:PT1H|X-OWN;A="b:c":kept|SUMMARY:A'
    "|BEGIN:VALARM|TRIGGER:-PT5M|SUMMARY:Alarm|END:VALARM|ATTENDEE:mailto:x@example.org"
)


def facts(text: str) -> Facts:
    columns: Any = derive(text, NOW).columns
    columns["reminders"] = tuple(columns["reminders"])
    names = [name for name in Facts.__dataclass_fields__ if name != "reminder_hour"]
    return Facts(**{name: columns[name] for name in names})


def test_a_change_touches_only_what_it_is_about() -> None:
    text = calendar(FOREIGN)
    shown = facts(text)
    new = patched(text, shown, Facts(**{**vars(shown), "title": "B, c"}), NOW)
    lines = set(new.splitlines())
    assert {"SUMMARY:B\\, c", 'X-OWN;A="b:c":kept', "DURATION:PT1H", "SUMMARY:Alarm"} <= lines
    assert "DTSTART;TZID=Europe/Berlin:20270101T090015" in lines
    assert "LAST-MODIFIED:20261125T000000Z" in lines
    assert not any(line.startswith("SEQUENCE") for line in lines)
    moved = {"start": shown.start + timedelta(days=1), "end": shown.end + timedelta(days=1)}
    new = patched(text, shown, Facts(**{**vars(shown), **moved}), NOW)
    assert {"DTSTART;TZID=Europe/Berlin:20270102T090015", "DURATION:PT1H", "SEQUENCE:1"} <= set(
        new.splitlines()
    )
    new = patched(text, shown, Facts(**{**vars(shown), "end": shown.end + timedelta(hours=1)}), NOW)
    assert "DTEND;TZID=Europe/Berlin:20270101T110015" in new
    assert "DURATION" not in new
    assert patched(text, shown, shown, NOW) == text


# Whatever it is


walls = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(
    lambda wall: wall.replace(microsecond=0)
)
zones = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "UTC", None]
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=120)


@given(walls, st.timedeltas(timedelta(seconds=1), timedelta(days=400)), zones, texts, texts)
def test_what_is_written_is_what_is_read(
    start: datetime, length: timedelta, zone: str | None, title: str, description: str
) -> None:
    """And derived again from that it is the same once more."""
    length -= timedelta(microseconds=length.microseconds)
    meant = Facts(title, start, start + length, False, zone, "", f"{description}\n\\n;,")
    text = new_text(meant, NOW)
    assert facts(text) == meant
    assert written(read(text)) == text
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert derive(text, NOW) == derive(derive(text, NOW).ics, NOW)


@given(
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 4),
    st.dates(date(2000, 1, 1), date(2040, 1, 1)),
    st.integers(1, 40),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"]),
    st.integers(0, 23),
)
def test_a_rule_gives_what_counting_gives(
    freq: str, every: int, first: date, count: int, zone: str, hour: int
) -> None:
    """Day after day is looked at, whether it is on the rule."""
    expected: list[str] = []
    day = first
    while len(expected) < count and day.year < 2400:
        if is_on(freq, every, first, day):
            wall = datetime(day.year, day.month, day.day, hour, 30, tzinfo=ZoneInfo(zone))
            expected.append(f"{wall.astimezone(UTC):%Y-%m-%dT%H:%M}")
        day += timedelta(days=1)
    rule = f"RRULE:FREQ={freq};INTERVAL={every};COUNT={count}"
    begin = f"{first:%Y%m%d}T{hour:02}3000"
    assert starts(calendar(f"DTSTART;TZID={zone}:{begin}|{rule}")) == expected[: len(expected)]


def is_on(freq: str, every: int, first: date, day: date) -> bool:
    months = (day.year - first.year) * 12 + day.month - first.month
    return {
        "DAILY": (day - first).days % every == 0,
        "WEEKLY": (day - first).days % (7 * every) == 0,
        "MONTHLY": months % every == 0 and day.day == first.day,
        "YEARLY": (day.month, day.day) == (first.month, first.day)
        and (day.year - first.year) % every == 0,
    }[freq]


@given(st.text(max_size=300))
def test_a_long_line_is_folded_and_comes_together_again(line: str) -> None:
    line = re.sub(r"[\r\n]", "", line.encode("utf-8", "ignore").decode())
    pieces = folded(line).split("\r\n")
    assert all(len(piece.encode()) <= 75 for piece in pieces)
    assert "".join([pieces[0], *(piece[1:] for piece in pieces[1:])]) == line


def test_the_limits_are_those_that_are_written_down() -> None:
    assert (module.MOST_OCCURRENCES, module.MOST_A_YEAR, module.MOST_TEXT) == (10_000, 2000, 2**18)
