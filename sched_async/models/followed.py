"""Addresses elsewhere that calendars follow."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, UtcSeconds


class Followed(Base):
    """Where a calendar with ``is_followed`` is read from, and how that went.

    Whoever raises ``tried_at`` from what it was reads it, and nobody else.
    """

    __tablename__ = "followed"
    __table_args__ = ()

    calendar_id: Mapped[int] = mapped_column(
        ForeignKey("calendar.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    address: Mapped[str] = mapped_column(Text)
    etag: Mapped[str] = mapped_column(Text)
    last_modified: Mapped[str] = mapped_column(Text)
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcSeconds)
    """When it was last found as it is here, or brought to that."""
    tried_at: Mapped[datetime] = mapped_column(UtcSeconds)
    next_at: Mapped[datetime] = mapped_column(UtcSeconds, index=True)
    failures: Mapped[int] = mapped_column(Integer)
    """Since it was last refreshed."""
    problem: Mapped[str] = mapped_column(Text)
    """Why it could not be refreshed, in a sentence; empty when it was."""
