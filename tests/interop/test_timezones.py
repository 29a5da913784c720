"""The zones' rules in an export, read as RFC 5545 says, are those of the zone data."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from sched_async.ics.ics_text import UTC_NAMES
from sched_async.interop import ics, timezones
from sched_async.times import zone_names

FIRST, LAST = date(2000, 1, 1), date(2040, 1, 1)
# Other steps than those by which changes are found; no clocks have stayed less since 2000.
DAYS = timedelta(days=13, hours=7)
SECOND = timedelta(seconds=1)
Onsets = list[tuple[datetime, timedelta]]


def read(text: str, zone: str) -> Onsets:
    """The onsets of a zone's observances in UTC, and the offset from then on."""
    (found,) = [part for part in Calendar.from_ical(text).walk("VTIMEZONE") if part["TZID"] == zone]
    parts: Any = found.subcomponents
    onsets = []
    for part in parts:
        rdates = part.get("RDATE", [])
        lists = rdates if isinstance(rdates, list) else [rdates]
        local = [part["DTSTART"].dt, *(day.dt for one in lists for day in one.dts)]
        onsets += [(at - part["TZOFFSETFROM"].td, part["TZOFFSETTO"].td) for at in local]
    return sorted((at.replace(tzinfo=UTC), offset) for at, offset in onsets)


def offsets(at: Sequence[datetime], onsets: Onsets) -> list[timedelta]:
    """Which offset holds at each of some instants, in order."""
    first = [bisect_left(at, onset) for onset, _ in onsets]
    spans = zip(onsets, first, [*first[1:], len(at)], strict=True)
    return [offset for (_, offset), begin, end in spans for _ in range(begin, end)]


def tzdata(zone: str) -> bytes:
    return files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()


def written(zone: str, first: date = FIRST, last: date = LAST) -> str:
    block: bytes = timezones.timezone(zone, first, last).to_ical()
    return (ics.head() + block + ics.TAIL).decode()


def test_every_offered_zone_is_written_as_the_zone_data_have_it() -> None:
    """Changes are looked for here in steps of days; each is right to the second."""
    begin, end = (datetime(day.year, 1, 1, tzinfo=UTC) for day in (FIRST, LAST))
    days = [begin + number * DAYS for number in range((end - begin) // DAYS)]
    rules = {tzdata(zone): zone for zone in zone_names()}  # many have the same under other names
    for zone in rules.values():
        if zone not in UTC_NAMES:
            place, onsets = ZoneInfo(zone), read(written(zone), zone)
            edges = [at for onset, _ in onsets[1:] for at in (onset - SECOND, onset)]
            for instants in (days, edges):
                kept = [instant.astimezone(place).utcoffset() for instant in instants]
                assert offsets(instants, onsets) == kept, zone


@pytest.mark.parametrize(
    ("zone", "lines"),
    [
        # By the clocks from before, as RFC 5545 has its own example.
        ("Europe/Berlin", ["DTSTART:20270328T020000", "DTSTART:20271031T030000"]),
        ("America/New_York", ["DTSTART:20270314T020000", "DTSTART:20271107T020000"]),
        ("Australia/Lord_Howe", ["DTSTART:20270404T020000", "DTSTART:20271003T020000"]),
        ("Africa/Casablanca", ["DTSTART:20270207T030000", "DTSTART:20270314T020000"]),
    ],
)
def test_an_onset_is_written_by_the_clocks_from_before(zone: str, lines: list[str]) -> None:
    found = timezone_lines(zone, date(2027, 1, 1), date(2028, 1, 1))
    assert [line for line in found if line.startswith("DTSTART")][1:] == lines


def timezone_lines(zone: str, first: date, last: date) -> list[str]:
    text: bytes = timezones.timezone(zone, first, last).to_ical()
    return text.decode().split("\r\n")
