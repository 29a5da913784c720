"""Where appointments stand: in the lanes of a week, and in the columns of a day; pure.

Lanes take what has days (``Spanning``), columns what has minutes of one day (``Timed``).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

STEPS = (2, 3, 4, 5, 6, 8, 16)
"""How many lanes a window may have room for, and last a sheet of paper."""
MOST_LANES = STEPS[-1]
SHORTEST = 30  # minutes: less has no room for a line of text
NEAR = 30  # minutes within which two that begin stand beside each other
MOST_COLUMNS = 12
DAY = timedelta(days=1)


class Spanning(Protocol):
    """What has days."""

    @property
    def title(self) -> str: ...
    @property
    def is_bar(self) -> bool: ...
    @property
    def begins_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...
    @property
    def first_day(self) -> date: ...
    @property
    def last_day(self) -> date: ...


@dataclass(slots=True)
class Placed:
    """One in a week: its lane, from which column on (0 to 6), over how many."""

    entry: Any
    lane: int
    column: int
    span: int
    is_cut_before: bool = False
    is_cut_after: bool = False
    hidden_at: list[int] = field(default_factory=list)
    """The steps at which “+N more” stands for it."""

    @property
    def columns(self) -> range:
        return range(self.column, self.column + self.span)

    @property
    def classes(self) -> str:
        """For the style sheet: its lane, how long it is, where it is cut, when it is hidden."""
        cut = (" cut-before" * self.is_cut_before) + (" cut-after" * self.is_cut_after)
        hidden = "".join(f" x{step}" for step in self.hidden_at)
        return f"l{self.lane} w{self.span}{cut}{hidden}"


@dataclass
class Packed:
    """A week: what stands in it, and how many are not shown of each column at each step."""

    placed: list[Placed]
    more: dict[int, Counter[int]]

    def hidden(self, step: int, column: int) -> int:
        return self.more[step][column] if step in self.more else 0


def week(entries: Iterable[Spanning], first: date, days: int = 7) -> Packed:
    """Give each entry the lowest lane that is free on all its days: bars first, then times."""
    last = first + (days - 1) * DAY
    taken: list[set[int]] = [set() for _ in range(days)]
    placed = []
    for entry in sorted(entries, key=lambda one: _order(one, first, last)):
        one = _place(entry, first, last)
        one.lane = _lowest([taken[at] for at in one.columns])
        for at in one.columns:
            taken[at].add(one.lane)
        placed.append(one)
    lanes = max((one.lane for one in placed), default=0) + 1
    return Packed(placed, {step: _hide(placed, step) for step in STEPS if step < lanes})


def _place(entry: Spanning, first: date, last: date) -> Placed:
    if not entry.is_bar:
        return Placed(entry, 0, (entry.first_day - first).days, 1)
    begins, ends = max(entry.first_day, first), min(entry.last_day, last)
    column, span = (begins - first).days, (ends - begins).days + 1
    return Placed(entry, 0, column, span, entry.first_day < first, entry.last_day > last)


def _order(entry: Spanning, first: date, last: date) -> Any:
    """Bars before times; by their first day in the row, or start; longer ones first."""
    begins = max(entry.first_day, first)
    if entry.is_bar:
        return 0, begins, begins - min(entry.last_day, last), entry.title
    return 1, entry.begins_at, entry.begins_at - entry.ends_at, entry.title


def _lowest(taken: Sequence[set[int]]) -> int:
    lane = 0
    while any(lane in lanes for lanes in taken):
        lane += 1
    return lane


def _hide(placed: Sequence[Placed], step: int) -> Counter[int]:
    """Where more is needed than fits, the last lane says how many are not shown.

    A bar that has to make room on one of its days does so on all of them, which then say so.
    """
    crowded = {at for one in placed if one.lane >= step for at in one.columns}
    while True:
        hidden = [one for one in placed if one.lane >= step - 1 and crowded & set(one.columns)]
        reached = crowded.union(*(one.columns for one in hidden))
        if reached == crowded:
            break
        crowded = reached
    more: Counter[int] = Counter()
    for one in hidden:
        one.hidden_at.append(step)
        more.update(one.columns)
    return more


class Timed(Protocol):
    """What has minutes of a day."""

    @property
    def title(self) -> str: ...
    @property
    def begins(self) -> int: ...
    @property
    def ends(self) -> int: ...


@dataclass
class Block:
    """One in a day: from which of ``columns`` columns on, over how many."""

    entry: Any
    begins: int
    ends: int
    column: int = 0
    columns: int = 1
    span: int = 1
    is_under: bool = False
    """Whether another lies over a part of it."""


@dataclass
class More:
    """Stands for those that have no column of their own."""

    count: int
    begins: int
    ends: int


def day(entries: Iterable[Timed], most: int = MOST_COLUMNS) -> tuple[list[Block], list[More]]:
    """Put those that overlap beside each other, in at most so many columns.

    Within what touches, each takes the first column that is free; then it reaches over every
    column to its right where nothing that it overlaps begins near it: what begins later lies
    on top, so that the first line of each can be read.  Where ``most`` are too few, the last
    column says how many are not shown.
    """
    blocks = [_block(one) for one in entries]
    blocks.sort(key=lambda one: (one.begins, -one.ends, one.entry.title))
    shown: list[Block] = []
    more: list[More] = []
    for group in _touching(blocks):
        _give_columns(group)
        columns = max(one.column for one in group) + 1
        if columns > most:
            left_out = [one for one in group if one.column >= most - 1]
            group = [one for one in group if one.column < most - 1]
            begins, ends = min(one.begins for one in left_out), max(one.ends for one in left_out)
            more.append(More(len(left_out), begins, ends))
        for one in group:
            one.columns = min(columns, most)
            _reach(one, group, columns > most)
        shown += group
    return shown, more


def _block(entry: Timed) -> Block:
    return Block(entry, entry.begins, max(entry.ends, entry.begins + SHORTEST))


def _touching(blocks: Sequence[Block]) -> list[list[Block]]:
    groups: list[list[Block]] = []
    until = -1
    for one in blocks:
        if one.begins >= until:
            groups.append([])
        groups[-1].append(one)
        until = max(until, one.ends)
    return groups


def _give_columns(group: Sequence[Block]) -> None:
    free_from: list[int] = []
    for one in group:
        one.column = next(
            (at for at, end in enumerate(free_from) if end <= one.begins), len(free_from)
        )
        free_from[one.column : one.column + 1] = [one.ends]


def _reach(one: Block, group: Sequence[Block], is_cut: bool) -> None:
    """Over the columns to the right, as far as nothing stands there that begins near it."""
    beside = [
        other
        for other in group
        if other.column > one.column and other.begins < one.ends and one.begins < other.ends
    ]
    near = [other.column for other in beside if other.begins < one.begins + NEAR]
    end = min(near, default=one.columns - is_cut)
    one.span = max(1, end - one.column)
    one.is_under = any(other.column < end for other in beside)
