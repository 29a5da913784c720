"""Devices that stand for the second factor for a while, since their owner said so.

It is the cookie of the device that is trusted, for one person: the row names both.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..models import Device
from ..times import now
from . import devices_known

TRUSTED = timedelta(days=30)


async def is_trusted(db: AsyncSession, user_id: int) -> bool:
    """Whether this browser need not give a code for this person."""
    device = await devices_known.current(db, user_id)
    until = device.trusted_until if device is not None else None
    return until is not None and until > now()


async def trust(db: AsyncSession, user_id: int) -> None:
    """Let this browser stand for the second factor from now on; the caller commits."""
    device = await devices_known.renew(db, user_id)
    device.trusted_until = now() + TRUSTED


async def end(db: AsyncSession, user_id: int) -> None:
    """Ask for a code again, on every device; the caller commits."""
    await db.execute(update(Device).where(Device.user_id == user_id).values(trusted_until=None))


async def end_elsewhere(db: AsyncSession, user_id: int) -> None:
    """The same on every device but this one; the caller commits."""
    here = await devices_known.current(db, user_id)
    elsewhere = (Device.user_id == user_id, Device.id != (here.id if here is not None else 0))
    await db.execute(update(Device).where(*elsewhere).values(trusted_until=None))


async def count(db: AsyncSession, user_id: int) -> int:
    return await db.scalar(select(func.count()).where(*_trusted(user_id))) or 0


def _trusted(user_id: int) -> Any:
    return Device.user_id == user_id, Device.trusted_until > now()
