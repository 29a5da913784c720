"""Calendars, what is in them, and what was done to that.

The text of an appointment (``ics``) is the record; its other columns and its occurrences
are derived from it (``appointments.derive``).  Only ``appointments.changes`` and its
neighbours write here, and each read starts at ``readable_by``.
"""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BindParameter,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Select,
    String,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ..times import now
from .base import NEVER_TWICE, Base, UtcSeconds

IN_TRASH = text(
    "undone_at IS NULL AND kind NOT IN ('create', 'create_calendar', 'remembered', 'restore')"
)
"""Acts by which something may have been lost; of the others there can be very many."""
HAS_OWN_TEXTS = text("search IS NOT NULL")


class Calendar(Base):
    """Some of a person's appointments, under a name and a colour."""

    __tablename__ = "calendar"
    __table_args__ = (Index(None, "user_id", "position", "id"), NEVER_TWICE)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    color: Mapped[str] = mapped_column(String(16))
    position: Mapped[int] = mapped_column(Integer)
    """The lowest is the default one."""
    is_hidden: Mapped[bool] = mapped_column(default=False)
    is_followed: Mapped[bool] = mapped_column(default=False)
    """What is in it comes from elsewhere (``Followed``), and is not changed here."""
    rev: Mapped[int] = mapped_column(default=0)
    """Raised by one with each row of ``change``."""
    pruned_rev: Mapped[int] = mapped_column(default=0)
    """Changes up to it are no longer known."""
    appointments: Mapped[int] = mapped_column(Integer, default=0)
    """How many are in it: to count them would take as long as there are many."""
    occurrences: Mapped[int] = mapped_column(Integer, default=0)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcSeconds, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)

    @classmethod
    def readable_by(cls, user_id: int | BindParameter[int]) -> Select["Calendar"]:
        """Start every query here: what is not the user's does not exist."""
        return select(cls).where(cls.user_id == user_id, cls.deleted_at.is_(None))


class Appointment(Base):
    """One iCalendar object: an appointment, with all that repeats of it.

    ``start`` and ``end`` are wall-clock times in ``timezone`` (None: wherever one is).  When
    ``allday`` is set they are dates (at midnight), ``end`` is the last day, and the zone plays
    no part.  Of a series they are those of its first.
    """

    __tablename__ = "appointment"
    __table_args__ = (
        UniqueConstraint("calendar_id", "uid"),
        UniqueConstraint("calendar_id", "href"),
        Index(None, "calendar_id", "expanded_until"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendar.id", ondelete="CASCADE"))
    uid: Mapped[str] = mapped_column(Text)
    """Its permanent name in other calendars."""
    href: Mapped[str | None] = mapped_column(Text)
    """The last part of its address for other programs."""
    ics: Mapped[str] = mapped_column(Text)
    etag: Mapped[str] = mapped_column(String(64))
    rev: Mapped[int]
    """The calendar's revision that its last change made."""
    title: Mapped[str] = mapped_column(Text)
    location: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    search: Mapped[str] = mapped_column(Text)
    allday: Mapped[bool]
    start: Mapped[datetime] = mapped_column(DateTime)
    end: Mapped[datetime] = mapped_column(DateTime)
    timezone: Mapped[str | None] = mapped_column(Text)
    rrule: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(Text)
    transparent: Mapped[bool]
    reminders: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Those that a form shows, in minutes before the start; of whole days so many days'."""
    is_silent: Mapped[bool] = mapped_column(default=False)
    """Its reminders came from elsewhere, and nobody has asked for them here."""
    created_at: Mapped[datetime] = mapped_column(UtcSeconds)
    modified_at: Mapped[datetime] = mapped_column(UtcSeconds)
    expanded_until: Mapped[datetime | None] = mapped_column(UtcSeconds, index=True)
    """How far its occurrences are kept; None when all of them are."""

    @classmethod
    def readable_by(cls, user_id: int | BindParameter[int]) -> Select["Appointment"]:
        """Start every query here, or at the person's calendars."""
        mine = (Calendar.user_id == user_id, Calendar.deleted_at.is_(None))
        return select(cls).join(Calendar, Calendar.id == cls.calendar_id).where(*mine)


class Occurrence(Base):
    """One time at which an appointment happens.

    ``start_utc`` and ``end_utc`` are instants, or where it is ``floating`` (a whole day, or
    without a zone) the wall clock as if it were UTC.  Texts are those that differ.
    """

    __tablename__ = "occurrence"
    __table_args__ = (
        Index(
            "ix_occurrence_range",
            "calendar_id",
            "floating",
            "long",
            "start_utc",
            "appointment_id",
            "recurrence_id",
            "end_utc",
        ),
        Index(
            "ix_occurrence_own_texts",
            "calendar_id",
            sqlite_where=HAS_OWN_TEXTS,
            postgresql_where=HAS_OWN_TEXTS,
        ),
    )

    appointment_id: Mapped[int] = mapped_column(
        ForeignKey("appointment.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    recurrence_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Its original start by the clocks of the series, '' where nothing repeats."""
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendar.id", ondelete="CASCADE"))
    floating: Mapped[bool]
    allday: Mapped[bool]
    long: Mapped[bool]
    start_utc: Mapped[datetime] = mapped_column(UtcSeconds)
    end_utc: Mapped[datetime] = mapped_column(UtcSeconds)
    title: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(Text)
    search: Mapped[str | None] = mapped_column(Text)


class Act(Base):
    """What a person did, once; its changes can be undone for a while."""

    __tablename__ = "act"
    __table_args__ = (
        UniqueConstraint("user_id", "submission"),
        Index(
            "ix_act_trash",
            "user_id",
            "made_at",
            "id",
            sqlite_where=IN_TRASH,
            postgresql_where=IN_TRASH,
        ),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(Text)
    count: Mapped[int] = mapped_column(Integer)
    """How many appointments it changed."""
    calendar_id: Mapped[int | None] = mapped_column(
        ForeignKey("calendar.id", ondelete="SET NULL"), index=True
    )
    """Of a calendar that it deleted, or brought back."""
    appointment_id: Mapped[int | None]
    """What a form made: the same form sent again leads there."""
    submission: Mapped[str | None] = mapped_column(String(64))
    """Names the form that made something, and its contents: the same sent twice finds the first."""
    made_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now, index=True)
    undone_at: Mapped[datetime | None] = mapped_column(UtcSeconds)


class Change(Base):
    """One appointment put into a calendar, changed there, or taken out of it."""

    __tablename__ = "change"

    calendar_id: Mapped[int] = mapped_column(
        ForeignKey("calendar.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    rev: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    appointment_id: Mapped[int] = mapped_column(index=True)
    uid: Mapped[str] = mapped_column(Text)
    href: Mapped[str | None] = mapped_column(Text)
    act_id: Mapped[int] = mapped_column(ForeignKey("act.id", ondelete="CASCADE"), index=True)
    before: Mapped[str | None] = mapped_column(Text)
    """The text that it had there; None when it was not there."""
    is_silent: Mapped[bool] = mapped_column(default=False)
    """Whether it was, there."""


class Zone(Base):
    """A time zone in use, and by which of its rules instants were derived (see ``zones``)."""

    __tablename__ = "zone"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
