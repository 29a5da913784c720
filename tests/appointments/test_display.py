"""How an appointment reads in the zone of its viewer."""

# ruff: noqa: RUF001 (a dash between times)

from datetime import date, datetime

import pytest

from sched_async.appointments.display import Item, heading, span
from sched_async.human_dates import long_date, short_date

from . import happening, timed, whole_days

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-11-24", "Today"),
        ("2026-11-25", "Tomorrow"),
        ("2026-11-23", "Monday, 23 November"),
        ("2026-11-26", "Thursday, 26 November"),
        ("2026-12-01", "Tuesday, 1 December"),
        ("2026-01-01", "Thursday, 1 January"),
        ("2025-11-24", "Monday, 24 November 2025"),
        ("2027-01-01", "Friday, 1 January 2027"),
    ],
)
def test_a_day_is_called_by_its_nearness_or_by_its_date(day: str, expected: str) -> None:
    assert heading(date.fromisoformat(day), TODAY) == expected


def test_tomorrow_is_tomorrow_in_another_year_too() -> None:
    assert heading(date(2027, 1, 1), date(2026, 12, 31)) == "Tomorrow"


def test_dates_are_written_without_leading_zeros() -> None:
    assert short_date(date(2026, 5, 6)) == "Wed 6 May"
    assert long_date(date(2026, 5, 6)) == "Wednesday, 6 May 2026"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-24T09:05", "2026-11-24T17:30", "09:05 – 17:30"),
        ("2026-11-24T00:00", "2026-11-24T23:59", "00:00 – 23:59"),
        ("2026-11-24T23:00", "2026-11-25T00:00", "23:00 – Wed 25 November, 00:00"),
        ("2026-12-31T22:00", "2027-01-01T06:00", "22:00 – Fri 1 January, 06:00"),
    ],
)
def test_a_span_names_the_last_day_when_it_is_another(start: str, end: str, expected: str) -> None:
    assert span(datetime.fromisoformat(start), datetime.fromisoformat(end)) == expected


def test_an_item_holds_its_times_by_the_viewers_clocks() -> None:
    item = Item(
        happening(timed("Call", "2026-11-24T20:00", zone="America/New_York")), "Europe/Berlin"
    )
    assert item.first_day == date(2026, 11, 25)
    assert item.day == "Wednesday, 25 November 2026"
    assert (item.start, item.end) == ("2026-11-25T02:00", "2026-11-25T03:00")
    assert item.time == "02:00 – 03:00"
    assert item.duration_seconds == 3600


@pytest.mark.parametrize(
    ("first", "last", "time"),
    [
        ("2026-11-24", "2026-11-24", "All day"),
        ("2026-11-24", "2026-11-25", "All day until Wed 25 November"),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_whole_days_read_alike_in_every_zone(first: str, last: str, time: str, zone: str) -> None:
    item = Item(happening(whole_days("Fair", first, last)), zone)
    assert (item.start, item.end) == (first, last)
    assert item.first_day == date(2026, 11, 24)
    assert item.time == time
    assert item.elsewhere is None


@pytest.mark.parametrize(
    ("viewer", "zone", "start", "time", "elsewhere"),
    [
        ("Europe/Berlin", "Europe/Berlin", "2026-11-24T09:00", "09:00 – 10:00", None),
        ("Europe/Berlin", "Europe/Rome", "2026-11-24T09:00", "09:00 – 10:00", None),
        # Reykjavík keeps one time all year, London does not: alike in winter only.
        ("Europe/London", "Atlantic/Reykjavik", "2026-11-24T09:00", "09:00 – 10:00", None),
        (
            "Europe/London",
            "Atlantic/Reykjavik",
            "2026-07-24T09:00",
            "10:00 – 11:00",
            "09:00 – 10:00 in Atlantic/Reykjavik",
        ),
        (
            "Asia/Kathmandu",
            "UTC",
            "2026-11-24T20:00",
            "01:45 – 02:45",
            "Tue 24 November, 20:00 – 21:00 in UTC",
        ),
        (
            "Pacific/Pago_Pago",
            "Pacific/Kiritimati",
            "2026-11-24T12:00",
            "11:00 – 12:00",
            "Tue 24 November, 12:00 – 13:00 in Pacific/Kiritimati",
        ),
    ],
)
def test_the_other_zone_is_named_when_its_clocks_show_another_time(
    viewer: str, zone: str, start: str, time: str, elsewhere: str | None
) -> None:
    item = Item(happening(timed("Call", start, zone=zone)), viewer)
    assert (item.time, item.elsewhere) == (time, elsewhere)


@pytest.mark.parametrize(
    ("zone", "start", "end", "time", "hours"),
    [
        ("Europe/Berlin", "2027-03-28T01:30", "2027-03-28T03:30", "01:30 – 03:30", 1),
        ("Europe/Berlin", "2026-10-25T01:30", "2026-10-25T03:30", "01:30 – 03:30", 3),
        ("Australia/Lord_Howe", "2026-10-04T01:30", "2026-10-04T02:30", "01:30 – 02:30", 0.5),
        ("Australia/Sydney", "2026-04-05T01:30", "2026-04-05T03:30", "01:30 – 03:30", 3),
    ],
)
def test_across_a_change_of_the_clocks_the_duration_is_the_time_that_passes(
    zone: str, start: str, end: str, time: str, hours: float
) -> None:
    item = Item(happening(timed("Night", start, end, zone)), zone)
    assert (item.time, item.duration_seconds) == (time, hours * 3600)
    assert item.elsewhere is None


def test_what_began_before_the_day_it_stands_under_says_its_own_day() -> None:
    night = Item(happening(timed("Night", "2026-11-25T23:00", "2026-11-26T22:50")), "Europe/Berlin")
    assert night.time_under(date(2026, 11, 25)) == "23:00 – Thu 26 November, 22:50"
    later = "Wed 25 November, 23:00 – Thu 26 November, 22:50"
    assert night.time_under(date(2026, 11, 26)) == later
    fair = Item(happening(whole_days("Fair", "2026-11-23", "2026-11-26")), "Europe/Berlin")
    later = "All day from Mon 23 November until Thu 26 November"
    assert fair.time_under(date(2026, 11, 24)) == later


@pytest.mark.parametrize(
    ("start", "end", "twice"),
    [
        ("2027-10-31T02:30", "2027-10-31T03:30", ["02:30"]),
        ("2027-10-31T01:30", "2027-10-31T02:00", ["02:00"]),
        ("2027-10-31T01:30", "2027-10-31T03:00", []),
        ("2027-03-28T01:30", "2027-03-28T03:30", []),
    ],
)
def test_a_time_that_happens_twice_is_named(start: str, end: str, twice: list[str]) -> None:
    assert Item(happening(timed("Late", start, end)), "UTC").ambiguous == twice
