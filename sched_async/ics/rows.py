"""What was found in a file, as lines of JSON that one process writes and another one reads; pure.

Dates are most of what they hold, so each is a list, and its times are texts: what a library
would turn into objects by itself would take longer than finding them did.
"""

import json
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from .derive import Derived
from .foreign import Found

COLUMNS = (
    *("recurrence_id", "floating", "allday", "long", "title", "location", "search"),
    *("start_utc", "end_utc"),
)
TIMES = 2  # the last of them
VALUES = itemgetter(*COLUMNS)


def line_of(one: Found) -> str:
    """``vars`` and no copy: it is written at once."""
    made = one.made
    if made is None:
        return json.dumps(vars(one))
    dates = [
        [*values[:-TIMES], *(time.isoformat() for time in values[-TIMES:])]
        for values in map(VALUES, made.occurrences)
    ]
    row = vars(made) | {"occurrences": dates, "zones": sorted(made.zones)}
    return json.dumps(vars(one) | {"made": row}, default=_plain)


def _plain(value: datetime) -> dict[str, str]:
    return {"time": value.isoformat()}


def found_of(row: dict[str, Any]) -> Found:
    made = row["made"]
    if made is None:
        return Found(**row)
    columns = {name: _time(value) for name, value in made["columns"].items()}
    dates = []
    for values in made["occurrences"]:
        values[-TIMES:] = map(datetime.fromisoformat, values[-TIMES:])
        dates.append(dict(zip(COLUMNS, values, strict=True)))
    made |= {"columns": columns, "occurrences": dates, "zones": frozenset(made["zones"])}
    return replace(Found(**row), made=Derived(**made))


def _time(value: Any) -> Any:
    return datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value
