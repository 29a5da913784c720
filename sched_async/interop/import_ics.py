"""Takes in what a calendar file holds: what is new, what has changed, and nothing twice.

    reading = await read_file(data)
    plan = await planned(user_id, calendar_id, reading)
    await take_in(db, user_id, plan)

Appointments are known again by their UID within the calendar that they go to.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from ..appointments import changes, storing
from ..appointments.acts import Act
from ..database import reading as reading_session
from ..errors import RefusedError
from ..gently import gently
from ..ics import child
from ..ics.cutting import OTHER
from ..ics.foreign import Found, contents
from ..ics.rows import found_of
from ..models import Appointment
from ..plurals import counted
from .ics import color_of

MOST_BYTES = 10 * 1024 * 1024
TOO_LARGE = f"The file is larger than {MOST_BYTES // 1024 // 1024} MB."
TOO_MUCH = "This file takes too long, or too much memory, to read."
CHILD = ("-P", child.__file__)
WAIT = 2 * child.SECONDS
OTHERS = {
    "VTODO": ("task",),
    "VJOURNAL": ("journal entry", "journal entries"),
    "VFREEBUSY": ("busy time",),
    OTHER: ("other entry", "other entries"),
}
"""What is not imported, in one and in many."""
BATCH = 64 * 1024  # bytes of the child's answer
LINE = 32 * 1024 * 1024  # bytes of the child's answer for one appointment


@dataclass
class Reading:
    """What a file holds."""

    found: list[Found] = field(default_factory=list)
    name: str = ""
    color: str = ""
    """Of ours, if it is one of these."""
    others: Counter[str] = field(default_factory=Counter)
    is_cut: bool = False
    """Whether the file ends before its calendar does."""
    is_whole: bool = False

    @property
    def refused(self) -> list[Found]:
        return [one for one in self.found if one.refused]


@dataclass
class Plan:
    """What an import would do to a calendar."""

    calendar_id: int
    new: list[Found] = field(default_factory=list)
    changed: list[tuple[Row[Any], Found]] = field(default_factory=list)
    same: list[Found] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.changed)

    @property
    def replacing(self) -> list[Found]:
        return [one for _, one in self.changed]

    @property
    def rings(self) -> bool:
        """Whether anything that it would write has reminders."""
        return any(one.made and one.made.rings for one in (*self.new, *self.replacing))


async def read_file(data: bytes, tell: Callable[[int], object] = lambda count: None) -> Reading:
    """Reads it in a process of its own; ``tell`` hears how many have been read.

    RefusedError for what is no calendar file, or more than this can take.
    """
    if len(data) > MOST_BYTES:
        raise RefusedError(TOO_LARGE)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, *CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        limit=LINE,
    )
    ended = False
    try:
        async with asyncio.timeout(WAIT):
            feeding = asyncio.create_task(_feed(cast(StreamWriter, child.stdin), data))
            found = await _hear(cast(StreamReader, child.stdout), tell)
            await feeding
        ended = True
    except (TimeoutError, ValueError):
        raise RefusedError(TOO_MUCH) from None
    finally:
        if not ended:  # its own kill() would first look whether it has, and take that from asyncio
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        await child.wait()
    return found


def _environment() -> dict[str, str]:
    """What Python itself needs, and none of the settings, of which some are secret."""
    needed = (name for name in os.environ if name == "PATH" or name.startswith("PYTHON"))
    return {name: os.environ[name] for name in needed}


async def _feed(pipe: StreamWriter, data: bytes) -> None:
    with suppress(ConnectionError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()


async def _hear(answer: StreamReader, tell: Callable[[int], object]) -> Reading:
    heard = Reading()
    async for lines in _batches(answer):
        await asyncio.to_thread(_take, lines, heard)
        tell(len(heard.found))
    if not heard.is_whole:
        raise RefusedError(TOO_MUCH)
    heard.found.sort(key=lambda one: one.line)
    return heard


async def _batches(answer: StreamReader) -> AsyncIterator[list[bytes]]:
    """A thread for each line would take longer than what it does."""
    some, size = list[bytes](), 0
    async for line in answer:
        some.append(line)
        size += len(line)
        if size >= BATCH:
            yield some
            some, size = [], 0
    yield some


def _take(lines: Sequence[bytes], heard: Reading) -> None:
    for row in map(json.loads, gently(lines)):
        if "error" in row:
            raise RefusedError(row["error"])
        if "others" in row:
            heard.name, heard.others, heard.is_whole = row["name"], Counter(row["others"]), True
            heard.color, heard.is_cut = color_of(row["color"]), row["is_cut"]
        else:
            heard.found.append(found_of(row))


async def planned(user_id: int, calendar_id: int, heard: Reading) -> Plan:
    """Compare with what the calendar holds."""
    plan = Plan(calendar_id)
    wanted = {one.made.columns["uid"]: one for one in heard.found if one.made}
    there = {row.uid: row async for row in _there(user_id, calendar_id, list(wanted))}
    plan.new = [one for uid, one in wanted.items() if uid not in there]
    await asyncio.to_thread(_compare, plan, [(row, wanted[row.uid]) for row in there.values()])
    return plan


def _compare(plan: Plan, pairs: Sequence[tuple[Row[Any], Found]]) -> None:
    for row, one in gently(pairs):
        if one.made and contents(row.ics) == contents(one.made.ics):
            plan.same.append(one)
        else:
            plan.changed.append((row, one))


async def _there(user_id: int, calendar_id: int, uids: Sequence[str]) -> Any:
    columns = (Appointment.id, Appointment.calendar_id, Appointment.rev)
    query = (
        Appointment.readable_by(user_id)
        .where(Appointment.calendar_id == calendar_id)
        .with_only_columns(*columns, Appointment.uid, Appointment.ics)
    )
    for some in storing.batches(uids, storing.WIDE):
        async with reading_session() as db:
            for row in await db.execute(query.where(Appointment.uid.in_(some))):
                yield row


async def take_in(db: AsyncSession, user_id: int, plan: Plan, *, reminding: bool = False) -> int:
    """One act, which one undo takes back; its number.  The caller commits.

    Without ``reminding`` what is new stays silent here, whatever reminders it brings.

    Raises ChangedError, TakenError, and RefusedError for what is too much.
    """
    async with changes.act(db, user_id, "import") as act:
        name_steps(act, plan, reminding=reminding)
    return act.id


def name_steps(act: Act, plan: Plan, *, reminding: bool = False) -> None:
    """What is new and what has changed, as steps of an act."""
    for one in plan.new:
        if one.made is not None:
            act.put(plan.calendar_id, one.made, is_silent=not reminding)
    for row, one in plan.changed:
        if one.made is not None:
            act.replace(row, one.made, is_silent=False if reminding else None)


def summary(plan: Plan, heard: Reading) -> dict[str, int]:
    """How many of what, in the words of all who tell it."""
    return {
        "new": len(plan.new),
        "changed": len(plan.changed),
        "already there": len(plan.same),
        "refused": len(heard.refused),
    }


def left_out(heard: Reading) -> str:
    """What else the file holds, as a sentence; empty where that is nothing."""
    some = {words: heard.others[kind] for kind, words in OTHERS.items() if heard.others[kind]}
    *most, last = [counted(count, *words) for words, count in some.items()] or [""]
    said = " and ".join(filter(None, (", ".join(most), last)))
    return f"{said} {'was' if sum(some.values()) == 1 else 'were'} not taken." if said else ""
