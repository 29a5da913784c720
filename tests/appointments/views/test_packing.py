"""Lanes and columns, case by case and against what must always be so."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sched_async.appointments.views import packing
from sched_async.appointments.views.packing import MOST_COLUMNS, STEPS, Packed

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Some:
    """Days of a week by number (0 is its first), and hours where it is no bar."""

    title: str
    first: int
    last: int
    hour: int | None = None

    @property
    def is_bar(self) -> bool:
        return self.hour is None

    @property
    def first_day(self) -> date:
        return MONDAY + self.first * DAY

    @property
    def last_day(self) -> date:
        return MONDAY + self.last * DAY

    @property
    def begins_at(self) -> datetime:
        return datetime.combine(self.first_day, datetime.min.time()) + timedelta(
            hours=self.hour or 0
        )

    @property
    def ends_at(self) -> datetime:
        return self.begins_at + timedelta(hours=1)


def lanes(packed: Packed) -> dict[str, int]:
    return {one.entry.title: one.lane for one in packed.placed}


def test_bars_take_the_first_lane_that_is_free_on_all_their_days_and_times_fill_what_is_left() -> (
    None
):
    week = [
        Some("trip", 0, 6),
        Some("fair", 1, 2),
        Some("camp", 3, 5),
        Some("party", 2, 3),
        Some("early", 0, 0, 7),
        Some("late", 2, 2, 20),
        Some("noon", 2, 2, 12),
    ]
    assert lanes(packing.week(week, MONDAY)) == {
        "trip": 0,
        "fair": 1,
        "party": 2,
        "camp": 1,
        "early": 1,
        "noon": 3,
        "late": 4,
    }


def test_a_bar_is_cut_where_its_week_ends() -> None:
    (one,) = packing.week([Some("long", -3, 9)], MONDAY).placed
    assert (one.column, one.span, one.is_cut_before, one.is_cut_after) == (0, 7, True, True)
    (one,) = packing.week([Some("two", 5, 6)], MONDAY).placed
    assert (one.column, one.span, one.is_cut_before, one.is_cut_after) == (5, 2, False, False)


def test_where_more_is_needed_than_fits_the_last_lane_says_how_many_are_not_shown() -> None:
    full = [Some(f"{hour}", 0, 0, hour) for hour in range(9, 14)]  # five on Monday
    packed = packing.week(full, MONDAY)
    more = {step: packed.hidden(step, 0) for step in STEPS}
    assert more == {2: 4, 3: 3, 4: 2, 5: 0, 6: 0, 8: 0, 16: 0}
    assert [one.hidden_at for one in packed.placed] == [[], [2], [2, 3], [2, 3, 4], [2, 3, 4]]


def test_a_bar_that_makes_room_on_one_of_its_days_does_so_on_all_and_all_say_so() -> None:
    week = [Some("a", 0, 1), Some("b", 0, 1), Some("9", 0, 0, 9), Some("10", 0, 0, 10)]
    packed = packing.week(week, MONDAY)
    assert [packed.hidden(2, day) for day in (0, 1)] == [3, 1]
    assert next(one for one in packed.placed if one.entry.title == "b").hidden_at == [2]


ENTRIES = st.lists(
    st.builds(
        lambda title, first, length, hour: Some(
            str(title), first, first if hour is not None else first + length, hour
        ),
        st.integers(0, 99),
        st.integers(0, 6),
        st.integers(0, 6),
        st.none() | st.integers(0, 22),
    ),
    max_size=20,
)


@given(ENTRIES)
def test_in_a_week_no_two_share_a_place_and_what_is_not_shown_is_counted(week: list[Some]) -> None:
    packed = packing.week(week, MONDAY)
    places = [(at, one.lane) for one in packed.placed for at in one.columns]
    assert len(places) == len(set(places)), "two in one place"
    for step in STEPS:
        for day in range(7):
            here = [one for one in packed.placed if day in one.columns]
            hidden = [one for one in here if step in one.hidden_at]
            shown = [one.lane for one in here if step not in one.hidden_at]
            assert packed.hidden(step, day) == len(hidden)
            assert max(shown, default=0) < step - bool(hidden), "the sentence has its own lane"


@dataclass(frozen=True)
class Piece:
    title: str
    begins: int
    ends: int


def at(title: str, begins: str, ends: str) -> Piece:
    first, last = (int(text[:2]) * 60 + int(text[3:]) for text in (begins, ends))
    return Piece(title, first, last)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([at("a", "09:00", "10:00")], {"a": (0, 1, 1)}),
        ([at("a", "09:00", "10:00"), at("b", "10:00", "11:00")], {"a": (0, 1, 1), "b": (0, 1, 1)}),
        ([at("a", "09:00", "10:00"), at("b", "09:15", "10:00")], {"a": (0, 1, 2), "b": (1, 1, 2)}),
        # What begins half an hour later lies on top.
        ([at("a", "09:00", "11:00"), at("b", "09:30", "10:30")], {"a": (0, 2, 2), "b": (1, 1, 2)}),
        # Ten minutes are drawn as half an hour.
        ([at("a", "09:00", "09:10"), at("b", "09:20", "10:00")], {"a": (0, 1, 2), "b": (1, 1, 2)}),
        (
            [at("a", "09:00", "12:00"), at("b", "09:00", "10:00"), at("c", "10:00", "11:00")],
            {"a": (0, 1, 2), "b": (1, 1, 2), "c": (1, 1, 2)},
        ),
    ],
)
def test_those_that_overlap_stand_beside_each_other(
    pieces: list[Piece], expected: dict[str, tuple[int, int, int]]
) -> None:
    blocks, more = packing.day(pieces)
    assert {one.entry.title: (one.column, one.span, one.columns) for one in blocks} == expected
    assert more == []


def test_where_columns_are_too_few_the_last_says_how_many_are_not_shown() -> None:
    four = [at(name, "13:00", "14:00") for name in "abcd"]
    blocks, (more,) = packing.day(four, most=3)
    assert [(one.column, one.columns) for one in blocks] == [(0, 3), (1, 3)]
    assert (more.count, more.begins, more.ends) == (2, 13 * 60, 14 * 60)


PIECES = st.lists(
    st.builds(
        lambda title, begins, length: Piece(str(title), begins, begins + length),
        st.integers(0, 99),
        st.integers(0, 1400),
        st.integers(0, 300),
    ),
    max_size=20,
)


@given(PIECES, st.sampled_from([3, MOST_COLUMNS]))
def test_in_a_day_every_first_line_can_be_read(pieces: list[Piece], most: int) -> None:
    blocks, more = packing.day(pieces, most)
    assert len(blocks) + sum(one.count for one in more) == len(pieces)
    for one in blocks:
        assert one.column + one.span <= one.columns <= most
        for other in blocks:
            overlap = one.begins < other.ends and other.begins < one.ends
            if one is not other and overlap and abs(one.begins - other.begins) < packing.NEAR:
                apart = (
                    one.column + one.span <= other.column or other.column + other.span <= one.column
                )
                assert apart, "two first lines lie on each other"
