"""Calendars that follow a public address: a club's, or the holidays of a country.

Such a calendar is read once a day, and when its owner says so.  Nobody else changes what is in it,
and while its source fails it stays as it was.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import uniform
from typing import Any

from quart import current_app
from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..appointments import changes, storing
from ..appointments.acts import ChangedError, TakenError
from ..database import begin, reading
from ..errors import RefusedError
from ..ics.foreign import OLDER
from ..links import host_of
from ..models import Appointment, Calendar, Followed, User, UtcSeconds
from ..plurals import counted
from ..times import now
from .export_view import slots
from .fetching import Fetched, fetch
from .import_ics import Plan, Reading, name_steps, planned, read_file

EVERY = timedelta(minutes=5)
DAILY = timedelta(days=1)
SPREAD = timedelta(hours=1)
"""So that not all who follow one address come at one moment."""
WAITS = (timedelta(hours=1), timedelta(hours=4))
LEASE = timedelta(minutes=10)
AGAIN = timedelta(minutes=1)
TOO_SOON = "It was tried less than a minute ago. Please wait a minute."
BROKEN_OFF = "The file is incomplete."
CHANGED = "It is already being refreshed."
DUE = (
    select(Followed.calendar_id, Followed.tried_at)
    .join(Calendar, Calendar.id == Followed.calendar_id)
    .join(User, User.id == Calendar.user_id)
    .where(Followed.next_at <= bindparam("now", type_=UtcSeconds))
    .where(Calendar.deleted_at.is_(None), User.is_active, User.delete_at.is_(None))
    .order_by(Followed.next_at, Followed.calendar_id)
    .limit(20)
)
log = logging.getLogger("sched_async.background")


async def refresh_now(calendar_id: int) -> str:
    """On demand; the sentence why not, or nothing."""
    async with reading() as work:
        tried = select(Followed.tried_at).where(Followed.calendar_id == calendar_id)
        before = await work.scalar(tried)
    if before is None or now() - before < AGAIN or not await _claim(calendar_id, before):
        return TOO_SOON
    return await refresh(calendar_id)


async def refresh_due() -> None:
    """Read those whose day has come, one after the other."""
    async with reading() as work:
        rows = (await work.execute(DUE, {"now": now()})).all()
    for row in rows:
        if await _claim(row.calendar_id, row.tried_at):
            try:
                await refresh(row.calendar_id)
            except Exception:  # the others go on; this one again once its lease is over
                log.exception("calendar %s could not be refreshed", row.calendar_id)


async def _claim(calendar_id: int, before: datetime) -> bool:
    mine = (Followed.calendar_id == calendar_id, Followed.tried_at == before)
    claimed = update(Followed).where(*mine).values(tried_at=now(), next_at=now() + LEASE)
    async with begin() as work:
        return await work.scalar(claimed.returning(Followed.calendar_id)) is not None


async def refresh(calendar_id: int) -> str:
    """Bring a calendar to what lies at its address; the sentence why not, or nothing."""
    async with reading() as work:
        query = select(Followed, Calendar.user_id).join(Calendar)
        found = (await work.execute(query.where(Followed.calendar_id == calendar_id))).first()
    if found is None:
        return ""
    followed, user_id = found
    try:
        fetched, heard = await read(followed.address, followed.etag, followed.last_modified)
        values = _fresh(fetched)
        if unreadable(heard):  # read again tomorrow, also if nothing has changed by then
            values |= {"problem": missed(heard).strip(), "etag": "", "last_modified": ""}
        await _bring(calendar_id, user_id, fetched, heard, values)
    except (RefusedError, ChangedError, TakenError) as refused:
        problem = str(refused) if isinstance(refused, RefusedError) else CHANGED
        await _note_failure(followed, problem)
        return problem
    return ""


async def read(address: str, etag: str = "", last_modified: str = "") -> tuple[Fetched, Reading]:
    """What lies there; RefusedError where it cannot be read, or is no calendar."""
    allows_private = current_app.config["FOLLOW_PRIVATE"] == "yes"
    async with slots("following"):
        fetched = await fetch(address, etag, last_modified, allows_private=allows_private)
        heard = await read_file(fetched.data) if fetched.data is not None else Reading()
    if heard.is_cut:
        raise RefusedError(BROKEN_OFF)
    return fetched, heard


async def _bring(
    calendar_id: int, user_id: int, fetched: Fetched, heard: Reading, values: dict[str, Any]
) -> None:
    plan, gone = Plan(calendar_id), list[Any]()
    if fetched.data is not None:
        plan = await planned(user_id, calendar_id, heard)
    if fetched.data is not None and not unreadable(heard):  # which may be what is here
        gone = await _vanished(calendar_id, heard)
    async with begin() as work:
        if fetched.data is not None and (plan or gone):
            await write(work, user_id, plan, gone)
        mine = update(Followed).where(Followed.calendar_id == calendar_id)
        await work.execute(mine.values(values))


async def write(work: AsyncSession, user_id: int, plan: Plan, gone: Sequence[Any]) -> None:
    """One act, which is in no trash; its reminders stay silent."""
    async with changes.act(work, user_id, changes.REFRESH) as act:
        name_steps(act, plan)
        for row in gone:
            act.delete(row)


async def _vanished(calendar_id: int, heard: Reading) -> list[Any]:
    """What is here, and not there any more."""
    there = {one.made.columns["uid"] for one in heard.found if one.made}
    columns = (Appointment.id, Appointment.calendar_id, Appointment.rev, Appointment.uid)
    query = select(*columns).where(Appointment.calendar_id == calendar_id)
    gone, last = [], ""
    while True:
        page = query.where(Appointment.uid > last).order_by(Appointment.uid).limit(storing.MANY)
        async with reading() as work:
            rows = (await work.execute(page)).all()
        gone += [row for row in rows if row.uid not in there]
        if len(rows) < storing.MANY:
            return gone
        last = rows[-1].uid


async def _note_failure(followed: Followed, problem: str) -> None:
    """It is tried again soon, and then daily."""
    wait = WAITS[followed.failures] if followed.failures < len(WAITS) else DAILY
    failed = {"problem": problem, "failures": followed.failures + 1, "next_at": now() + wait}
    mine = update(Followed).where(Followed.calendar_id == followed.calendar_id)
    async with begin() as work:
        await work.execute(mine.values(failed))
    log.info(
        "calendar %s was not refreshed from %s", followed.calendar_id, host_of(followed.address)
    )


def followed_row(calendar_id: int, address: str, fetched: Fetched) -> Followed:
    return Followed(
        calendar_id=calendar_id,
        address=address,
        tried_at=now(),
        **_fresh(fetched),
    )


def _fresh(fetched: Fetched) -> dict[str, Any]:
    """What its row says once it has been read."""
    following = now() + DAILY + uniform(-0.5, 0.5) * SPREAD  # noqa: S311 (no secret)
    stamps: dict[str, Any] = {"refreshed_at": now(), "next_at": following}
    if fetched.data is not None:
        stamps |= {"etag": fetched.etag, "last_modified": fetched.last_modified}
    return stamps | {"problem": "", "failures": 0}


def unreadable(heard: Reading) -> int:
    """How many there are in its newest version that cannot be read."""
    return sum(one.refused != OLDER for one in heard.refused)


def missed(heard: Reading) -> str:
    """A sentence, behind another one; or nothing."""
    many = unreadable(heard)
    return f" {counted(many, 'appointment')} can't be read." if many else ""
