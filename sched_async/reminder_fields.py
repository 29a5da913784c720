"""The fields that say when to remind: of one appointment, and of new ones."""

from collections.abc import Iterable, Iterator
from typing import Any

from wtforms import Field, ValidationError
from wtforms.widgets import CheckboxInput

from .ics.alarms import A_DAY, FARTHEST
from .plurals import counted

MOST = 5
TOO_FAR = f"Choose a time up to {FARTHEST // (7 * A_DAY)} weeks before the start."
USUAL = (0, 5, 10, 15, 30, 60, 120, A_DAY, 2 * A_DAY, 7 * A_DAY)
USUAL_DAYS = (0, 1, 2, 7)


class RemindersField(Field):
    """Amounts of time before something, several or none: minutes, or days of whole days.

    A form whose boxes are all empty sends the name without a value.
    """

    widget = CheckboxInput()
    data: tuple[int, ...]

    def __init__(self, label: str, *, days: bool = False, **given: Any) -> None:
        super().__init__(label, **given)
        self.days = days
        self.is_said = False

    @property
    def most(self) -> int:
        return FARTHEST // A_DAY if self.days else FARTHEST

    def process_data(self, value: Any) -> None:
        self.data = tuple(sorted(value or ()))

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.is_said = True
        try:
            self.data = tuple(sorted({int(one) for one in valuelist if one.strip()}))
        except ValueError:
            raise ValueError("Enter whole numbers.") from None

    def pre_validate(self, form: Any) -> None:
        if len(self.data) > MOST:
            raise ValidationError(f"Choose no more than {MOST} reminders.")
        if any(not 0 <= one <= self.most for one in self.data):
            raise ValidationError(TOO_FAR)

    @property
    def boxes(self) -> tuple[tuple[int, str, bool], ...]:
        """The usual ones, and whatever else there is: value, words, and whether it is ticked."""
        usual = USUAL_DAYS if self.days else USUAL
        unit = A_DAY if self.days else 1
        return tuple(
            (one, before(one * unit, self.days), one in self.data)
            for one in sorted({*usual, *self.data})
        )


def words_for(minutes: int, of_days: bool = False) -> str:
    """
    >>> [words_for(minutes) for minutes in (0, 15, 90, 1440, 10080)]
    ['at the start', '15 minutes', '1 hour 30 minutes', '1 day', '1 week']
    >>> [words_for(minutes, of_days=True) for minutes in (0, 2880)]
    ['on the day', '2 days']
    """
    if not minutes:
        return "on the day" if of_days else "at the start"
    return " ".join(_pieces(minutes))


def before(minutes: int, of_days: bool) -> str:
    """
    >>> before(15, of_days=False), before(0, of_days=True)
    ('15 minutes before', 'on the day')
    """
    return words_for(minutes, of_days) + (" before" if minutes else "")


def _pieces(minutes: int) -> Iterator[str]:
    if minutes and not minutes % (7 * A_DAY):
        yield counted(minutes // (7 * A_DAY), "week")
        return
    for size, noun in ((A_DAY, "day"), (60, "hour"), (1, "minute")):
        if many := minutes // size:
            yield counted(many, noun)
        minutes %= size


def in_words(reminders: Iterable[int], of_days: bool) -> str:
    """
    >>> in_words((0, 15, 1440), False), in_words((1440,), True)
    ('at the start, 15 minutes before and 1 day before', '1 day before')
    """
    said = [before(one, of_days) for one in reminders]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
