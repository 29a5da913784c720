"""The one door: every change of appointments is an act that is written here.

    async with changes.act(db, user_id, "edit", title) as act:
        act.replace(appointment, await derived(text))
    await db.commit()

What is named inside is written when the block ends: each calendar that it touches gets a new
revision, in the order of their numbers, and is locked by that; each appointment leaves what it
was before.  Undo, trash and synchronisation are readings of these rows.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from itertools import chain
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import RefusedError
from ..models import Act as ActRow
from ..models import Appointment, Calendar, Change
from ..times import now
from . import reminders, storing, zones
from .acts import Act, ChangedError, RepeatedError, Step, TakenError
from .counts import Growth, refuse_sums, refuse_too_much

BEFORE: Any = (
    Appointment.id,
    Appointment.calendar_id,
    Appointment.rev,
    Appointment.uid,
    Appointment.href,
    Appointment.ics,
    Appointment.is_silent,
)
acts, calendars = cast(Table, ActRow.__table__), cast(Table, Calendar.__table__)
# Statements are built once where they stand between a lock and a commit.
RAISE = (
    update(calendars)
    .where(
        calendars.c.id == bindparam("of"),
        calendars.c.user_id == bindparam("owner"),
        calendars.c.deleted_at.is_(None),
        or_(calendars.c.is_followed.is_(False), bindparam("is_refresh")),
    )
    .values(
        rev=calendars.c.rev + bindparam("rows"),
        appointments=calendars.c.appointments + bindparam("more"),
        occurrences=calendars.c.occurrences + bindparam("more_occurrences"),
    )
    .returning(calendars.c.rev)
)
SEEN = select(*BEFORE).where(Appointment.id.in_(bindparam("ids", expanding=True)))
CORE = {"synchronize_session": False}
changes = cast(Table, Change.__table__)
REFRESH = "refresh"
"""The kind of an act that brings a calendar to what it follows; no other may change one."""
FOLLOWED = "You follow this calendar, so nothing in it can be changed here."
REMEMBERED = "remembered"
"""The kind of an act that changed nothing itself: it keeps the name of what was imported."""


@asynccontextmanager
async def act(
    db: AsyncSession,
    user_id: int,
    kind: str,
    title: str = "",
    *,
    submission: str | None = None,
    calendar_id: int | None = None,
) -> AsyncIterator[Act]:
    """Write what is named inside; the caller commits.

    Raises ChangedError, TakenError, RepeatedError, and RefusedError for what is too much; then
    nothing may be committed.
    """
    values = {"user_id": user_id, "kind": kind, "title": title, "submission": submission}
    made = Act({**values, "calendar_id": calendar_id})
    yield made
    await _write(db, made)


async def _write(db: AsyncSession, made: Act) -> None:
    """As little as can be stands between the lock of a calendar and the commit."""
    user_id, growth = made.row["user_id"], Growth(made.steps)
    used = set(chain(*(step.derived.zones for step in made.steps if step.derived)))
    await zones.prepare(used)
    if max(growth.more) > 0:
        await refuse_too_much(user_id, growth.more)
    revs = await _lock(db, made, growth)
    await _compare(db, made.steps)
    await _refuse_taken(db, made.steps)
    growth = await _apply(db, made.steps, revs)
    made.id = await _record(db, made)
    for some in storing.batches(row for step in made.steps for row in _changes(step, made.id)):
        await db.execute(insert(changes), some)
    await reminders.keep(db, user_id, made.steps)
    await _count(db, made, growth)
    await _remember(db, made)
    for zone in sorted(used):
        await zones.note(db, zone)


async def _record(db: AsyncSession, made: Act) -> int:
    """Behind what it has made, so that it can name it; one that is a repeat undoes all of that."""
    number_made = made.appointment_id if made.row["submission"] is not None else None
    row = made.row | {"count": len(made.steps), "appointment_id": number_made, "made_at": now()}
    query = _record_once(db.get_bind().dialect.name)
    number: int | None = (await db.execute(query, row)).scalar()
    if number is None:
        await _refuse_repeated(db, row)
        number = int((await db.execute(query, row)).scalar_one())
    return number


@cache
def _record_once(dialect: str) -> Any:
    """An act, unless its form was sent before."""
    names = ("user_id", "kind", "title", "count", "calendar_id", "appointment_id", "submission")
    values: Any = {name: bindparam(name) for name in (*names, "made_at")}
    query = storing.INSERTS[dialect](acts).values(values)
    once = query.on_conflict_do_nothing(index_elements=["user_id", "submission"])
    return once.returning(acts.c.id)


async def _refuse_repeated(db: AsyncSession, row: dict[str, Any]) -> None:
    """Unless what the form made then is gone: that form may make it again."""
    first = (ActRow.user_id == row["user_id"], ActRow.submission == row["submission"])
    made = select(ActRow.appointment_id).where(*first).scalar_subquery()
    there = Appointment.readable_by(row["user_id"]).where(Appointment.id == made)
    number = await db.scalar(there.with_only_columns(Appointment.id))
    if number is not None:
        raise RepeatedError(number)
    await db.execute(update(ActRow).where(*first).values(submission=None))


async def _lock(db: AsyncSession, made: Act, growth: Growth) -> dict[int, int]:
    """Each calendar's last revision before this act, which no other can raise until it ends."""
    touched = list(chain.from_iterable(step.calendars for step in made.steps))
    revs = {}
    for number in sorted(set(touched)):
        rows = touched.count(number)
        whose = _whose(made, number)
        rev = (await db.execute(RAISE, {**whose, "rows": rows, **growth.of(number)})).scalar()
        if rev is None:
            await _refuse_followed(db, number)
            raise ChangedError({step.id for step in made.steps if step.id})
        revs[number] = rev - rows
    return revs


