"""When somebody is to be reminded next."""

from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, Update, update
from sqlalchemy.orm import Mapped, mapped_column

from ..times import now
from .base import Base, UtcSeconds


class Reminder(Base):
    """Of an appointment that has reminders and is not silent, the next of them.

    Whoever raises ``since`` from what it was has all between the two to send, and nobody else.
    """

    __tablename__ = "reminder"
    __table_args__ = ()

    appointment_id: Mapped[int] = mapped_column(
        ForeignKey("appointment.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    since: Mapped[datetime] = mapped_column(UtcSeconds)
    """What was due by then has been seen to."""
    next_at: Mapped[datetime | None] = mapped_column(UtcSeconds, index=True)
    """None when there is no other; once it is past, somebody looks what there is."""

    @classmethod
    def look_again(cls, *which: ColumnElement[bool]) -> Update:
        """For when these would ring has changed."""
        return update(cls).where(*which).values(next_at=now())
