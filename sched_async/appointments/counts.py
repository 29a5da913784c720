"""How many appointments a person has, and how many they can have.

To count them would take as long as there are many, so each calendar keeps its numbers.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, bindparam, func
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import fetch
from ..errors import RefusedError
from ..ics.derive import MOST_OF_A_PERSON
from ..models import Calendar
from .acts import Step

MOST_CALENDARS = 50
MOST_APPOINTMENTS = 100_000
FULL = "You can keep at most {:,} {}. Delete some first."
SUMS: Any = Calendar.readable_by(bindparam("owner")).with_only_columns(
    func.sum(Calendar.appointments), func.sum(Calendar.occurrences)
)


class Growth:
    """By how many appointments and occurrences each calendar grows."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.by: dict[int, tuple[int, int]] = {}
        for step in steps:
            if step.source is None and step.derived is not None:
                self.add(step.target, 1, len(step.derived.occurrences))

    def add(self, calendar_id: int | None, appointments: int, occurrences: int) -> None:
        had = self.by.get(calendar_id or 0, (0, 0))
        self.by[calendar_id or 0] = (had[0] + appointments, had[1] + occurrences)

    def of(self, calendar_id: int) -> dict[str, int]:
        appointments, occurrences = self.by.get(calendar_id, (0, 0))
        return {"more": appointments, "more_occurrences": occurrences}

    @property
    def more(self) -> tuple[int, int]:
        """All together; what becomes less somewhere may have to become more elsewhere first."""
        return sum(one for one, _ in self.by.values()), sum(one for _, one in self.by.values())


async def refuse_sums(db: AsyncSession, user_id: int) -> None:
    """RefusedError where what is written now is too much."""
    _refuse((await db.execute(SUMS, {"owner": user_id})).one())


async def refuse_too_much(user_id: int, more: tuple[int, int]) -> None:
    """RefusedError where a person would have too many appointments, with so many more."""
    _refuse((await fetch(SUMS, owner=user_id))[0], more)


def _refuse(sums: Row[Any], more: tuple[int, int] = (0, 0)) -> None:
    appointments, occurrences = ((one or 0) for one in sums)
    if appointments + more[0] > MOST_APPOINTMENTS:
        raise RefusedError(FULL.format(MOST_APPOINTMENTS, "appointments"))
    if occurrences + more[1] > MOST_OF_A_PERSON:
        raise RefusedError(FULL.format(MOST_OF_A_PERSON, "occurrences of appointments"))
