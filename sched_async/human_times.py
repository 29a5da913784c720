"""A moment as people say it: in their zone, by their clock, and near days by name."""

from datetime import date, datetime, time, timedelta

from .models import User
from .times import now, to_wall

JUST_NOW = timedelta(minutes=2)


def seen(instant: datetime, user: User) -> str:
    """Since when somebody was seen is noted by the minute, so the last ones are “just now”."""
    return "just now" if now() - instant < JUST_NOW else in_words(instant, user)


def in_words(instant: datetime, user: User) -> str:
    """Such as “today at 09:30” or “3 November at 09:30”."""
    wall = to_wall(instant, user.timezone)
    return f"{day_for(wall.date(), user)} at {clock(wall, user.clock_hours)}"


def day_for(day: date, user: User) -> str:
    return day_in_words(day, to_wall(now(), user.timezone).date())


def day_in_words(day: date, today: date) -> str:
    """A day; the last two by name.

    >>> day_in_words(date(2026, 11, 3), date(2026, 11, 3))
    'today'
    >>> day_in_words(date(2026, 10, 31), date(2026, 11, 1))
    'yesterday'
    >>> day_in_words(date(2026, 11, 3), date(2026, 12, 24))
    '3 November'
    >>> day_in_words(date(2025, 11, 3), date(2026, 1, 1))
    '3 November 2025'
    """
    if day == today:
        return "today"
    if day == today - timedelta(days=1):
        return "yesterday"
    return f"{day.day} {day:%B}" if day.year == today.year else f"{day.day} {day:%B %Y}"


def clock(wall: datetime | time, hours: int) -> str:
    """The time of day by a clock of 24 or of 12 hours.

    >>> clock(datetime(2026, 11, 24, 9, 5), 24)
    '09:05'
    >>> clock(datetime(2026, 11, 24, 0, 5), 12), clock(datetime(2026, 11, 24, 12, 5), 12)
    ('12:05 am', '12:05 pm')
    """
    if hours == 24:
        return f"{wall.hour:02}:{wall.minute:02}"
    return f"{(wall.hour - 1) % 12 + 1}:{wall.minute:02} {'am' if wall.hour < 12 else 'pm'}"


def reminder_time(user: User) -> str:
    """At which they are reminded of whole days, by their clock."""
    return clock(time(user.reminder_hour), user.clock_hours)


def short_clock(wall: datetime | time, hours: int) -> str:
    """The same where there is little room.

    >>> short_clock(datetime(2026, 11, 24, 14), 24), short_clock(datetime(2026, 11, 24, 14), 12)
    ('14:00', '2pm')
    >>> short_clock(datetime(2026, 11, 24, 14, 15), 12)
    '2:15pm'
    """
    return clock(wall, hours).replace(":00 ", "").replace(" ", "")
