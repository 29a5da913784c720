"""The days that a view shows, and what its address calls them."""

from datetime import date

import pytest

from sched_async.appointments.views.periods import (
    DASH,
    NoDateError,
    neighbours,
    parsed,
    period,
    title,
)

MONDAY, SATURDAY, SUNDAY = 1, 6, 7

SHOWN = [
    ("month", "2026-11", MONDAY, date(2026, 10, 26), date(2026, 12, 6), "November 2026"),
    ("month", "2026-11", SUNDAY, date(2026, 11, 1), date(2026, 12, 5), "November 2026"),
    ("month", "2026-02", SUNDAY, date(2026, 2, 1), date(2026, 2, 28), "February 2026"),
    (
        "week",
        "2026-W48",
        MONDAY,
        date(2026, 11, 23),
        date(2026, 11, 29),
        f"23 {DASH} 29 November 2026",
    ),
    # From the person's first day on, with the Monday of that week in it.
    (
        "week",
        "2026-W48",
        SUNDAY,
        date(2026, 11, 22),
        date(2026, 11, 28),
        f"22 {DASH} 28 November 2026",
    ),
    ("week", "2026-W49", SATURDAY, date(2026, 11, 28), date(2026, 12, 4), None),
    ("week", "2026-W53", MONDAY, date(2026, 12, 28), date(2027, 1, 3), None),
    ("week", "2027-W01", SUNDAY, date(2027, 1, 3), date(2027, 1, 9), None),
    ("day", "2026-11-25", MONDAY, *(date(2026, 11, 25),) * 2, "Wednesday, 25 November 2026"),
    ("agenda", "2026-12-20", MONDAY, date(2026, 12, 20), date(2027, 1, 16), None),
]


@pytest.mark.parametrize(("view", "key", "week_start", "first", "last", "heading"), SHOWN)
def test_an_address_names_days(
    view: str, key: str, week_start: int, first: date, last: date, heading: str | None
) -> None:
    shown = parsed(view, key, week_start)
    assert (shown.first, shown.last) == (first, last)
    assert heading is None or title(shown) == heading
    for day in (one for one in shown.days if shown.holds(one)):
        if view in ("month", "week"):
            assert period(view, day, week_start) == shown


NO_DATES = [
    (
        "month",
        "2026-13",
        "2026-00",
        "2026-1",
        "2026-11-01",
        "1899-12",
        "2200-01",
        "\u0662026-11",
        "",
    ),
    ("week", "2026-W54", "2025-W53", "2026-W00", "2026-48", "2026-w48", "1899-W01"),
    (
        "day",
        "2026-02-29",
        "2026-11-31",
        "2026-1-1",
        "20261125",
        "today",
        "1899-12-31",
        "9999-12-31",
    ),
    ("agenda", "2026-02-30", "2200-01-01", "2026-W48"),
]


@pytest.mark.parametrize(("view", "keys"), [(view, keys) for view, *keys in NO_DATES])
def test_what_is_no_date_names_none(view: str, keys: list[str]) -> None:
    for key in keys:
        with pytest.raises(NoDateError):
            parsed(view, key, MONDAY)


@pytest.mark.parametrize("week_start", [MONDAY, SATURDAY, SUNDAY])
@pytest.mark.parametrize("view", ["month", "week", "day", "agenda"])
def test_from_each_one_goes_to_the_next_and_back_without_a_gap(view: str, week_start: int) -> None:
    shown = period(view, date(2026, 10, 20), week_start)
    for _ in range(30):
        _, after = neighbours(shown, week_start)
        assert after is not None
        before, _ = neighbours(after, week_start)
        assert before == shown
        if view != "month":
            assert (after.first - shown.last).days == 1
        shown = after


def test_the_years_that_are_shown_have_ends() -> None:
    first, last = parsed("month", "1900-01", MONDAY), parsed("month", "2199-12", MONDAY)
    assert neighbours(first, MONDAY)[0] is None
    assert neighbours(last, MONDAY)[1] is None
    assert parsed("day", "2199-12-31", MONDAY).last == date(2199, 12, 31)
