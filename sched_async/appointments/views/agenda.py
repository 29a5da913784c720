"""The agenda: four weeks as a list, without the days on which nothing is."""

from typing import Any

from ..display import heading
from .entries import Seen
from .frame import Frame


def layout(seen: Seen, frame: Frame) -> dict[str, Any]:
    by_day = seen.by_day(frame.shown.first, frame.shown.last)
    return {"days": [(day, heading(day, seen.today), its) for day, its in sorted(by_day.items())]}
