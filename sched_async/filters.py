"""Jinja filters, with the original's names and default formats, and one list."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cache

from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape
from quart import Quart

from .human_times import clock
from .links import linked
from .plurals import counted
from .texts import isolated
from .times import zone_names

DATE_FORMAT = "%Y-%m-%d - %A"
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def init_app(app: Quart) -> None:
    app.jinja_env.filters["date"] = do_date
    app.jinja_env.filters["datetime"] = do_datetime
    app.jinja_env.filters["duration"] = do_duration
    app.jinja_env.filters["nl2br"] = do_nl2br
    app.jinja_env.globals["zone_options"] = zone_options
    app.jinja_env.filters["isolated"] = isolated
    app.jinja_env.filters["linked"] = linked


def do_date(value: date | None, format: str = DATE_FORMAT) -> str:  # noqa: A002 (the original's)
    """Format a date or datetime.

    >>> do_date(date(2026, 11, 24))
    '2026-11-24 - Tuesday'
    >>> do_date(date(2026, 11, 24), "%d.%m.%Y")
    '24.11.2026'
    >>> do_date(None)
    ''
    """
    return "" if value is None else value.strftime(format)


def do_datetime(value: datetime | None, format: str | None = None) -> str:  # noqa: A002
    """Format a datetime; by default with a twelve-hour clock.

    >>> do_datetime(datetime(2026, 11, 24, 9, 30))
    '2026-11-24 - Tuesday at 9:30am'
    >>> do_datetime(datetime(2026, 11, 24, 21, 5), "%H:%M")
    '21:05'
    >>> do_datetime(None)
    ''
    """
    if value is None:
        return ""
    if format is not None:
        return value.strftime(format)
    return f"{do_date(value)} at {clock(value, 12).replace(' ', '')}"


def do_duration(seconds: float) -> str:
    """Say a number of seconds in words.

    >>> do_duration(3600)
    '1 hour'
    >>> do_duration(258732)
    '2 days, 23 hours, 52 minutes, 12 seconds'
    >>> do_duration(0)
    '0 seconds'
    """
    return ", ".join(_parts(int(seconds))) or "0 seconds"


def _parts(seconds: int) -> Iterator[str]:
    for unit, length in UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            yield counted(count, unit)


@pass_eval_context
def do_nl2br(context: EvalContext, value: str) -> str:
    """Show line breaks as ``<br>``; the text itself is escaped.

    >>> from jinja2 import Environment
    >>> str(do_nl2br(EvalContext(Environment(autoescape=True)), "a < b\\nc"))
    'a &lt; b<br>\\nc'
    """
    broken = escape(value).replace("\r\n", "\n").replace("\n", Markup("<br>\n"))
    return broken if context.autoescape else str(broken)


@cache
def zone_options() -> Markup:
    """The zones to offer in a ``<datalist>``: made for each form they would take 0.7 ms."""
    return Markup("").join(Markup('<option value="{}">').format(name) for name in zone_names())
