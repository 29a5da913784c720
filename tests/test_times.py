"""Wall-clock times and instants, at every kind of edge that clocks have."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sched_async.times import (
    SkippedTimeError,
    day_start,
    find_zone,
    now,
    to_utc,
    to_wall,
    zone_names,
)

# The zone, a time that is skipped, the last minute before it and the first after.
GAPS = [
    ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:59", "2026-03-29T03:00"),
    ("America/New_York", "2026-03-08T02:00", "2026-03-08T01:59", "2026-03-08T03:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T01:59", "2026-10-04T02:30"),
    ("Australia/Sydney", "2026-10-04T02:59", "2026-10-04T01:59", "2026-10-04T03:00"),
    ("America/Santiago", "2026-09-06T00:30", "2026-09-05T23:59", "2026-09-06T01:00"),
    ("Pacific/Apia", "2011-12-30T12:00", "2011-12-29T23:59", "2011-12-31T00:00"),
]

# The zone, a time that happens twice, and the first of its instants; how long after it
# the second comes, in minutes.
OVERLAPS = [
    ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30", 60),
    ("America/New_York", "2026-11-01T01:00", "2026-11-01T05:00", 60),
    ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45", 30),
    ("Australia/Sydney", "2026-04-05T02:30", "2026-04-04T15:30", 60),
    ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30", 60),
]

# The zone, the last minute and the first minute on either side of a gap.
EDGES = [(zone, before, after) for zone, _, before, after in GAPS]


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_now_is_an_instant_in_utc() -> None:
    assert now().tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Berlin", "2026-01-15T09:30", "2026-01-15T08:30"),
        ("Europe/Berlin", "2026-07-15T09:30", "2026-07-15T07:30"),
        ("America/New_York", "2026-07-15T21:30", "2026-07-16T01:30"),
        ("Australia/Lord_Howe", "2026-07-15T09:30", "2026-07-14T23:00"),
        ("Asia/Kathmandu", "2026-07-15T05:00", "2026-07-14T23:15"),
        ("UTC", "2026-07-15T09:30", "2026-07-15T09:30"),
    ],
)
def test_an_ordinary_time_is_one_instant_and_comes_back(zone: str, at: str, expected: str) -> None:
    assert to_utc(wall(at), zone) == instant(expected)
    assert to_utc(wall(at), zone).tzinfo is UTC
    assert to_wall(instant(expected), zone) == wall(at)
    assert to_wall(instant(expected), zone).tzinfo is None


@pytest.mark.parametrize(("zone", "at", "before", "after"), GAPS)
def test_a_time_that_is_skipped_is_refused_with_the_nearest_that_exist(
    zone: str, at: str, before: str, after: str
) -> None:
    with pytest.raises(SkippedTimeError) as skipped:
        to_utc(wall(at), zone)
    assert skipped.value.before == wall(before)
    assert skipped.value.after == wall(after)
    assert isinstance(skipped.value, ValueError)


def test_seconds_play_no_part_in_the_nearest_times() -> None:
    with pytest.raises(SkippedTimeError) as skipped:
        to_utc(wall("2026-03-29T02:30:59"), "Europe/Berlin")
    assert skipped.value.before == wall("2026-03-29T01:59")
    assert skipped.value.after == wall("2026-03-29T03:00")


@pytest.mark.parametrize(("zone", "before", "after"), EDGES)
def test_the_minutes_on_both_sides_of_a_gap_are_neighbours(
    zone: str, before: str, after: str
) -> None:
    last, first = to_utc(wall(before), zone), to_utc(wall(after), zone)
    assert first - last == timedelta(minutes=1)
    assert to_wall(last, zone) == wall(before)
    assert to_wall(first, zone) == wall(after)


@pytest.mark.parametrize(("zone", "before", "after"), EDGES)
def test_every_minute_of_a_gap_is_refused(zone: str, before: str, after: str) -> None:
    """Each quarter of an hour stands for its neighbours; the last minute counts alone."""
    skipped = [wall(after) - timedelta(minutes=1)]
    moment = wall(before) + timedelta(minutes=1)
    while moment < wall(after):
        skipped.append(moment)
        moment += timedelta(minutes=15)
    for moment in skipped:
        with pytest.raises(SkippedTimeError):
            to_utc(moment, zone)


@pytest.mark.parametrize(("zone", "at", "first", "minutes"), OVERLAPS)
def test_of_a_time_that_happens_twice_it_is_the_first(
    zone: str, at: str, first: str, minutes: int
) -> None:
    assert to_utc(wall(at), zone) == instant(first)
    assert to_utc(wall(at).replace(fold=1), zone) == instant(first)


@pytest.mark.parametrize(("zone", "at", "first", "minutes"), OVERLAPS)
def test_the_clocks_show_it_twice(zone: str, at: str, first: str, minutes: int) -> None:
    second = instant(first) + timedelta(minutes=minutes)
    for moment in (instant(first), second):
        shown = to_wall(moment, zone)
        assert (shown, shown.fold) == (wall(at), 0)
    for moment in (instant(first) - timedelta(minutes=1), second + timedelta(minutes=1)):
        assert to_wall(moment, zone) != wall(at)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Berlin", "2026-11-24", "2026-11-23T23:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00"),
        ("America/New_York", "2026-07-15", "2026-07-15T04:00"),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
        # Midnight is skipped: the day begins at one o'clock.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00"),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00"),
        # Midnight happens twice: the day begins with the first.
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),
    ],
)
def test_a_day_begins_when_its_zones_clocks_say_so(zone: str, day: str, expected: str) -> None:
    start = day_start(date.fromisoformat(day), zone)
    assert start == instant(expected)
    assert start.tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [
        ("America/Sao_Paulo", "2018-11-04", 1),
        ("Asia/Beirut", "2026-03-29", 1),
        ("America/Santiago", "2026-09-06", 1),
        ("Europe/Berlin", "2026-11-24", 0),
    ],
)
def test_the_start_of_a_day_is_its_first_minute(zone: str, day: str, hour: int) -> None:
    start = day_start(date.fromisoformat(day), zone)
    midnight = wall(day)
    assert to_wall(start, zone) == midnight.replace(hour=hour)
    assert to_wall(start - timedelta(minutes=1), zone) == midnight - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("EUROPE/BERLIN", "Europe/Berlin"),
        ("  Europe/Berlin\n", "Europe/Berlin"),
        ("america/argentina/comodrivadavia", "America/Argentina/ComodRivadavia"),
        ("utc", "UTC"),
        ("cet", "CET"),
        ("australia/lord_howe", "Australia/Lord_Howe"),
    ],
)
def test_a_zone_is_found_however_its_letters_are_capitalised(typed: str, name: str) -> None:
    assert find_zone(typed) == name


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe/../Europe/Berlin",
        "Europe",
        "Europe/",
        "Europe/Berlin\0",
        "Europe/Atlantis",
        "localtime",
        "posixrules",
        "Factory",
        "tzdata.zi",
        "a" * 200,
        "Europe/" * 30,
    ],
)
def test_what_is_no_zone_is_not_found(typed: str) -> None:
    assert find_zone(typed) is None


def test_every_zone_that_is_offered_can_be_loaded_and_found() -> None:
    names = zone_names()
    assert names[0] == "UTC"
    assert list(names[1:]) == sorted(set(names[1:]))
    assert len(names) > 300
    for name in names:
        assert ZoneInfo(name).utcoffset(datetime(2026, 1, 1)) is not None
        assert find_zone(name) == name
        assert len(name) <= 64, "the column holds it"
