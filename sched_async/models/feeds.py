"""Secret addresses at which other programs read a calendar."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..times import now
from .base import NEVER_TWICE, Base, UtcSeconds


class Feed(Base):
    """An address of a calendar, of which each can have one with everything and one busy only.

    The row holds the SHA-256 of its token, so that a copy of the database opens no calendar.
    """

    __tablename__ = "feed"
    __table_args__ = (UniqueConstraint("calendar_id", "is_busy_only"), NEVER_TWICE)

    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendar.id", ondelete="CASCADE"))
    is_busy_only: Mapped[bool]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcSeconds)
    """To the hour."""
