"""Rules of repetition: in the five fields of the form, back, and in words."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_async.errors import RefusedError
from sched_async.ics.clocks import FLOATING, Clock
from sched_async.ics.recurrence import parsed
from sched_async.ics.rule_words import in_words
from sched_async.ics.rules import (
    DAYS,
    Repeat,
    first_on,
    moved,
    repeat_of,
    rule_of,
    same_rule,
    shortened,
)
from sched_async.ics.spans import Moment

BERLIN = Clock("Europe/Berlin", ZoneInfo("Europe/Berlin"))
THURSDAY = datetime(2026, 11, 26, 14)  # the fourth of the month, and the last
FIFTH = datetime(2026, 12, 31, 9)  # a Thursday again


def floating(wall: datetime) -> Moment:
    return Moment(wall, FLOATING)


# What the form says, from when on, the rule that is written, and its words.
FIELDS = [
    (Repeat("daily"), THURSDAY, "FREQ=DAILY", "every day"),
    (Repeat("daily", 3), THURSDAY, "FREQ=DAILY;INTERVAL=3", "every 3 days"),
    (Repeat("daily", ends="after", count=1), THURSDAY, "FREQ=DAILY;COUNT=1", "every day, once"),
    (Repeat("weekly"), THURSDAY, "FREQ=WEEKLY;BYDAY=TH", "every week on Thursday"),
    (Repeat("weekly", days=("TH", "MO")), THURSDAY,
     "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    (Repeat("weekly", 2, days=("MO", "TH"), ends="on", until=date(2027, 3, 31)), THURSDAY,
     "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20270331T140000",
     "every 2 weeks on Monday and Thursday, until 31 March 2027"),
    (Repeat("weekly", days=DAYS[:5]), THURSDAY,
     "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
    (Repeat("weekly", days=DAYS), THURSDAY,
     "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", "every day"),
    (Repeat("monthly"), THURSDAY, "FREQ=MONTHLY;BYMONTHDAY=26", "every month on the 26th"),
    (Repeat("monthly", 2, monthly_by="weekday", ends="after", count=10), THURSDAY,
     "FREQ=MONTHLY;INTERVAL=2;BYDAY=4TH;COUNT=10",
     "every 2 months on the fourth Thursday, 10 times"),
    (Repeat("monthly", monthly_by="weekday"), FIFTH,
     "FREQ=MONTHLY;BYDAY=-1TH", "every month on the last Thursday"),
    (Repeat("monthly", monthly_by="last"), THURSDAY,
     "FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
    (Repeat("yearly"), THURSDAY,
     "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=26", "every year on 26 November"),
    (Repeat("yearly", 4), datetime(2028, 2, 29, 9),
     "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "every 4 years on 29 February"),
]  # fmt: skip
# What other programs write, what the form makes of it, and its words.
FOREIGN = [
    ("FREQ=WEEKLY", "weekly", "every week on Thursday"),
    ("FREQ=WEEKLY;WKST=SU", "weekly", "every week on Thursday"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TH", "weekly", "every 2 weeks on Thursday"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=TU,SU", "weekly",
     "every 2 weeks on Tuesday and Sunday"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU", "rule",
     "by the rule FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU"),
    ("FREQ=MONTHLY", "monthly", "every month on the 26th"),
    ("FREQ=MONTHLY;BYDAY=TH;BYSETPOS=4", "monthly", "every month on the fourth Thursday"),
    ("FREQ=MONTHLY;BYDAY=-1TH", "rule", "every month on the last Thursday"),
    ("FREQ=MONTHLY;BYMONTHDAY=15", "rule", "every month on the 15th"),
    ("FREQ=MONTHLY;BYMONTHDAY=1,15,-1", "rule", "every month on the 1st, 15th and last day"),
    ("FREQ=MONTHLY;BYDAY=1MO,3MO", "rule", "every month on the first and third Monday"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,-1", "rule", "every month on the first and last Monday"),
    ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "rule",
     "by the rule FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
    ("FREQ=YEARLY", "yearly", "every year on 26 November"),
    ("FREQ=YEARLY;BYMONTH=11", "yearly", "every year on 26 November"),
    ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "rule",
     "every year on the fourth Thursday in November"),
    ("FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=1", "rule", "every year on 1 March and 1 September"),
    ("FREQ=YEARLY;BYWEEKNO=20", "rule", "by the rule FREQ=YEARLY;BYWEEKNO=20"),
    ("FREQ=DAILY;BYMONTH=7;UNTIL=20301231", "rule", "every day in July, until 31 December 2030"),
    ("FREQ=DAILY;BYDAY=SA,SU", "rule", "every day on Saturday and Sunday"),
    ("FREQ=HOURLY;INTERVAL=6;COUNT=1200", "rule", "every 6 hours, 1,200 times"),
    ("freq=daily; interval=2", "daily", "every 2 days"),
]  # fmt: skip
# The end as others write it, and the last day that counts, at 14:00 in Berlin.
UNTIL = [
    ("20270331T120000Z", date(2027, 3, 31)),
    ("20270331T215959Z", date(2027, 3, 31)),
    ("20270331T235959Z", date(2027, 3, 31)),
    ("20270331T115959Z", date(2027, 3, 30)),
    ("20270331", date(2027, 3, 31)),
    ("20270331T235959", date(2027, 3, 31)),
]
# A rule, by how many days all moves, and the rule then; None where it cannot move.
MOVED = [
    ("FREQ=WEEKLY", 1, "FREQ=WEEKLY"),
    ("FREQ=WEEKLY;BYDAY=TH;COUNT=3", 1, "FREQ=WEEKLY;BYDAY=FR;COUNT=3"),
    ("FREQ=WEEKLY;WKST=SU;BYDAY=MO,TH", 0, "FREQ=WEEKLY;WKST=SU;BYDAY=MO,TH"),
    ("FREQ=WEEKLY;BYDAY=MO,TH", 7, "FREQ=WEEKLY;BYDAY=MO,TH"),
    ("FREQ=WEEKLY;BYDAY=MO,TH", 1, None),
    ("FREQ=MONTHLY;BYMONTHDAY=26", 5, "FREQ=MONTHLY;BYMONTHDAY=1"),
    ("FREQ=MONTHLY;BYMONTHDAY=26,27", 1, None),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", 1, None),
    ("FREQ=MONTHLY;BYDAY=4TH", -1, "FREQ=MONTHLY;BYDAY=4WE"),
    ("FREQ=MONTHLY;BYDAY=TH;BYSETPOS=4", -1, "FREQ=MONTHLY;BYDAY=4WE"),
    ("FREQ=MONTHLY;BYDAY=-1TH", 1, "FREQ=MONTHLY;BYDAY=-1FR"),
    ("FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=26", 6, "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=2"),
    ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", -7, "FREQ=YEARLY;BYMONTH=11;BYDAY=3TH"),
    ("FREQ=YEARLY;BYMONTH=5,11", 1, None),
    ("FREQ=DAILY;BYMONTH=11", 1, None),
    ("FREQ=DAILY;INTERVAL=3", 1, "FREQ=DAILY;INTERVAL=3"),
]


@pytest.mark.parametrize(("fields", "start", "rule", "words"), FIELDS)
def test_the_fields_say_a_rule_that_is_read_as_the_same_fields(
    fields: Repeat, start: datetime, rule: str, words: str
) -> None:
    assert rule_of(fields, floating(start)) == rule
    assert in_words(rule, floating(start)) == words
    for text in (rule, shortened(rule, start)):
        found = repeat_of(text, floating(start))
        wanted = fields if fields.days or fields.repeat != "weekly" else fields_with_own_day(fields)
        assert same_rule(found, wanted), text


def fields_with_own_day(fields: Repeat) -> Repeat:
    return Repeat(fields.repeat, fields.every, ("TH",), ends=fields.ends)


@pytest.mark.parametrize(("rule", "repeat", "words"), FOREIGN)
def test_another_program_s_rule_is_read_where_the_fields_can_say_it_and_else_kept(
    rule: str, repeat: str, words: str
) -> None:
    found = repeat_of(rule, floating(THURSDAY))
    assert found.repeat == repeat
    assert found.rrule == (rule if repeat == "rule" else "")
    assert in_words(rule, floating(THURSDAY)) == words


@pytest.mark.parametrize(("until", "day"), UNTIL)
def test_the_end_is_the_last_day_on_which_one_can_begin(until: str, day: date) -> None:
    start = Moment(THURSDAY, BERLIN)
    assert repeat_of(f"FREQ=DAILY;UNTIL={until}", start).until == day


def test_the_end_is_written_as_the_start_is() -> None:
    daily = Repeat("daily", ends="on", until=date(2027, 3, 31))
    rules = {
        "FREQ=DAILY;UNTIL=20270331T120000Z": Moment(THURSDAY, BERLIN),
        "FREQ=DAILY;UNTIL=20270331T140000Z": Moment(THURSDAY, Clock("UTC", UTC)),
        "FREQ=DAILY;UNTIL=20270331T140000": Moment(THURSDAY, Clock("Nowhere", None)),
        "FREQ=DAILY;UNTIL=20270331": Moment(datetime(2026, 11, 26), FLOATING, is_date=True),
    }
    assert {rule_of(daily, start): start for start in rules.values()} == rules


@pytest.mark.parametrize(("rule", "days", "wanted"), MOVED)
def test_only_days_that_say_the_start_s_own_move_along(
    rule: str, days: int, wanted: str | None
) -> None:
    there = datetime.fromordinal(THURSDAY.toordinal() + days).replace(hour=15)
    if wanted is None:
        with pytest.raises(RefusedError) as refused:
            moved(rule, THURSDAY, there)
        assert refused.value.field == "days"
    else:
        assert moved(rule, THURSDAY, there) == wanted


def test_times_that_a_rule_names_move_along_where_they_are_the_start_s_own() -> None:
    later = THURSDAY.replace(hour=15)
    assert moved("FREQ=DAILY;BYHOUR=14", THURSDAY, later) == "FREQ=DAILY;BYHOUR=15"
    with pytest.raises(RefusedError):
        moved("FREQ=DAILY;BYHOUR=9,14", THURSDAY, later)


def test_a_start_moves_to_the_first_day_of_its_rule() -> None:
    days = {
        "FREQ=WEEKLY;BYDAY=TH": 26,
        "FREQ=WEEKLY;BYDAY=FR,WE;COUNT=1": 27,
        "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20200101": 30,
    }
    assert {rule: first_on(rule, THURSDAY).day for rule in days} == days


repeats = st.builds(
    Repeat,
    st.sampled_from(("daily", "weekly", "monthly", "yearly")),
    st.integers(1, 5),
    st.sets(st.sampled_from(DAYS)).map(tuple),
    st.sampled_from(("date", "weekday", "last")),
)


@settings(max_examples=60, deadline=None)
@given(repeats, st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31)))
def test_a_shortened_rule_has_the_same_times(fields: Repeat, wall: datetime) -> None:
    start = wall.replace(minute=0, second=0, microsecond=0)
    rule = rule_of(fields, floating(start))
    start = first_on(rule, start)
    short = shortened(rule, start)
    walls = [list(parsed(f"{one};COUNT=8").walls(start)) for one in (rule, short)]
    assert walls[0] == walls[1]
    assert rule_of(repeat_of(short, floating(start)), floating(start)) == rule
