"""The form of an appointment: what it accepts, and what becomes of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wtforms import HiddenField, SelectField, StringField
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, Regexp, StopValidation

from ..accounts.sessions import current_user
from ..errors import RefusedError
from ..forms import CheckboxField, Checked, LineField, OnceForm, TextField, stripped
from ..ics.alarms import A_DAY
from ..ics.ics_text import Facts
from ..ics.rules import NEVER, Repeat
from ..ics.scopes import SCOPES
from ..texts import isolated
from ..times import SkippedTimeError, all_zones, canonical_zone, to_utc
from .listing import LONGEST
from .remind_fields import RemindFields, fitting
from .remind_fields import fields_of as reminder_fields_of
from .repeat_fields import RepeatFields, fields_of
from .wall_time import WallTimeField

ZONES = all_zones()
NO_SCOPE = "Choose “one”, “following” or “all”."
NOT_YOURS = "Choose one of your calendars."


class ZoneField(StringField):
    """One of IANA's zones, or what was there before, which may be none."""

    def pre_validate(self, form: Any) -> None:
        if form.is_change and self.data == (self.object_data or ""):
            raise StopValidation


class AppointmentForm(RepeatFields, RemindFields, OnceForm):
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
    scope = HiddenField(validators=[AnyOf(("", *SCOPES), NO_SCOPE)], default="")

    def __init__(
        self,
        formdata: Any = None,
        obj: Any = None,
        *,
        calendars: Any = (),
        repeated: Repeat = NEVER,
        **given: Any,
    ) -> None:
        kept = _kept_reminders(obj)
        shown = {**fields_of(repeated), **reminder_fields_of(*kept), **given}
        super().__init__(formdata, obj=obj, **shown)
        self._kept: Facts | None = obj
        self._kept_reminders = kept
        self.repeated = repeated
        self.is_repeat_unsaid = bool(formdata) and "repeat" not in formdata
        self.is_change = obj is not None
        own = [one for one in calendars if not one.is_followed]
        self.calendar.choices = [(one.id, _shown(one)) for one in own]
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
        allday = bool(self.allday.data)
        reminders = self.wanted_reminders(self._kept_reminders[allday])
        hour = current_user.known().reminder_hour
        return Facts(
            **texts,
            **times,
            allday=allday,
            timezone=zone,
            reminders=reminders,
            reminder_hour=hour,
        )

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


def _kept_reminders(kept: Facts | None) -> tuple[Sequence[int], Sequence[int]]:
    """What there is, or a new one has, timed and as whole days."""
    if kept is not None:
        return kept.reminders, fitting(kept.reminders)
    user = current_user.known()
    return user.reminders, [days * A_DAY for days in user.day_reminders]


def midnight(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0)


def _shown(calendar: Any) -> str:
    name: str = calendar.name
    return f"{isolated(name)} (hidden)" if calendar.is_hidden else name
