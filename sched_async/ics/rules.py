"""A rule of repetition as the five plain fields of a form say it, and back; pure.

    >>> start = Moment(datetime(2026, 11, 26, 14), FLOATING)  # a Thursday, the fourth and last
    >>> rule_of(Repeat("weekly", 2, days=("MO", "TH")), start)
    'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH'
    >>> repeat_of("FREQ=MONTHLY;BYDAY=4TH;COUNT=3", start).monthly_by
    'weekday'

Any other valid rule is kept as it stands, and shown as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from ..errors import RefusedError
from .clocks import FLOATING
from .content_lines import Line
from .recurrence import parsed, parts_of
from .spans import Moment, moment

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = {"daily": "DAILY", "weekly": "WEEKLY", "monthly": "MONTHLY", "yearly": "YEARLY"}
UNITS = {frequency: name for name, frequency in FREQUENCIES.items()}
MONTHLY_BY = ("date", "weekday", "last")
ENDS = ("COUNT", "UNTIL")
CLOCK = {"BYHOUR": "hour", "BYMINUTE": "minute", "BYSECOND": "second"}
NOT_ITS_DAY = "The rule says which days. Choose the new days here, then save again."
NOT_ITS_TIME = "This rule sets the times itself. Change the rule to move them."
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class Repeat:
    """What the form has; ``repeat`` is empty for what does not, and ``rule`` for ``rrule``."""

    repeat: str = ""
    every: int = 1
    days: tuple[str, ...] = ()
    monthly_by: str = "date"
    ends: str = "never"
    until: date | None = None
    count: int | None = None
    rrule: str = ""


NEVER = Repeat()


def rule_of(repeat: Repeat, start: Moment) -> str:
    """The rule for what starts then; it names its days, also where that is the start's own."""
    if repeat.repeat not in FREQUENCIES:
        return repeat.rrule if repeat.repeat else ""
    parts = {"FREQ": FREQUENCIES[repeat.repeat]}
    if repeat.every > 1:
        parts["INTERVAL"] = str(repeat.every)
    parts |= _days(repeat, start.wall)
    if repeat.ends == "after":
        parts["COUNT"] = str(repeat.count)
    if repeat.ends == "on" and repeat.until:
        last = datetime.combine(repeat.until, start.wall.time())
        parts["UNTIL"] = until_value(Moment(last, start.clock, start.is_date))
    return written(parts)


def _days(repeat: Repeat, start: datetime) -> dict[str, str]:
    if repeat.repeat == "weekly":
        days = [day for day in DAYS if day in repeat.days] or [DAYS[start.weekday()]]
        return {"BYDAY": ",".join(days)}
    if repeat.repeat == "monthly":
        if repeat.monthly_by == "last":
            return {"BYMONTHDAY": "-1"}
        return _own("MONTHLY", start)[MONTHLY_BY.index(repeat.monthly_by)]
    return _own("YEARLY", start)[0] if repeat.repeat == "yearly" else {}


def repeat_of(rule: str | None, start: Moment) -> Repeat:
    """The fields that say the same as a rule, or the rule itself."""
    if not rule:
        return NEVER
    parts = _usual(parts_of(rule), start.wall)
    fields = _fields(parts, start, rule)
    same = fields.repeat and _usual(parts_of(rule_of(fields, start)), start.wall)
    if same and _unended(same) == _unended(parts):
        return fields
    return Repeat("rule", rrule=rule)


def _fields(parts: Mapping[str, str], start: Moment, rule: str) -> Repeat:
    count, until = parts.get("COUNT", ""), until_day(rule, start)
    if (count and until) or not parts.get("INTERVAL", "1").isdecimal():
        return NEVER
    days, day = parts.get("BYDAY", ""), parts.get("BYMONTHDAY", "")
    return Repeat(
        UNITS.get(parts.get("FREQ", ""), ""),
        every=int(parts.get("INTERVAL", "1")),
        days=_sorted(days) if parts.get("FREQ") == "WEEKLY" else (),
        monthly_by="weekday" if days else "last" if day == "-1" else "date",
        ends="after" if count else "on" if until else "never",
        until=until,
        count=int(count) if count.isdecimal() else None,
    )


def _sorted(days: str) -> tuple[str, ...]:
    return tuple(sorted(days.split(","), key=lambda day: DAYS.index(day) if day in DAYS else 9))


def _usual(parts: Mapping[str, str], start: datetime) -> dict[str, str]:
    """The same rule as it is written here, as far as it has more than one way."""
    usual = {name: value for name, value in parts.items() if not name.startswith("X-")}
    if usual.get("INTERVAL") == "1":
        del usual["INTERVAL"]
    days, at = usual.get("BYDAY", ""), usual.get("BYSETPOS", "")
    is_one = at.lstrip("+-").isdecimal()
    if usual.get("FREQ") == "MONTHLY" and days in DAYS and is_one:
        usual["BYDAY"] = f"{int(usual.pop('BYSETPOS'))}{days}"
    if usual.get("FREQ") == "WEEKLY":
        usual["BYDAY"] = ",".join(_sorted(days)) if days else DAYS[start.weekday()]
    if usual.get("WKST") == "MO" or "," not in days or "INTERVAL" not in usual:
        usual.pop("WKST", None)
    named = _named_days(usual)
    if not named and usual.get("FREQ") in ("MONTHLY", "YEARLY"):
        usual |= _own(usual["FREQ"], start)[0]
    if usual.get("FREQ") == "YEARLY" and named == _own("YEARLY", start)[1]:
        usual |= _own("YEARLY", start)[0]
    return usual


