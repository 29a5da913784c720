"""A field for a wall-clock time, or a date."""

from datetime import datetime
from typing import Any

from wtforms import Field, ValidationError
from wtforms.widgets import DateInput, DateTimeLocalInput

from .listing import FIRST_YEAR, LAST_YEAR

DATE = "%Y-%m-%d"
FORMATS = (
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    DATE,
)


class WallTimeField(Field):
    """A wall-clock time, or with ``dates_only`` a date; ``data`` is a naive datetime.

    A time is rounded down to its minute, a date is its midnight.
    """

    dates_only = False
    has_time = True

    def widget(self, field: Field, **attributes: Any) -> str:  # type: ignore[override]
        shape = DateInput() if self.dates_only else DateTimeLocalInput()
        first, last = datetime(FIRST_YEAR, 1, 1), datetime(LAST_YEAR, 12, 31, 23, 59)
        return shape(field, min=self._iso(first), max=self._iso(last), **attributes)

    def _value(self) -> str:
        """What was understood, as the browser's field wants it, which can hold nothing else."""
        return self._iso(self.data) if self.data else ""

    def _iso(self, wall: datetime) -> str:
        return wall.isoformat(timespec="minutes")[: 10 if self.dates_only else None]

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        for shape in FORMATS:
            try:
                wall = datetime.strptime(valuelist[0].strip(), shape)
            except ValueError:
                continue
            self.data, self.has_time = wall.replace(second=0), shape != DATE
            return
        raise ValueError(f"Use the format 2026-11-24{'' if self.dates_only else ' 09:30'}.")

    def pre_validate(self, form: Any) -> None:
        if self.data is not None and not FIRST_YEAR <= self.data.year <= LAST_YEAR:
            raise ValidationError(f"Choose a year from {FIRST_YEAR} to {LAST_YEAR}.")
