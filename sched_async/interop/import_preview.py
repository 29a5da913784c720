"""What is shown of a file before it is imported; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..appointments.display import Item, item_of
from ..ics.foreign import Found
from .import_ics import Plan, Reading, left_out, summary

SHOWN = 50  # of each kind


@dataclass(frozen=True)
class Section:
    """The first of some appointments, each with when it is if that is known."""

    heading: str
    shown: list[tuple[Found, Item | None]]
    more: int
    note: str = ""


@dataclass(frozen=True)
class Preview:
    counts: dict[str, int]
    left_out: str
    sections: list[Section]


def preview_of(plan: Plan, heard: Reading, zone: str, hours: int) -> Preview:
    """For a person in that zone, by a clock of so many hours."""

    def section(heading: str, found: Sequence[Found], note: str = "") -> Iterator[Section]:
        if found:
            shown = [(one, _item(one, plan.calendar_id, zone, hours)) for one in found[:SHOWN]]
            yield Section(heading, shown, len(found) - len(shown), note)

    sections = [
        *section("Refused", heard.refused),
        *section("New", plan.new),
        *section(
            "Changed", plan.replacing, "The version in the file replaces the one in the calendar."
        ),
    ]
    counts = {what: count for what, count in summary(plan, heard).items() if count}
    return Preview(counts, left_out(heard), sections)


def _item(one: Found, calendar_id: int, zone: str, hours: int) -> Item | None:
    return item_of(one.made, calendar_id, zone, hours) if one.made else None