def _unended(parts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parts.items() if name not in ENDS}


def _named_days(parts: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in parts.items() if k.startswith("BY") and k not in CLOCK}


def _own(frequency: str, start: datetime) -> tuple[dict[str, str], ...]:
    """All the ways to name a day in which a rule can say no more than its start's own."""
    name, number = DAYS[start.weekday()], (start.day - 1) // 7 + 1
    is_last = (start + WEEK).month != start.month
    month, day = {"BYMONTH": str(start.month)}, {"BYMONTHDAY": str(start.day)}
    nth = {"BYDAY": f"{number if number < 5 else -1}{name}"}
    last = {"BYDAY": f"-1{name}"} if is_last else nth
    if frequency == "WEEKLY":
        return ({"BYDAY": name},)
    if frequency == "MONTHLY":
        return day, nth, last
    return (month | day, month, month | nth, month | last) if frequency == "YEARLY" else ()


def shortened(rule: str, start: datetime) -> str:
    """Without days that the start says already, so that they move with it."""
    parts = parts_of(rule)
    frequency, named = parts["FREQ"], _named_days(parts)
    if named and named in (_own(frequency, start)[:1] if frequency in UNITS else ()):
        parts = {name: value for name, value in parts.items() if name not in named}
    return written(parts)


def moved(rule: str, old: datetime, new: datetime) -> str:
    """The rule when all that is on it moves as its start does.

    RefusedError where it names days, or times, that are not just those of its start.
    """
    parts = parts_of(rule)
    parts |= _moved_times(parts, old, new)
    named, days = _named_days(parts), (new.date() - old.date()).days
    is_same_days = parts.get("FREQ") == "WEEKLY" and set(named) <= {"BYDAY"} and days % 7 == 0
    if days == 0 or not named or is_same_days:
        return written(parts)
    usual = _named_days(_usual(parts, old))
    frequency = parts.get("FREQ", "")
    ways = _own(frequency, old)
    if usual not in ways:
        raise RefusedError(NOT_ITS_DAY, "days")
    now = _own(frequency, new)[ways.index(usual)]
    kept = {name: value for name, value in parts.items() if name not in named or name in now}
    return written(kept | {name: now[name] for name in now})


def _moved_times(parts: Mapping[str, str], old: datetime, new: datetime) -> dict[str, str]:
    named = {name: part for name, part in CLOCK.items() if name in parts}
    if not named or old.time() == new.time():
        return {}
    if any(parts[name] != str(getattr(old, part)) for name, part in named.items()):
        raise RefusedError(NOT_ITS_TIME, "start")
    return {name: str(getattr(new, part)) for name, part in named.items()}


def ended(rule: str, *, count: int | None = None, until: Moment | None = None) -> str:
    """The same rule with another end, or with none."""
    parts = _unended(parts_of(rule))
    if count is not None:
        parts["COUNT"] = str(count)
    if until is not None:
        parts["UNTIL"] = until_value(until)
    return written(parts)


def until_value(last: Moment) -> str:
    """In UTC where there is a zone, else by the wall clock, or as a date."""
    if last.is_date:
        return f"{last.wall:%Y%m%d}"
    if last.clock.place is None:
        return f"{last.wall:%Y%m%dT%H%M%S}"
    return f"{last.instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def until_wall(rule: str, start: Moment) -> datetime | None:
    """The end by the clocks of what starts then; a day counts with the start's time."""
    value = parsed(rule).until
    if not value:
        return None
    until = moment(Line("UNTIL", "", value), None)
    if until.is_date or start.is_date:
        return datetime.combine(until.wall.date(), start.wall.time())
    if until.clock == FLOATING or start.clock.place is None:
        return until.wall
    try:
        return start.clock.wall(until.instant)
    except OverflowError:  # the last day that there is, as some write “for ever”
        return until.wall


def until_day(rule: str, start: Moment) -> date | None:
    """The last day on which something can still begin."""
    wall = until_wall(rule, start)
    if wall is None:
        return None
    is_before = wall.time() < start.wall.time() and wall.date() > date.min
    return wall.date() - (DAY if is_before else timedelta())


def written(parts: Mapping[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in parts.items())


def first_on(rule: str, start: datetime) -> datetime:
    """The start, or where that is not on the rule the first time that is; without its end."""
    without = parsed(ended(rule))
    return next(without.on_rule(start), start)


def same_rule(one: Repeat, other: Repeat) -> bool:
    return _relevant(one) == _relevant(other)


def _relevant(repeat: Repeat) -> Repeat:
    """Without what the other fields make meaningless."""
    if repeat.repeat not in FREQUENCIES:
        return Repeat(repeat.repeat, rrule=repeat.rrule if repeat.repeat else "")
    return replace(
        repeat,
        rrule="",
        days=tuple(day for day in DAYS if day in repeat.days and repeat.repeat == "weekly"),
        monthly_by=repeat.monthly_by if repeat.repeat == "monthly" else "date",
        until=repeat.until if repeat.ends == "on" else None,
        count=repeat.count if repeat.ends == "after" else None,
    )