def _whose(made: Act, number: int) -> dict[str, Any]:
    return {"of": number, "owner": made.row["user_id"], "is_refresh": made.kind == REFRESH}


async def _refuse_followed(db: AsyncSession, number: int) -> None:
    query = select(Calendar.is_followed).where(Calendar.id == number)
    if await db.scalar(query.where(Calendar.deleted_at.is_(None))):
        raise RefusedError(FOLLOWED)


async def _compare(db: AsyncSession, steps: Iterable[Step]) -> None:
    """Look at what is there now; what is to be revived must not be there."""
    here = {step.id: step for step in steps if step.id is not None}
    found: dict[int, Any] = {}
    for some in storing.batches(here):
        found |= {row.id: row for row in await db.execute(SEEN, {"ids": some})}
    changed = set()
    for number, step in here.items():
        step.before = found.get(number)
        is_now = step.before and (step.before.calendar_id, step.before.rev)
        if is_now != (None if step.source is None else (step.source, step.rev)):
            changed.add(number)
    if changed:
        raise ChangedError(changed)


async def _refuse_taken(db: AsyncSession, steps: Iterable[Step]) -> None:
    """A name must be free in the calendar that an appointment comes to, and not come twice.

    What is deleted in the same act goes first, and is not in the way.
    """
    gone = {step.id for step in steps if step.target is None}
    coming: dict[int, list[Step]] = {}
    for step in steps:
        if step.target is not None and step.is_renamed and not step.is_fresh:
            coming.setdefault(step.target, []).append(step)
    for calendar_id, here in coming.items():
        await _refuse_names(db, Appointment.uid, calendar_id, [one.uid for one in here], gone)
        stay = {one.id for one in here if one.source == calendar_id}  # under their old address
        hrefs = [href for one in here if (href := one.href_then) is not None]
        await _refuse_names(db, Appointment.href, calendar_id, hrefs, gone | stay)


async def _refuse_names(
    db: AsyncSession, column: Any, calendar_id: int, names: Sequence[str], fine: set[int | None]
) -> None:
    if len(names) > len(set(names)):
        raise TakenError
    for some in storing.batches(names):
        query = _named(column.key)
        if set(await db.scalars(query, {"calendar": calendar_id, "names": some})) - fine:
            raise TakenError


