"""Takes back what an act did: each appointment becomes again what it was before.

That is an act itself, and can be taken back too.  Where some have changed since, nothing is
done unless the caller says what to do about these.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import reading
from ..errors import RefusedError
from ..ics.derive import Derived
from ..models import Act, Appointment, Calendar, Change
from ..purging import KEPT
from ..texts import isolated
from ..times import now
from . import changes, storing
from .calendar_changes import delete_again, restore
from .expanding import derived

TWICE = "This has been undone already."
IN_TRASH = (
    "Nothing has been undone: the calendar “{}” has been deleted. "
    "Bring it back first, from the trash."
)


class GoneError(Exception):
    """There is no such act of this person, or it cannot be undone any more."""


@dataclass(frozen=True)
class Conflict:
    """Appointments that have changed since the act, and what they are called.

    Of those that are gone, nothing to call them by is kept but their number.
    """

    titles: dict[int, str | None]


@dataclass(frozen=True)
class Undone:
    """By which act; that is what can be undone now."""

    act_id: int
    count: int


@dataclass(frozen=True)
class Plan:
    """What an appointment was before: where, as what; ``calendar_id`` is None: nowhere."""

    appointment_id: int
    calendar_id: int | None
    href: str | None
    derived: Derived | None
    is_silent: bool = False


async def undo(
    db: AsyncSession, user_id: int, act_id: int, *, changed: str = "ask"
) -> Undone | Conflict:
    """Take an act back; the caller commits.

    ``changed`` is what becomes of appointments that have changed since: ``ask`` gives a
    Conflict and changes nothing, ``all`` takes these back as well, ``others`` leaves them.
    Raises GoneError, RefusedError when it is undone already or is too much, and TakenError.
    """
    act = await own_act(user_id, act_id)
    if act.undone_at is not None:
        raise RefusedError(TWICE)
    plans = await _plans(act_id)
    if not plans and act.calendar_id is None:
        raise GoneError
    # Only what is seen here is taken back: who changes it meanwhile is told, by ChangedError.
    there = await _there([plan.appointment_id for plan in plans])
    since = await _changed_since(act_id, [plan.appointment_id for plan in plans])
    if since and changed == "ask":
        return Conflict(await _titles(since))
    if changed == "others":
        plans = [plan for plan in plans if plan.appointment_id not in since]
    await _refuse_gone_calendars(user_id, plans, there)
    await _mark(db, act_id)
    kind, number = _kind(act, there), act.calendar_id
    title = "" if act.kind == "import" else act.title
    async with changes.act(db, user_id, kind, title, calendar_id=number) as made:
        for plan in plans:
            _step(made, plan, there.get(plan.appointment_id))
    if number is not None:
        back = restore if kind == "restore" else delete_again
        await back(db, user_id, number)
    return Undone(made.id, len(made.steps))


def _kind(act: Act, there: Mapping[int, Any]) -> str:
    """What undoing it is called: the trash shows all but restore, by which nothing is lost."""
    if act.calendar_id is not None:
        return "restore" if act.kind == "delete_calendar" else "delete_calendar"
    return "undo" if there else "restore"


async def own_act(user_id: int, act_id: int) -> Act:
    """Raises GoneError when there is none, or none that can be undone any more."""
    query = select(Act).where(Act.id == act_id, Act.user_id == user_id, Act.made_at > now() - KEPT)
    async with reading() as db:
        act = await db.scalar(query)
    if act is None:
        raise GoneError
    return act


async def _refuse_gone_calendars(
    user_id: int, plans: Sequence[Plan], there: Mapping[int, Any]
) -> None:
    needed = {plan.calendar_id for plan in plans if plan.calendar_id is not None}
    needed |= {
        there[plan.appointment_id].calendar_id for plan in plans if plan.appointment_id in there
    }
    if not needed:
        return
    query = select(Calendar.name).where(Calendar.user_id == user_id, Calendar.id.in_(needed))
    async with reading() as db:
        name = await db.scalar(query.where(Calendar.deleted_at.is_not(None)).limit(1))
    if name is not None:
        raise RefusedError(IN_TRASH.format(isolated(name)))


async def _mark(db: AsyncSession, act_id: int) -> None:
    """Whoever comes second finds it done."""
    once = update(Act).where(Act.id == act_id, Act.undone_at.is_(None)).values(undone_at=now())
    if await db.scalar(once.returning(Act.id)) is None:
        raise RefusedError(TWICE)


async def _plans(act_id: int) -> list[Plan]:
    """Derived here, before anything is locked."""
    query = select(Change).where(Change.act_id == act_id)
    async with reading() as db:
        rows = sorted(await db.scalars(query), key=attrgetter("calendar_id", "rev"))
    where: dict[int, Change | None] = {}
    for row in rows:
        where[row.appointment_id] = where.get(row.appointment_id) or (
            row if row.before is not None else None
        )
    return [await _plan(number, row) for number, row in where.items()]


async def _plan(appointment_id: int, row: Change | None) -> Plan:
    if row is None or row.before is None:
        return Plan(appointment_id, None, None, None)
    made = await derived(row.before)
    return Plan(appointment_id, row.calendar_id, row.href, made, row.is_silent)


async def _changed_since(act_id: int, ids: Collection[int]) -> set[int]:
    """Those that are not what the act left: that is what the first change after it found.

    So what has been changed and then undone is as if nothing had been.
    """
    found: set[int] = set()
    async with reading() as db:
        for some in storing.batches(ids):
            rows = (await db.execute(_left_and_now(act_id, some))).all()
            same = {row.id for row in rows if row.is_same}
            found |= {row.id for row in rows if row.was_there or row.is_there} - same
    return found


def _left_and_now(act_id: int, ids: Sequence[int]) -> Any:
    """Acts are numbered in their order, as far as they are about the same appointment."""
    later = select(Change.appointment_id, func.min(Change.act_id).label("act_id"))
    later = later.where(Change.appointment_id.in_(ids), Change.act_id > act_id)
    first = later.group_by(Change.appointment_id).subquery()
    is_its = (Change.appointment_id == first.c.appointment_id) & (Change.act_id == first.c.act_id)
    is_same = (Appointment.calendar_id == Change.calendar_id) & (Appointment.ics == Change.before)
    return (
        select(
            first.c.appointment_id.label("id"),
            Change.before.is_not(None).label("was_there"),
            Appointment.id.is_not(None).label("is_there"),
            is_same.label("is_same"),
        )
        .join(Change, is_its)
        .outerjoin(Appointment, Appointment.id == first.c.appointment_id)
    )


async def _titles(ids: Collection[int]) -> dict[int, str | None]:
    rows = await _there(sorted(ids))
    return {number: rows[number].title if number in rows else None for number in sorted(ids)}


async def _there(ids: Sequence[int]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    columns = (Appointment.id, Appointment.calendar_id, Appointment.rev, Appointment.title)
    async with reading() as db:
        for some in storing.batches(ids):
            query = select(*columns).where(Appointment.id.in_(some))
            found |= {row.id: row for row in await db.execute(query)}
    return found


def _step(made: Any, plan: Plan, there: Any) -> None:
    if plan.calendar_id is None or plan.derived is None:
        if there is not None:
            made.delete(there)
    elif there is None:
        made.revive(plan.appointment_id, plan.calendar_id, plan.derived, plan.href, plan.is_silent)
    else:
        made.replace(there, plan.derived, plan.calendar_id, is_silent=plan.is_silent)
