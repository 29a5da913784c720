"""The fields of a form that say when to remind of an appointment."""

from collections.abc import Iterable
from typing import Any

from ..ics.alarms import A_DAY
from ..reminder_fields import RemindersField


class RemindFields:
    """``reminder`` has minutes before the start, ``reminder_days`` days before whole days.

    Where whole days have no ``reminder_days``, ``reminder`` is in days.
    """

    reminder = RemindersField("Reminders")
    reminder_days = RemindersField("Reminders", days=True)

    def wanted_reminders(self: Any, kept: Iterable[int]) -> tuple[int, ...]:
        """In minutes, of whole days those of so many days; ``kept`` where nothing was sent."""
        if not (self.reminder.is_said or self.reminder_days.is_said):
            return tuple(kept)
        if not self.allday.data:
            return tuple(self.reminder.data)
        days = self.reminder_days if self.reminder_days.is_said else self.reminder
        return tuple(one * A_DAY for one in days.data)


def fitting(reminders: Iterable[int]) -> tuple[int, ...]:
    """The nearest that whole days can have."""
    return tuple(sorted({one // A_DAY * A_DAY for one in reminders}))


def fields_of(reminders: Iterable[int], day_reminders: Iterable[int]) -> dict[str, Any]:
    """What the fields hold at first."""
    days = {one // A_DAY for one in day_reminders}
    return {"reminder": sorted(reminders), "reminder_days": sorted(days)}
