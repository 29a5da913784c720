"""What becomes of the text of a series when one of it is changed, this and following, or all; pure.

Whoever changes one sees that one: what the form showed of it is compared with what is wanted,
and the difference is what is done, to one or to many.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from ..errors import RefusedError
from ..human_dates import long_date
from .alarms import reminders_of
from .content_lines import Line, Part
from .ics_text import TEXTS, Facts, move, patch, patch_contents, raise_sequence, touch
from .occasions import OF_THE_SERIES, Occasions, facts_of
from .rules import NEVER, Repeat, first_on, rule_of, same_rule, shortened
from .shifting import Shift, refuse_elsewhere, shift, shifted_rule, start_of
from .spans import Moment, span_of
from .splitting import append, refuse_single, split

SCOPES = ("one", "following", "all")
ENDS_BEFORE = "The last day must not be before the first one, {}."


@dataclass(frozen=True)
class Edit:
    """What a form showed, and what is wanted."""

    shown: Facts
    wanted: Facts
    repeated: Repeat = NEVER
    repeat: Repeat = NEVER
    changes_calendar: bool = False

    @property
    def changes_rule(self) -> bool:
        return not same_rule(self.repeated, self.repeat)

    @property
    def changes_nothing(self) -> bool:
        is_same = self.shown.contents == self.wanted.contents
        return is_same and self.shown.times == self.wanted.times and not self.changes_rule


@dataclass(frozen=True)
class Edited:
    """The text then, and that of the series that begins in the middle of it."""

    text: str
    following: str | None = None
    gone: int = 0
    """How many that had been changed by themselves have lost their place."""
    begins: date | None = None
    """The day that it begins on, where it had to be moved there."""


class MissingError(Exception):
    """That one of the series is not there any more."""


def edited(text: str, on: str, scope: str, edit: Edit, now: datetime) -> Edited:
    """``on`` is empty where the form showed the series; then all of it is meant."""
    if on:
        _refuse_missing(text, on, now)
    if scope == "one":
        return Edited(edit_one(text, on, edit, now))
    return (edit_following if scope == "following" else edit_all)(text, on, edit, now)


def deleted(text: str, on: str, scope: str, now: datetime) -> str | None:
    """What is left; None where that is nothing."""
    _refuse_missing(text, on, now)
    if scope == "all":
        return None
    return (delete_one if scope == "one" else delete_following)(text, on, now)


def was_there(text: str, on: str, now: datetime) -> bool:
    return Occasions(text).has(on, now)


def _refuse_missing(text: str, on: str, now: datetime) -> None:
    if not was_there(text, on, now):
        raise MissingError


def edit_one(text: str, on: str, edit: Edit, now: datetime) -> str:
    """An override; the rule stays."""
    its = Occasions(text)
    wall, event = its.wall(on), its.override(on)
    if replace(edit, repeat=edit.repeated).changes_nothing or wall is None:
        return text
    if event is None:
        event = its.one_at(wall)
        its.series.calendar.contents.append(event)
    patch(event, edit.shown, edit.wanted, now)
    return its.written()


def ringing_alone(text: str, on: str) -> str:
    """With the reminders of that one only: those of the others had been silent, and stay so."""
    its = Occasions(text)
    for event in (its.master, *its.series.changed):
        if event is not its.override(on):
            event.contents = [one for one in event.contents if one.name != "VALARM"]
    return its.written()


def edit_all(text: str, on: str, edit: Edit, now: datetime) -> Edited:
    """Every one as the one that the form showed; ``on`` is empty where it showed the series."""
    if edit.changes_nothing:
        return Edited(text)
    old = Occasions(text)
    refuse_single(old)
    by = Shift.between(old, edit.shown, edit.wanted)
    met, wall = _met(old), old.wall(on) if on else None
    _contents(old, on, edit)
    if by:
        shift(old, by, on)
    shown = old.override(on) if on else None
    if shown is not None and edit.shown.times != edit.wanted.times:
        move(shown, edit.shown, edit.wanted)
    begins = _rule(old, edit, by, on)
    for event in (old.master, *old.series.changed):
        touch(event, now)
    if wall is not None and by.moves_start and not edit.changes_rule:
        refuse_elsewhere(old.written(), by.moved(wall))
    return _without_gone(old.written(), met, begins)


def edit_following(text: str, on: str, edit: Edit, now: datetime) -> Edited:
    """The text ends before, and another one follows; from the first on that is all."""
    if edit.changes_nothing and not edit.changes_calendar:
        return Edited(text)
    if (parts := split(text, on, now)) is None:
        return edit_all(text, on, edit, now)
    later = edit_all(parts[1], on, edit, now)
    return replace(later, text=parts[0], following=later.text)


def delete_one(text: str, on: str, now: datetime) -> str | None:
    """None where nothing is left."""
    its = Occasions(text)
    wall, event = its.wall(on), its.override(on)
    if event is not None:
        its.series.calendar.contents.remove(event)
    if its.series.has_master and wall is not None:
        append(its.master, its.line("EXDATE", wall))
        raise_sequence(its.master)
        touch(its.master, now)
    return its.written() if _is_left(its) else None


def delete_following(text: str, on: str, now: datetime) -> str | None:
    parts = split(text, on, now)
    return parts[0] if parts else None


def _contents(old: Occasions, on: str, edit: Edit) -> None:
    """What an override has of its own stays, but for the one that the form showed."""
    usual = _of_event(old, old.master)
    patch_contents(old.master, edit.shown, edit.wanted)
    for event, key in old.overrides():
        own = _of_event(old, event)
        same = [field for field in own if key == on or own[field] == usual[field]]
        before = {field: getattr(edit.shown, field) for field in same}
        shown = replace(edit.wanted, allday=edit.shown.allday, **before)
        patch_contents(event, shown, edit.wanted)


def _of_event(its: Occasions, event: Part) -> dict[str, Any]:
    is_date = span_of(event, its.series.clocks).start.is_date
    texts = {field: event.text(name) for field, name in TEXTS.items()}
    return {**texts, "reminders": reminders_of(event, is_date)}


def _rule(old: Occasions, edit: Edit, by: Shift, on: str) -> date | None:
    """Keep the rule, or set the new one; the day of the start where that had to move onto it.

    Of a series that ends to be one, the date stays that the form showed.
    """
    master, start = old.master, start_of(old)
    if not edit.changes_rule:
        line = master.first("RRULE")
        if line is not None and by.moves_start:
            line.value = shifted_rule(line.value, old.start, start, by.is_other_kind)
        return None
    shown = datetime.combine(edit.wanted.start.date(), start.wall.time())
    rule = rule_of(edit.repeat, replace(start, wall=shown))
    if not rule:
        for name in OF_THE_SERIES:
            master.set(name, None)
        if on:
            move(master, facts_of(master, span_of(master, old.series.clocks)), edit.wanted)
        return None
    return _begin(old, start, rule, edit.repeat)


def _begin(old: Occasions, start: Moment, rule: str, repeat: Repeat) -> date | None:
    master, first = old.master, first_on(rule, start.wall)
    if repeat.ends == "on" and repeat.until and repeat.until < first.date():
        raise RefusedError(ENDS_BEFORE.format(long_date(first.date())), "until")
    facts = facts_of(master, span_of(master, old.series.clocks))
    end = facts.end + (first - start.wall)
    move(master, facts, replace(facts, start=first, end=end))
    master.set("RRULE", Line("RRULE", "", shortened(rule, first)))
    return None if first == start.wall else first.date()


def _met(its: Occasions) -> list[bool]:
    """Which overrides stand for an occurrence that there is."""
    originals = [its.wall(key) or datetime.min for _, key in its.overrides()]
    walls = set(its.until(max(originals, default=datetime.min)))
    return [original in walls for original in originals]


def _without_gone(text: str, met: list[bool], begins: date | None) -> Edited:
    """Overrides that have lost their occurrence go; what does not repeat any more is a single."""
    new = Occasions(text)
    pairs = zip(new.series.changed, met, _met(new), strict=True)
    gone = [event for event, was, is_there in pairs if was and not is_there]
    left = [event for event in new.series.changed if event not in gone]
    contents = new.series.calendar.contents
    for event in gone:
        contents.remove(event)
    if left and not (new.series.rules or new.master.all("RDATE")):
        contents.remove(left[0])
        left[0].set("RECURRENCE-ID", None)
        new.master.contents = left[0].contents
    return Edited(new.written(), gone=len(gone), begins=begins)


def _is_left(its: Occasions) -> bool:
    if its.series.calendar.parts("VEVENT") == []:
        return False
    left = Occasions(its.written())
    if left.series.changed:
        return True
    return any(not left.changed.takes(wall) for wall in left.series.walls())
