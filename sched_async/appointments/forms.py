"""The form of an appointment: what it accepts, and what becomes of it."""

from datetime import datetime
from typing import Any

from wtforms import Field, HiddenField, SelectField, StringField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length, Regexp, StopValidation
from wtforms.widgets import DateInput, DateTimeLocalInput

from ..errors import RefusedError
from ..forms import CheckboxField, Checked, LineField, OnceForm, TextField, stripped
from ..texts import isolated
from ..times import SkippedTimeError, all_zones, canonical_zone, to_utc
from .agenda import FIRST_YEAR, LAST_YEAR, LONGEST
from .ics_text import Facts

ZONES = all_zones()
DATE = "%Y-%m-%d"
NOT_YOURS = "Choose one of your calendars."
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
        raise ValueError("Use the format 2026-11-24 09:30.")

    def pre_validate(self, form: Any) -> None:
        if self.data is not None and not FIRST_YEAR <= self.data.year <= LAST_YEAR:
            raise ValidationError(f"Choose a year from {FIRST_YEAR} to {LAST_YEAR}.")


class ZoneField(StringField):
    """One of IANA's zones, or what was there before, which may be none."""

    def pre_validate(self, form: Any) -> None:
        if form.is_change and self.data == (self.object_data or ""):
            raise StopValidation


class AppointmentForm(OnceForm):
    title = LineField("Title", [DataRequired(), Length(max=255)])
    start = WallTimeField("Start", [InputRequired()])
    end = WallTimeField("End", [InputRequired()])
    allday = CheckboxField("All day")
    timezone = ZoneField("Time zone", [Checked(canonical_zone)], [stripped])
    location = LineField("Location", [Length(max=255)])
    description = TextField("Description", [Length(max=10_000)])
    calendar = SelectField(  # type: ignore[call-arg]  # newer than its types
        "Calendar",
        coerce=int,
        choices=[],
        invalid_value_message=NOT_YOURS,
        invalid_choice_message=NOT_YOURS,
    )
    revision = HiddenField(validators=[Regexp(r"[0-9-]{0,64}\Z")])

    def __init__(
        self, formdata: Any = None, obj: Any = None, *, calendars: Any = (), **given: Any
    ) -> None:
        super().__init__(formdata, obj=obj, **given)
        self._kept: Facts | None = obj
        self.is_change = obj is not None
        self.calendar.choices = [(one.id, _shown(one)) for one in calendars]
        self.calendar_ids: list[int] = [one.id for one in calendars]
        self.start.dates_only = self.end.dates_only = bool(self.allday.data)

    def validate(self, extra_validators: Any = None) -> bool:
        """The fields, and then what only holds of them together."""
        if not super().validate(extra_validators):
            return False
        if self._kept is not None and self.facts().times == self._kept.times:
            return True
        try:
            self._check_order()
            self._check_clocks()
        except RefusedError as refused:
            self.refuse(refused.field, str(refused))
            return False
        return True

    def facts(self) -> Facts:
        """What was validated; a time that was shown without its seconds keeps them."""
        texts: Any = {name: self[name].data or "" for name in ("title", "location", "description")}
        times: Any = {name: self._time(name) for name in ("start", "end")}
        zone = self.timezone.data or None
        return Facts(**texts, **times, allday=bool(self.allday.data), timezone=zone)

    def _time(self, name: str) -> Any:
        kept = getattr(self._kept, name, None)
        is_same = kept is not None and kept.replace(second=0) == self[name].data
        return kept if is_same else self[name].data

    def _check_order(self) -> None:
        if self.allday.data:
            self.start.data, self.end.data = midnight(self.start.data), midnight(self.end.data)
        for field in (self.start, self.end):
            if not (self.allday.data or field.has_time):
                raise RefusedError("Add a time, or tick “All day”.", field.name)
        start, end = self.start.data, self.end.data
        if end < start or (end == start and not self.allday.data):
            raise RefusedError("The end must be after the start.", "end")
        if self.allday.data and end - start >= LONGEST:
            raise RefusedError(f"An appointment can last at most {LONGEST.days} days.", "end")

    def _check_clocks(self) -> None:
        for field in (self.start, self.end):
            try:
                if self.timezone.data in ZONES and not self.allday.data:
                    to_utc(field.data, self.timezone.data)
            except SkippedTimeError as skipped:
                nearest = f"{skipped.before:%H:%M} and {skipped.after:%H:%M}"
                message = (
                    f"The clocks go forward and skip this time. The nearest times are {nearest}."
                )
                raise RefusedError(message, field.name) from None


def midnight(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0)


def _shown(calendar: Any) -> str:
    name: str = calendar.name
    return f"{isolated(name)} (hidden)" if calendar.is_hidden else name
