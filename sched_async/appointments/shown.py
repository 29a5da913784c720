"""What a form shows: an appointment, or one of a series with ``?on=``; and the text behind it."""

from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from ..accounts.sessions import current_user
from ..ics.ics_text import Facts
from ..ics.occasions import Occasions
from ..ics.rules import NEVER, Repeat, repeat_of
from ..times import now
from .display import Item
from .expanding import in_thread
from .reading import facts_of, text_of


@dataclass(frozen=True)
class Shown:
    row: Any
    on: str
    """Empty where the appointment, or the series, is meant as a whole."""
    _text: str | None
    """That of a single one is read when it is needed."""
    facts: Facts
    repeated: Repeat
    occurrence: dict[str, Any] | None = None

    async def text(self) -> str:
        return self._text if self._text is not None else await text_of(self.row)

    @property
    def item(self) -> Item:
        row = self.row
        if self.occurrence is not None:
            row = SimpleNamespace(**(row._asdict() | self.occurrence))
        return Item(row, current_user.timezone, current_user.clock_hours)


async def shown_of(row: Any, on: str | None) -> Shown | None:
    """None for one that is not of this series; ChangedError where the row is not the last."""
    if on is None and not row.rrule:
        return Shown(row, "", None, facts_of(row), NEVER)
    text = await text_of(row)
    found = await in_thread(partial(_read, text, on))
    if found is None:
        return None
    repeated, facts, occurrence = found
    if facts is not None and row.is_silent:
        facts = replace(facts, reminders=())
    return Shown(row, on or "", text, facts or facts_of(row), repeated, occurrence)


def _read(text: str, on: str | None) -> tuple[Repeat, Facts | None, dict[str, Any] | None] | None:
    its = Occasions(text)
    rule = its.master.first("RRULE") if its.series.has_master else None
    repeated = repeat_of(rule.value, its.start) if rule else NEVER
    if on is None:
        return repeated, None, None
    return (repeated, its.facts(on), its.row(on)) if its.has(on, now()) else None
