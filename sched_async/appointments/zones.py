"""The rules of the zones in use, and what was derived by rules that have changed since.

Governments change the clocks of places in which there are appointments already.  The wall
clock that was meant stays; the instants of its occurrences are derived again before
the next start serves.  Each zone in use has a row with the fingerprint of the rules by which
all its instants were derived.  It is empty when that is not so: a node with other zone data
has written there too, so that whichever starts next does it once more.
"""

import asyncio
import hashlib
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from secrets import token_hex
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, bindparam, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import begin, reading
from ..gently import gently
from ..models import Appointment, Zone
from ..times import changes
from .upkeep import again

# What an appointment can be in.
FIRST, LAST = datetime(1899, 12, 1, tzinfo=UTC), datetime(2200, 2, 1, tzinfo=UTC)
NOTE = text(
    "INSERT INTO zone (name, fingerprint) VALUES (:name, :mine) ON CONFLICT (name) "
    "DO UPDATE SET fingerprint = '' WHERE zone.fingerprint <> excluded.fingerprint"
)
KEPT = select(Zone.fingerprint).where(Zone.name == bindparam("name"))
PREPARED: set[str] = set()
log = logging.getLogger("sched_async.zones")


@cache
def fingerprint(zone: str) -> str:
    """The same for the same changes of the clocks, however their data are written.

    Empty when this machine's data do not have the zone.
    """
    try:
        place = ZoneInfo(zone)
    except (OSError, ValueError, LookupError):
        return ""
    instants = (FIRST, *gently(changes(zone, FIRST, LAST)))
    rules = [(instant.timestamp(), instant.astimezone(place).utcoffset()) for instant in instants]
    return hashlib.sha256(repr(rules).encode()).hexdigest()


async def prepare(zones: Collection[str]) -> None:
    """Work out the fingerprints before a lock is taken, each once: it takes a while."""
    for zone in sorted(set(zones) - PREPARED):
        await asyncio.to_thread(fingerprint, zone)
        PREPARED.add(zone)


async def note(session: AsyncSession, zone: str) -> None:
    """Say that a zone is in use: after its appointment was written, and before the commit."""
    await session.flush()
    kept = (await session.execute(KEPT, {"name": zone})).scalar()
    if kept not in ("", fingerprint(zone)):
        await session.execute(NOTE, {"name": zone, "mine": fingerprint(zone)})


async def catch_up() -> None:
    """Derive again what lies in zones whose rules are not those of the last start."""
    changed = await _changed()
    if not changed:
        return
    claim = f"by {token_hex(16)}"
    await _claim(changed, claim)
    await again(_is_in(changed))
    async with begin() as session:
        for zone in changed:
            # Who has taken it over meanwhile, or written there by other rules, has a later word.
            ours = (Zone.name == zone, Zone.fingerprint == claim)
            await session.execute(update(Zone).where(*ours).values(fingerprint=fingerprint(zone)))
    log.info("derived again, by the rules of now: %s", ", ".join(sorted(changed)))


def _is_in(zones: Collection[str]) -> ColumnElement[bool]:
    """One whose times are in several zones names them in its text."""
    named = (Appointment.ics.contains(zone, autoescape=True) for zone in sorted(zones))
    return or_(Appointment.timezone.in_(zones), *named)


async def _changed() -> set[str]:
    async with reading() as session:
        kept = {zone.name: zone.fingerprint for zone in await session.scalars(select(Zone))}
    await prepare(kept)
    now = {zone: fingerprint(zone) for zone in kept}
    return {zone for zone, found in now.items() if found and found != kept[zone]}


async def _claim(zones: Collection[str], claim: str) -> None:
    """From here on whoever writes there by other rules sees it, and ``note`` tells us."""
    async with begin() as session:
        if session.get_bind().dialect.name == "postgresql":
            # Waits for those that have written and not looked yet.
            await session.execute(text("LOCK TABLE appointment IN SHARE ROW EXCLUSIVE MODE"))
        await session.execute(update(Zone).where(Zone.name.in_(zones)).values(fingerprint=claim))
