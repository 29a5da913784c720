"""A rule of repetition in words, as far as there are words for it; pure.

>>> start = Moment(datetime(2026, 11, 26, 14), FLOATING)
>>> in_words("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20270331T140000", start)
'every 2 weeks on Monday and Thursday, until 31 March 2027'
>>> in_words("FREQ=YEARLY;BYWEEKNO=20", start)
'by the rule FREQ=YEARLY;BYWEEKNO=20'
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from ..plurals import counted
from .clocks import FLOATING as FLOATING  # for the example
from .recurrence import parts_of
from .rules import DAYS, until_day
from .spans import Moment

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
LAST = {1: "last", 2: "second to last", 3: "third to last"}
UNITS = {"HOURLY": "hour", "DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
WORKING, WEEKEND, ALL = DAYS[:5], DAYS[5:], DAYS
UNDERSTOOD = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH"}
NTH = re.compile(r"([+-]?\d)?(MO|TU|WE|TH|FR|SA|SU)\Z")


class NoWordsError(Exception):
    """It can only be shown as it is written."""


def in_words(rule: str, start: Moment) -> str:
    """What repeats by this rule, from such a start on."""
    parts = parts_of(rule)
    try:
        return f"{_pattern(parts, start.wall)}{_end(parts, rule, start)}"
    except (NoWordsError, ValueError):
        return f"by the rule {rule}"


def _pattern(parts: Mapping[str, str], start: datetime) -> str:
    parts = _with_positions(parts)
    frequency = parts.get("FREQ", "")
    is_odd_week = "INTERVAL" in parts and "," in parts.get("BYDAY", "")
    if set(parts) - UNDERSTOOD or (is_odd_week and parts.get("WKST", "MO") != "MO"):
        raise NoWordsError
    number = int(parts.get("INTERVAL", "1"))
    every = f"every {UNITS[frequency] if number == 1 else counted(number, UNITS[frequency])}"
    if frequency == "WEEKLY":
        return _weekly(parts, start, every)
    if frequency == "MONTHLY":
        return f"{every} on {_of_month(parts, start)}{_months(parts)}"
    if frequency == "YEARLY":
        return f"{every} on {_of_year(parts, start)}"
    if "BYMONTHDAY" in parts:
        raise NoWordsError
    return f"{every}{_on_weekdays(parts)}{_months(parts)}"


def _with_positions(parts: Mapping[str, str]) -> dict[str, str]:
    """Where one day of the week has a position, the usual way to write it."""
    plain = {name: value for name, value in parts.items() if not name.startswith("X-")}
    at, days = plain.get("BYSETPOS", ""), plain.get("BYDAY", "")
    if at and days in DAYS and plain.get("FREQ") == "MONTHLY" and "BYMONTHDAY" not in plain:
        del plain["BYSETPOS"]
        plain["BYDAY"] = ",".join(f"{int(one)}{days}" for one in at.split(","))
    return plain


def _weekly(parts: Mapping[str, str], start: datetime, every: str) -> str:
    if "BYMONTHDAY" in parts:
        raise NoWordsError
    days = parts.get("BYDAY", DAYS[start.weekday()]).split(",")
    months = _months(parts)
    if every == "every week" and set(days) == set(ALL):
        return f"every day{months}"
    if every == "every week" and set(days) == set(WORKING):
        return f"every weekday{months}"
    return f"{every} on {_weekdays(days)}{months}"


def _on_weekdays(parts: Mapping[str, str]) -> str:
    return f" on {_weekdays(parts['BYDAY'].split(','))}" if "BYDAY" in parts else ""


def _weekdays(days: Sequence[str]) -> str:
    return listed([WEEKDAYS[DAYS.index(day)] for day in sorted(days, key=DAYS.index)])


def _of_month(parts: Mapping[str, str], start: datetime) -> str:
    if "BYDAY" in parts and "BYMONTHDAY" in parts:
        raise NoWordsError
    if "BYDAY" in parts:
        return f"the {_nth_weekdays(parts['BYDAY'])}"
    days = [int(day) for day in parts.get("BYMONTHDAY", str(start.day)).split(",")]
    return f"the {listed([_day_of_month(day) for day in days])}"


def _nth_weekdays(value: str) -> str:
    """“first and third Monday”, or “first Monday and last Friday”."""
    found = [NTH.match(day) for day in value.split(",")]
    if not all(one and one[1] for one in found):
        raise NoWordsError
    pairs = [(_position(int(one[1])), WEEKDAYS[DAYS.index(one[2])]) for one in found if one]
    if len({day for _, day in pairs}) == 1:
        return f"{listed([position for position, _ in pairs])} {pairs[0][1]}"
    return listed([f"{position} {day}" for position, day in pairs])


def _position(number: int) -> str:
    words = ORDINALS if number > 0 else LAST
    if abs(number) not in words:
        raise NoWordsError
    return words[abs(number)]


def _day_of_month(number: int) -> str:
    return ordinal(number) if number > 0 else f"{_position(number)} day"


def _of_year(parts: Mapping[str, str], start: datetime) -> str:
    if "BYDAY" in parts:
        if "BYMONTH" not in parts or "BYMONTHDAY" in parts:
            raise NoWordsError
        return f"the {_nth_weekdays(parts['BYDAY'])}{_months(parts)}"
    if "BYMONTHDAY" in parts and "BYMONTH" not in parts:
        raise NoWordsError
    days = [int(day) for day in parts.get("BYMONTHDAY", str(start.day)).split(",")]
    if min(days) < 0:
        return f"the {listed([_day_of_month(day) for day in days])}{_months(parts)}"
    months = _month_names(parts.get("BYMONTH", str(start.month)))
    return listed([f"{day} {month}" for month in months for day in days])


def _months(parts: Mapping[str, str]) -> str:
    return f" in {listed(_month_names(parts['BYMONTH']))}" if "BYMONTH" in parts else ""


def _month_names(value: str) -> list[str]:
    return [f"{date(2000, int(month), 1):%B}" for month in value.split(",")]


def _end(parts: Mapping[str, str], rule: str, start: Moment) -> str:
    if "COUNT" in parts:
        count = int(parts["COUNT"])
        return ", once" if count == 1 else f", {count:,} times"
    day = until_day(rule, start)
    return f", until {day.day} {day:%B %Y}" if day else ""


def ordinal(number: int) -> str:
    """
    >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 31)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '23rd', '31st']
    """
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def listed(words: Sequence[str]) -> str:
    """
    >>> listed(["Monday"]), listed(["Monday", "Tuesday"]), listed(["a", "b", "c"])
    ('Monday', 'Monday and Tuesday', 'a, b and c')
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
