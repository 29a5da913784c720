"""What a person does, step by step, before it is written; and why it may be refused."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..ics.derive import Derived


class ChangedError(Exception):
    """Some appointments are not any more what the caller has seen, or not there."""

    def __init__(self, ids: Collection[int]) -> None:
        super().__init__(f"changed meanwhile: {sorted(ids)}")
        self.ids = set(ids)


class TakenError(Exception):
    """A calendar has another appointment of this name (UID), or at this address."""


class RepeatedError(Exception):
    """This form was sent before; ``appointment_id`` is what it made then."""

    def __init__(self, appointment_id: int) -> None:
        super().__init__(f"made {appointment_id} before")
        self.appointment_id = appointment_id


class Seen(Protocol):
    """An appointment as the caller has seen it."""

    id: Any
    calendar_id: Any
    rev: Any


@dataclass
class Step:
    """One appointment: where it was, and where it will be, as what."""

    id: int | None
    source: int | None
    rev: int | None
    target: int | None
    derived: Derived | None = None
    href: str | None = None
    submission: str | None = None
    is_fresh: bool = False
    is_silent: bool | None = None
    """Whether its reminders ring nowhere here; None: as before."""
    before: Any = field(default=None, repr=False)
    """The row that is there, once the act is being written."""
    revs: dict[int, int] = field(default_factory=dict)
    """The revision that it makes in each calendar."""

    @property
    def uid(self) -> str:
        """What it will be called."""
        return str(self.derived.columns["uid"] if self.derived else self.before.uid)

    @property
    def silent(self) -> bool:
        was = bool(self.before is not None and self.before.is_silent)
        return was if self.is_silent is None else self.is_silent

    @property
    def href_then(self) -> str | None:
        return self.href or (self.before.href if self.before else None)

    @property
    def is_renamed(self) -> bool:
        """Whether a calendar gets a name that it did not have for it."""
        return self.source != self.target or self.uid != self.before.uid

    @property
    def calendars(self) -> set[int]:
        return {one for one in (self.source, self.target) if one is not None}


class Act:
    """What a person does, as far as it has been named."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.id = 0
        self.steps: list[Step] = []

    @property
    def title(self) -> str:
        return str(self.row["title"])

    @property
    def kind(self) -> str:
        return str(self.row["kind"])

    @property
    def appointment_id(self) -> int | None:
        """The number of the first, once the act is written."""
        return self.steps[0].id if self.steps else None

    def put(
        self,
        calendar_id: int,
        derived: Derived,
        *,
        href: str | None = None,
        submission: str | None = None,
        is_fresh: bool = False,
        is_silent: bool = False,
    ) -> Step:
        """Add an appointment; its UID is looked for in the calendar unless it ``is_fresh``.

        ``submission`` is what an import remembers it by.
        """
        step = Step(None, None, None, calendar_id, derived, href, submission, is_fresh, is_silent)
        return self._take(step)

    def replace(
        self,
        seen: Seen,
        derived: Derived,
        calendar_id: int | None = None,
        *,
        is_silent: bool | None = None,
    ) -> Step:
        """Give an appointment another text, and maybe another calendar."""
        target = calendar_id or seen.calendar_id
        step = Step(seen.id, seen.calendar_id, seen.rev, target, derived, is_silent=is_silent)
        return self._take(step)

    def move(self, seen: Seen, calendar_id: int) -> Step:
        return self._take(Step(seen.id, seen.calendar_id, seen.rev, calendar_id))

    def delete(self, seen: Seen) -> Step:
        return self._take(Step(seen.id, seen.calendar_id, seen.rev, None))

    def revive(
        self,
        appointment_id: int,
        calendar_id: int,
        derived: Derived,
        href: str | None,
        is_silent: bool,
    ) -> Step:
        """Bring back what is not there any more, under its own number."""
        step = Step(appointment_id, None, None, calendar_id, derived, href, is_silent=is_silent)
        return self._take(step)

    def _take(self, step: Step) -> Step:
        self.steps.append(step)
        return step