@cache
def _named(column: str) -> Any:
    names = getattr(Appointment, column).in_(bindparam("names", expanding=True))
    return select(Appointment.id).where(Appointment.calendar_id == bindparam("calendar"), names)


async def _apply(db: AsyncSession, steps: Sequence[Step], revs: dict[int, int]) -> Growth:
    """Write the rows; gives by how much each calendar grows besides what is new in it."""
    for step in steps:
        for number in sorted(step.calendars):
            revs[number] += 1
            step.revs[number] = revs[number]
    growth = Growth()
    await _delete(db, [step for step in steps if step.target is None], growth)
    for step in steps:
        if step.source is not None and step.target is not None:
            await _change(db, step, growth)
    await _insert(db, [step for step in steps if step.source is None])
    return growth


async def _delete(db: AsyncSession, steps: Sequence[Step], growth: Growth) -> None:
    ids = [step.id for step in steps if step.id is not None]
    counts = await storing.count_occurrences(db, ids)
    for step in steps:
        growth.add(step.source, -1, -counts[step.id or 0])
    await storing.remove(db, ids)


async def _change(db: AsyncSession, step: Step, growth: Growth) -> None:
    number, source, target = step.id or 0, step.source, step.target or 0
    rev = step.revs[target]
    if step.derived is not None:
        row = storing.row(step.derived, target, rev) | {"is_silent": step.silent}
        await storing.change(db, number, row)
        rows = storing.occurrence_rows(number, target, step.derived)
        more = await storing.renew_occurrences(db, rows, number)
    else:
        await storing.change(db, number, {"calendar_id": target, "rev": rev})
        await storing.move_occurrences(db, number, target)
        more = 0
    if source == target:
        growth.add(target, 0, more)
    else:
        count = (await storing.count_occurrences(db, [number]))[number]
        growth.add(source, -1, more - count)
        growth.add(target, 1, count)


async def _insert(db: AsyncSession, steps: Sequence[Step]) -> None:
    rows, occurrences = [], []
    for step in steps:
        if step.derived is not None and step.target is not None:
            row = storing.row(step.derived, step.target, step.revs[step.target])
            row |= {"href": step.href, "is_silent": step.silent}
            rows.append(row | ({"id": step.id} if step.id else {}))
    for some, ids in zip(steps, await storing.add(db, rows), strict=True):
        some.id = ids
        if some.derived is not None and some.target is not None:
            occurrences += storing.occurrence_rows(ids, some.target, some.derived)
    await storing.add_occurrences(db, occurrences)


def _changes(step: Step, act_id: int) -> Iterator[dict[str, Any]]:
    for number, rev in step.revs.items():
        was = step.before if number == step.source else None
        uid = step.before.uid if step.before else step.derived.columns["uid"]  # type: ignore[union-attr]
        yield {
            "calendar_id": number,
            "rev": rev,
            "appointment_id": step.id,
            "uid": uid,
            "href": step.before.href if step.before else step.href,
            "act_id": act_id,
            "before": was.ics if was else None,
            "is_silent": bool(was and was.is_silent),
        }


async def _count(db: AsyncSession, made: Act, growth: Growth) -> None:
    """Keep how many there are."""
    for number, more in sorted(growth.by.items()):
        if more != (0, 0):
            await db.execute(RAISE, {**_whose(made, number), "rows": 0, **growth.of(number)})
    if max(growth.more) > 0:
        await refuse_sums(db, made.row["user_id"])


async def _remember(db: AsyncSession, made: Act) -> None:
    """The names by which an import knows again what it brought."""
    rows = [
        {
            "user_id": made.row["user_id"],
            "kind": REMEMBERED,
            "title": "",
            "count": 0,
            "submission": step.submission,
            "appointment_id": step.id,
        }
        for step in made.steps
        if step.submission is not None
    ]
    if rows:
        query = storing.INSERTS[db.get_bind().dialect.name](ActRow)
        query = query.on_conflict_do_update(
            index_elements=["user_id", "submission"],
            set_={"appointment_id": query.excluded.appointment_id},
        )
        for some in storing.batches(rows):
            await db.execute(query, some)
