"""One of a series, this and following, or all: what becomes of its text."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sched_async.errors import RefusedError
from sched_async.ics.content_lines import read
from sched_async.ics.derive import derive
from sched_async.ics.ics_text import digits
from sched_async.ics.occasions import Occasions
from sched_async.ics.rules import NEVER, Repeat, repeat_of
from sched_async.ics.scopes import (
    Edit,
    delete_following,
    delete_one,
    edit_all,
    edit_following,
    edit_one,
)
from sched_async.ics.splitting import split

from .test_derive import calendar

NOW = datetime(2026, 11, 25, tzinfo=UTC)
BERLIN = "DTSTART;TZID=Europe/Berlin:{}|DTEND;TZID=Europe/Berlin:{}|SUMMARY:Choir|RRULE:{}"
# Mondays at 9 in Berlin, over the end of summer time.
MONDAYS = BERLIN.format("20261005T090000", "20261005T100000", "FREQ=WEEKLY;BYDAY=MO;COUNT=6")
DATES = ["10-05 09:00", "10-12 09:00", "10-19 09:00", "10-26 09:00", "11-02 09:00", "11-09 09:00"]
THIRD = "2026-10-19T09:00"
OVERRIDE = "RECURRENCE-ID;TZID=Europe/Berlin:{}|DTSTART;TZID=Europe/Berlin:{}|SUMMARY:{}"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def walls(*texts: str | None) -> list[str]:
    """When it begins by its own clocks, “10-05 09:00”."""
    found = []
    for text in texts:
        if text is None:
            continue
        clock = Occasions(text).series.clock
        for one in derive(text, NOW).occurrences:
            start = (
                one["start_utc"].replace(tzinfo=None)
                if one["floating"]
                else clock.wall(one["start_utc"])
            )
            found.append(f"{start:%m-%d}" if one["allday"] else f"{start:%m-%d %H:%M}")
    return sorted(found)


def titles(text: str) -> dict[str, str]:
    """What the occurrences are called, by their keys."""
    made = derive(text, NOW)
    usual = made.columns["title"]
    return {one["recurrence_id"]: one["title"] or usual for one in made.occurrences}


def edit(
    text: str,
    on: str = "",
    *,
    repeat: Repeat | None = None,
    later: timedelta | None = None,
    **wanted: Any,
) -> Edit:
    its = Occasions(text)
    shown = its.facts(on or its.series.key(its.start.wall))
    if later is not None:
        wanted |= {"start": shown.start + later, "end": shown.end + later}
    rule = its.master.first("RRULE")
    repeated = repeat_of(rule.value, its.start) if rule else NEVER
    return Edit(shown, replace(shown, **wanted), repeated, repeated if repeat is None else repeat)


def changed_all(text: str, on: str = "", **wanted: Any) -> str:
    return edit_all(text, on, edit(text, on, **wanted), NOW).text


def changed_following(text: str, on: str, **wanted: Any) -> tuple[str, str]:
    new = edit_following(text, on, edit(text, on, **wanted), NOW)
    assert new.following is not None
    return new.text, new.following


def changed_one(text: str, on: str, **wanted: Any) -> str:
    return edit_one(text, on, edit(text, on, **wanted), NOW)


def property_of(text: str, name: str) -> str:
    return read(text).parts("VEVENT")[0].text(name)


# One


def test_one_that_is_moved_is_an_override_and_the_others_stay() -> None:
    new = changed_one(calendar(MONDAYS), THIRD, later=2 * HOUR, title="Choir, late")
    assert walls(new) == [*DATES[:2], "10-19 11:00", *DATES[3:]]
    assert titles(new)[THIRD] == "Choir, late"
    assert set(titles(new).values()) == {"Choir", "Choir, late"}
    assert Occasions(new).facts(THIRD).start == datetime(2026, 10, 19, 11)


def test_one_that_was_changed_is_changed_further() -> None:
    once = changed_one(calendar(MONDAYS), THIRD, later=2 * HOUR)
    twice = changed_one(once, THIRD, later=HOUR, location="Hall")
    assert walls(twice)[2] == "10-19 12:00"
    assert len(Occasions(twice).series.changed) == 1


def test_one_whose_rule_was_changed_in_the_form_keeps_the_rule() -> None:
    text = calendar(MONDAYS)
    assert edit_one(text, THIRD, edit(text, THIRD, repeat=Repeat("daily")), NOW) == text


def test_an_override_keeps_alarms_and_foreign_properties() -> None:
    text = calendar(f"{MONDAYS}|X-HUE:7|BEGIN:VALARM|ACTION:AUDIO|TRIGGER:-PT5M|END:VALARM")
    new = changed_one(text, THIRD, title="Other")
    override = Occasions(new).series.changed[0]
    assert override.text("X-HUE") == "7"
    assert override.parts("VALARM")
    assert not override.first("RRULE")


def test_an_occurrence_that_takes_hours_across_a_change_of_clocks_shows_what_it_is() -> None:
    text = calendar(
        "DTSTART;TZID=Europe/Berlin:20261024T220000|DURATION:PT8H|RRULE:FREQ=DAILY;COUNT=2"
    )
    assert Occasions(text).facts("2026-10-24T22:00").end == datetime(2026, 10, 25, 5)


# This and following


def test_following_begins_a_series_of_its_own_that_names_the_first() -> None:
    text = calendar(MONDAYS)
    earlier, later = changed_following(text, THIRD, title="Chorus")
    assert walls(earlier) == DATES[:2]
    assert walls(later) == DATES[2:]
    assert property_of(earlier, "UID") == "1"
    assert property_of(later, "UID") != "1"
    assert property_of(later, "RELATED-TO") == "1"
    assert set(titles(earlier).values()) == {"Choir"}
    assert set(titles(later).values()) == {"Chorus"}
    assert "UNTIL=20261012T070000Z" in earlier  # in UTC, and still by summer time
    assert "COUNT=4" in later


def test_following_from_the_first_is_all() -> None:
    text = calendar(MONDAYS)
    first = "2026-10-05T09:00"
    new = edit_following(text, first, edit(text, first, title="Chorus"), NOW)
    assert new.following is None
    assert property_of(new.text, "UID") == "1"
    assert walls(new.text) == DATES
    assert delete_following(text, first, NOW) is None


def test_a_count_that_is_changed_counts_from_there() -> None:
    repeat = Repeat("weekly", days=("MO",), ends="after", count=2)
    earlier, later = changed_following(calendar(MONDAYS), THIRD, repeat=repeat)
    assert walls(earlier, later) == DATES[:4]


def test_what_is_left_out_added_or_changed_later_goes_along() -> None:
    text = calendar(
        f"{MONDAYS}|EXDATE;TZID=Europe/Berlin:20261012T090000,20261102T090000"
        "|RDATE;TZID=Europe/Berlin:20261006T090000,20261030T090000",
        OVERRIDE.format("20261026T090000", "20261027T100000", "Moved"),
    )
    earlier, later = changed_following(text, THIRD, location="Hall")
    assert walls(earlier) == ["10-05 09:00", "10-06 09:00"]
    assert walls(later) == ["10-19 09:00", "10-27 10:00", "10-30 09:00", "11-09 09:00"]
    assert "20261102" not in earlier
    assert "20261012" not in later
    assert titles(later)["2026-10-26T09:00"] == "Moved"


def test_following_can_move_to_another_day_and_time() -> None:
    earlier, later = changed_following(calendar(MONDAYS), THIRD, later=DAY + HOUR)
    assert walls(earlier) == DATES[:2]
    assert walls(later) == ["10-20 10:00", "10-27 10:00", "11-03 10:00", "11-10 10:00"]


def test_deleting_what_follows_leaves_what_was_before() -> None:
    assert walls(delete_following(calendar(MONDAYS), THIRD, NOW)) == DATES[:2]


# All


@pytest.mark.parametrize(
    ("rule", "start", "later", "expected"),
    [
        # The days that only say the start's own move along.
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "20261005", DAY, ["10-06 09:00", "10-13 09:00"]),
        ("FREQ=WEEKLY;COUNT=2", "20261005", DAY, ["10-06 09:00", "10-13 09:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=5;COUNT=2", "20261005", DAY, ["10-06 09:00", "11-06 09:00"]),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=2", "20261005", DAY, ["10-06 09:00", "11-03 09:00"]),
        ("FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=5;COUNT=1", "20261005", DAY, ["10-06 09:00"]),
        ("FREQ=DAILY;COUNT=2", "20261005", DAY, ["10-06 09:00", "10-07 09:00"]),
        # Whole weeks need no other days.
        ("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=2", "20261005", 7 * DAY, ["10-12 09:00", "10-15 09:00"]),
        # Another time on the same days, over the end of summer time.
        ("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3", "20261019", HOUR,
         ["10-19 10:00", "10-22 10:00", "10-26 10:00"]),
        # The end moves along.
        ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20261019T070000Z", "20261005", DAY,
         ["10-06 09:00", "10-13 09:00", "10-20 09:00"]),
        ("FREQ=DAILY;UNTIL=20261026T080000Z", "20261024", 3 * HOUR,
         ["10-24 12:00", "10-25 12:00", "10-26 12:00"]),
    ],
)  # fmt: skip
def test_all_move_by_what_the_shown_one_moved(
    rule: str, start: str, later: timedelta, expected: list[str]
) -> None:
    text = calendar(BERLIN.format(f"{start}T090000", f"{start}T100000", rule))
    assert walls(changed_all(text, later=later)) == expected


def test_all_move_by_the_difference_to_the_one_that_was_shown() -> None:
    new = changed_all(calendar(MONDAYS), THIRD, later=HOUR)
    assert walls(new) == [date.replace("09:00", "10:00") for date in DATES]


def test_days_that_the_rule_names_do_not_move_by_themselves() -> None:
    text = calendar(BERLIN.format("20261005T090000", "20261005T100000", "FREQ=WEEKLY;BYDAY=MO,TH"))
    with pytest.raises(RefusedError, match="Choose the new days") as refused:
        changed_all(text, later=DAY)
    assert refused.value.field == "days"


@pytest.mark.parametrize(
    ("start", "rule", "on"),
    [
        ("20260714", "FREQ=MONTHLY;BYDAY=2TU", "2026-11-10T09:00"),
        ("20260228", "FREQ=MONTHLY;COUNT=4", "2026-03-28T09:00"),
        ("20240228", "FREQ=YEARLY", "2025-02-28T09:00"),
    ],
)
def test_the_one_that_was_shown_never_lands_elsewhere(start: str, rule: str, on: str) -> None:
    text = calendar(BERLIN.format(f"{start}T090000", f"{start}T100000", rule))
    with pytest.raises(RefusedError) as refused:
        changed_all(text, on, later=DAY)
    assert refused.value.field == "days"


NOON = {"start": datetime(2026, 10, 19, 14), "end": datetime(2026, 10, 19, 15)}
ALL_DAY = {"start": datetime(2026, 10, 19), "end": datetime(2026, 10, 19), "allday": True,
           "timezone": None}  # fmt: skip
TIMED = {"allday": False, "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("override", "wanted", "expected"),
    [
        ("DTSTART;TZID=Europe/Berlin:20261019T110000", ALL_DAY, [date[:5] for date in DATES]),
        ("DTSTART;VALUE=DATE:20261019", NOON | TIMED,
         [date.replace("09:00", "14:00") for date in DATES]),
        ("DTSTART;TZID=America/New_York:20261019T030000",
         TIMED | {"start": datetime(2026, 10, 19, 9), "end": datetime(2026, 10, 19, 10)}, DATES),
    ],
)  # fmt: skip
def test_all_follow_one_of_another_kind_as_if_it_were_like_them(
    override: str, wanted: Any, expected: list[str]
) -> None:
    text = calendar(MONDAYS, f"RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000|{override}")
    assert walls(changed_all(text, THIRD, **wanted)) == expected


def test_one_in_another_zone_takes_on_that_of_all() -> None:
    text = calendar(
        "DTSTART;TZID=Asia/Tokyo:20261005T080000|RRULE:FREQ=DAILY;COUNT=2",
        "RECURRENCE-ID;TZID=Asia/Tokyo:20261006T080000|DTSTART;TZID=Europe/Paris:20261006T010000",
    )
    assert walls(changed_all(text, timezone="Asia/Seoul")) == ["10-05 08:00", "10-06 08:00"]


def test_a_series_that_ends_to_be_one_keeps_the_date_that_was_shown() -> None:
    assert walls(changed_all(calendar(MONDAYS), THIRD, repeat=NEVER)) == ["10-19 09:00"]


def test_a_split_in_the_hour_that_is_skipped_doubles_none() -> None:
    rule = "FREQ=HOURLY;COUNT=6"
    text = calendar(BERLIN.format("20260329T000000", "20260329T003000", rule))
    before = sorted(one["start_utc"] for one in derive(text, NOW).occurrences)
    parts = split(text, "2026-03-29T03:00", NOW)
    assert parts is not None
    both = [one["start_utc"] for part in parts for one in derive(part, NOW).occurrences]
    assert sorted(set(both)) == sorted(set(before))


def test_what_was_left_out_and_changed_moves_along() -> None:
    text = calendar(
        f"{MONDAYS}|EXDATE;TZID=Europe/Berlin:20261012T090000",
        OVERRIDE.format("20261026T090000", "20261027T113000", "By itself"),
        OVERRIDE.format("20261102T090000", "20261102T090000", "Other title"),
    )
    new = changed_all(text, later=HOUR)
    expected = ["10-05 10:00", "10-19 10:00", "10-27 11:30", "11-02 10:00", "11-09 10:00"]
    assert walls(new) == expected
    assert titles(new)["2026-11-02T10:00"] == "Other title"
    assert titles(new)["2026-10-26T10:00"] == "By itself"


def test_a_title_for_all_leaves_one_that_has_its_own() -> None:
    text = calendar(
        MONDAYS,
        OVERRIDE.format("20261026T090000", "20261026T090000", "Concert"),
        OVERRIDE.format("20261102T090000", "20261102T110000", "Choir"),
    )
    found = titles(changed_all(text, title="Chorus"))
    assert found["2026-10-26T09:00"] == "Concert"
    assert found["2026-11-02T09:00"] == "Chorus"
    assert found[THIRD] == "Chorus"


def test_overrides_that_meet_no_occurrence_any_more_go_and_are_counted() -> None:
    text = calendar(
        MONDAYS,
        OVERRIDE.format("20261026T090000", "20261027T100000", "Moved"),
        OVERRIDE.format("20261019T090000", "20261019T100000", "Moved too"),
    )
    repeat = Repeat("weekly", days=("MO",), ends="after", count=3)
    new = edit_all(text, "", edit(text, repeat=repeat), NOW)
    assert new.gone == 1
    assert walls(new.text) == ["10-05 09:00", "10-12 09:00", "10-19 10:00"]


def test_a_start_is_moved_onto_a_new_rule_and_said() -> None:
    text = calendar(MONDAYS)
    repeat = Repeat("weekly", days=("WE", "FR"), ends="after", count=3)
    new = edit_all(text, "", edit(text, repeat=repeat), NOW)
    assert new.begins == date(2026, 10, 7)
    assert walls(new.text) == ["10-07 09:00", "10-09 09:00", "10-14 09:00"]


def test_an_end_before_the_first_is_refused_at_its_field() -> None:
    text = calendar(MONDAYS)
    repeat = Repeat("weekly", days=("FR",), ends="on", until=date(2026, 10, 8))
    with pytest.raises(RefusedError) as refused:
        edit_all(text, "", edit(text, repeat=repeat), NOW)
    assert refused.value.field == "until"


def test_what_repeats_no_more_is_one() -> None:
    text = calendar(MONDAYS, OVERRIDE.format("20261026T090000", "20261027T100000", "Moved"))
    new = edit_all(text, "", edit(text, repeat=NEVER), NOW)
    assert walls(new.text) == ["10-05 09:00"]
    assert new.gone == 1
    assert derive(new.text, NOW).columns["rrule"] is None


def test_what_did_not_repeat_can() -> None:
    text = calendar(MONDAYS.partition("|RRULE")[0])
    new = changed_all(text, repeat=Repeat("weekly", 2, days=("MO",), ends="after", count=3))
    assert walls(new) == ["10-05 09:00", "10-19 09:00", "11-02 09:00"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"timezone": "America/New_York"}, DATES),
        ({"allday": True, "start": datetime(2026, 10, 5), "end": datetime(2026, 10, 5),
          "timezone": None}, [date[:5] for date in DATES]),
    ],
)  # fmt: skip
def test_another_zone_or_kind_is_taken_on_by_all(wanted: Any, expected: list[str]) -> None:
    text = calendar(
        f"{MONDAYS}|EXDATE;TZID=Europe/Berlin:20261012T090000",
        OVERRIDE.format("20261026T090000", "20261026T090000", "Concert"),
    )
    new = changed_all(text, **wanted)
    assert walls(new) == [expected[0], *expected[2:]]
    assert "Concert" in titles(new).values()


def test_a_bounded_series_in_another_zone_ends_with_the_same_one() -> None:
    rule = "FREQ=WEEKLY;UNTIL=20261019T070000Z"
    text = calendar(BERLIN.format("20261005T090000", "20261005T100000", rule))
    assert walls(changed_all(text, timezone="Asia/Tokyo")) == DATES[:3]


# Deleting


def test_one_that_is_deleted_is_left_out() -> None:
    new = delete_one(calendar(MONDAYS), THIRD, NOW)
    assert walls(new) == [*DATES[:2], *DATES[3:]]


def test_one_that_was_changed_is_deleted_with_what_it_stood_for() -> None:
    text = calendar(MONDAYS, OVERRIDE.format("20261019T090000", "20261020T090000", "Moved"))
    assert walls(delete_one(text, THIRD, NOW)) == [*DATES[:2], *DATES[3:]]


def test_after_the_last_nothing_is_left() -> None:
    text = calendar(BERLIN.format("20261005T090000", "20261005T100000", "FREQ=DAILY;COUNT=2"))
    one = delete_one(text, "2026-10-05T09:00", NOW)
    assert one is not None
    assert walls(one) == ["10-06 09:00"]
    assert delete_one(one, "2026-10-06T09:00", NOW) is None


# Rules at random

RULES = [
    "FREQ=DAILY;COUNT=9",
    "FREQ=DAILY;INTERVAL=3;UNTIL=20261130T080000Z",
    "FREQ=WEEKLY;BYDAY=MO,WE,SU;COUNT=12",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;COUNT=9",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU;COUNT=9",
    "FREQ=MONTHLY;COUNT=5",
    "FREQ=MONTHLY;BYDAY=2TU,-1FR;COUNT=7",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=8",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU;COUNT=6",
    "FREQ=DAILY;BYHOUR=2,9;COUNT=9",
    "FREQ=HOURLY;INTERVAL=5;COUNT=20",
]
SERIES = st.builds(
    lambda start, rule: BERLIN.format(digits(start), digits(start + HOUR), rule),
    st.datetimes(datetime(2026, 9, 1), datetime(2026, 11, 5)).map(
        lambda one: one.replace(minute=30 if one.minute > 30 else 0, second=0, microsecond=0)
    ),
    st.sampled_from(RULES),
)  # fmt: skip


@given(SERIES, st.data())
def test_a_split_series_has_the_same_occurrences_as_before(event: str, data: st.DataObject) -> None:
    text = calendar(event)
    before = sorted(one["start_utc"] for one in derive(text, NOW).occurrences)
    keys = [one["recurrence_id"] for one in derive(text, NOW).occurrences][:30]
    on = data.draw(st.sampled_from(keys))
    parts = split(text, on, NOW)
    if parts is None:
        assert on == keys[0]
        return
    both = [one["start_utc"] for part in parts for one in derive(part, NOW).occurrences]
    until = min(max(both), max(before))
    assert sorted(one for one in both if one <= until) == [one for one in before if one <= until]


@given(SERIES, st.data())
def test_another_title_changes_no_occurrence(event: str, data: st.DataObject) -> None:
    text = calendar(event)
    before = derive(text, NOW).occurrences
    on = data.draw(st.sampled_from([one["recurrence_id"] for one in before][:30]))
    assert derive(changed_all(text, on, title="Other"), NOW).occurrences == before
    assert walls(changed_one(text, on, title="Other")) == walls(text)
    rest = delete_one(text, on, NOW)
    left = derive(rest, NOW).occurrences if rest else []
    assert [one["recurrence_id"] for one in left] == [
        one["recurrence_id"] for one in before if one["recurrence_id"] != on
    ]


def test_reminders_of_all_change_where_they_are_as_in_the_series() -> None:
    alarm = "|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT{}M|END:VALARM"
    text = calendar(f"{MONDAYS}{alarm.format(15)}")
    for on, minutes in (("2026-10-12T09:00", 15), (THIRD, 5)):
        shown = Occasions(text).facts(on)
        wanted = replace(shown, title=f"{minutes}", reminders=(minutes,))
        text = edit_one(text, on, Edit(shown, wanted), NOW)
    shown = Occasions(text).facts("2026-10-05T09:00")
    new = edit_all(text, "", Edit(shown, replace(shown, reminders=(30, 60))), NOW).text
    triggers = [
        [alarm.text("TRIGGER") for alarm in event.parts("VALARM")]
        for event in read(new).parts("VEVENT")
    ]
    assert triggers == [["-PT30M", "-PT1H"], ["-PT30M", "-PT1H"], ["-PT5M"]]
