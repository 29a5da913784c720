"""The fields of a form that say how an appointment repeats."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from wtforms import (
    Field,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.validators import NumberRange, StopValidation
from wtforms.widgets import CheckboxInput, ListWidget

from ..forms import Checked, stripped
from ..ics.derive import MOST_OCCURRENCES
from ..ics.recurrence import parsed
from ..ics.rule_words import WEEKDAYS
from ..ics.rules import DAYS, FREQUENCIES, NEVER, Repeat
from .wall_time import WallTimeField

MOST_EVERY = 999
NOT_OFFERED = "Choose one of these."
REPEAT = {
    "": "Does not repeat",
    "daily": "Daily",
    "weekly": "Weekly",
    "monthly": "Monthly",
    "yearly": "Yearly",
    "rule": "Custom rule",
}
MONTHLY_BY = {
    "date": "The same date",
    "weekday": "The same weekday, such as the second Tuesday",
    "last": "The last day of the month",
}
Pairs = tuple[tuple[str, str], ...]
ENDS = {"never": "Never", "on": "On a date", "after": "After a number of times"}


class Only:
    """A validator, before all others: the rest is asked where another field gives it a meaning."""

    def __init__(self, name: str, *values: str) -> None:
        self.name, self.values = name, values

    def __call__(self, form: Any, field: Field) -> None:
        if form[self.name].data not in self.values:
            field.errors = []
            raise StopValidation


class ChoiceField(SelectField):
    def __init__(self, label: str, choices: Any, validators: Any = (), **given: Any) -> None:
        super().__init__(  # type: ignore[call-arg]  # newer than its types
            label, validators, choices=choices, invalid_choice_message=NOT_OFFERED, **given
        )


class NumberField(IntegerField):
    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        try:
            self.data = int(valuelist[0]) if valuelist[0].strip() else None
        except ValueError:
            raise ValueError("Enter a whole number.") from None


class DayField(WallTimeField):
    """A date; ``data`` is its midnight."""

    dates_only = True


class DaysField(SelectMultipleField):
    """Days of the week; scripts may send them in small letters, or in one, with commas."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def process_formdata(self, valuelist: list[Any]) -> None:
        said = [day.strip().upper() for value in valuelist for day in value.split(",")]
        super().process_formdata([day for day in said if day])

    def pre_validate(self, form: Any) -> None:
        if not set(self.data or ()) <= set(DAYS):
            raise ValidationError("Choose among MO, TU, WE, TH, FR, SA and SU.")


def needed(form: Any, field: Field) -> None:
    if field.errors:
        raise StopValidation
    if field.data in (None, ""):
        raise StopValidation("This field is required.")


def number_to(most: int) -> NumberRange:
    return NumberRange(1, most, f"Enter a number from 1 to {most:,}.")


def plain_rule(text: str) -> str:
    """The rule alone; RefusedError for what is none."""
    rule = text.strip().removeprefix("RRULE:")
    parsed(rule)
    return rule


class RepeatFields:
    """For a form that has a start: ``repeat`` decides which of the others count."""

    repeat = ChoiceField("Repeat", REPEAT)
    every = NumberField("Every", [Only("repeat", *FREQUENCIES), needed, number_to(MOST_EVERY)])
    days = DaysField(
        "Days", [Only("repeat", "weekly")], choices=dict(zip(DAYS, WEEKDAYS, strict=True))
    )
    monthly_by = ChoiceField("On", MONTHLY_BY, [Only("repeat", "monthly")])
    ends = ChoiceField("Ends", ENDS, [Only("repeat", *FREQUENCIES)])
    until = DayField("Last day", [Only("repeat", *FREQUENCIES), Only("ends", "on"), needed])
    count = NumberField(
        "Number of times",
        [
            Only("repeat", *FREQUENCIES),
            Only("ends", "after"),
            needed,
            number_to(MOST_OCCURRENCES),
        ],
    )
    rrule = StringField("Rule", [Only("repeat", "rule"), needed, Checked(plain_rule)], [stripped])

    repeated: Repeat = NEVER
    """What the form showed, and what is wanted where none of it was sent."""

    def wanted_repeat(self: Any) -> Repeat:
        """What was validated."""
        if self.is_repeat_unsaid:
            shown: Repeat = self.repeated
            return shown
        until: datetime | None = self.until.data
        return Repeat(
            self.repeat.data or "",
            every=self.every.data or 1,
            days=tuple(self.days.data or ()),
            monthly_by=self.monthly_by.data or "date",
            ends=self.ends.data or "never",
            until=until.date() if until else None,
            count=self.count.data,
            rrule=self.rrule.data or "",
        )

    @property
    def shown_repeat(self: Any) -> tuple[Any, ...]:
        """For the template: what the fields hold, what is wrong there, and the choices."""
        fields = [self[name] for name in NAMES]
        shown = (tuple(one.data or ()) if one is self.days else _shown(one) for one in fields)
        wrong = tuple((one.name, " ".join(one.errors)) for one in fields if one.errors)
        return (*shown, wrong, CHOICES)


@dataclass(frozen=True)
class Choices:
    repeat: Pairs = tuple(REPEAT.items())
    days: Pairs = tuple(zip(DAYS, WEEKDAYS, strict=True))
    monthly_by: Pairs = tuple(MONTHLY_BY.items())
    ends: Pairs = tuple(ENDS.items())


CHOICES = Choices()
NAMES = tuple(asdict(NEVER))


def _shown(field: Any) -> str:
    """What was typed, or else what is kept."""
    return field.data or "" if isinstance(field, SelectField) else field._value()


def fields_of(repeat: Repeat) -> dict[str, Any]:
    """What the fields hold at first."""
    values = asdict(repeat)
    day: date | None = repeat.until
    return values | {"until": datetime.combine(day, datetime.min.time()) if day else None}
