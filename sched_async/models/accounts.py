"""People, and what lets them in."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from ..times import now
from .base import NEVER_TWICE, Base, UtcSeconds


class User(Base):
    """A person with an account."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case, so that it is unique however it is typed."""
    password_hash: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str] = mapped_column(String(64))
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)
    is_admin: Mapped[bool] = mapped_column(default=False)
    week_start: Mapped[int] = mapped_column(SmallInteger, default=1)
    """ISO's number of a day: 1 is Monday, 7 is Sunday."""
    clock_hours: Mapped[int] = mapped_column(SmallInteger, default=24)
    start_view: Mapped[str] = mapped_column(String(16), default="")
    """Where somebody lands: a view of the calendar, or where it is empty the list."""
    reminders: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Of new appointments, in minutes before the start."""
    day_reminders: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Of new whole days, in days before."""
    reminder_hour: Mapped[int] = mapped_column(SmallInteger, default=9)
    """At which whole days are reminded of, by the clocks of ``timezone``."""
    delete_at: Mapped[datetime | None] = mapped_column(UtcSeconds, index=True)
    """When the account goes, unless its owner signs in before."""
    needs_second_factor: Mapped[bool] = mapped_column(default=False)
    """Set by an administrator: without a second factor nothing but setting one up works."""
    totp_secret: Mapped[str | None] = mapped_column(Text)
    """Encrypted; None while there is no second factor."""
    totp_step: Mapped[int | None]
    """The last time step that was used: a code counts once (RFC 6238, section 5.2)."""

    @property
    def has_second_factor(self) -> bool:
        return self.totp_secret is not None


class LoginSession(Base):
    """A person signed in, in one browser.

    The cookie holds a random token; this row holds its SHA-256, so that a copy of the
    database signs nobody in.  Without the row the cookie is worth nothing.
    """

    __tablename__ = "login_session"
    __table_args__ = (Index(None, "user_id", "last_seen_at", "id"), NEVER_TWICE)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    remember: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)
    last_seen_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcSeconds)
    proven_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)
    """When the password, and the code if any, was last entered in this session."""
    address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")


class OneTimeToken(Base):
    """Permission to do one thing once; taking the row uses it up.

    ``user_id`` is whose account it is about, ``email`` the address that it was sent to and
    so proves, ``data`` what has to wait until then.
    """

    __tablename__ = "one_time_token"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcSeconds, index=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), index=True
    )
    email: Mapped[str | None] = mapped_column(String(254), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class KnownBrowser(Base):
    """A browser that someone has signed in with before, known by its own cookie."""

    __tablename__ = "device"
    __table_args__ = (
        UniqueConstraint("token_hash", "user_id"),
        Index(None, "user_id", "last_used_at", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64))
    last_used_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now, index=True)
    trusted_until: Mapped[datetime | None] = mapped_column(UtcSeconds)
    """Until then it stands for the second factor."""


class RecoveryCode(Base):
    """Stands for the second factor, once; the row goes when it is used."""

    __tablename__ = "recovery_code"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)


class Activity(Base):
    """Something that happened to an account, for its owner to read."""

    __tablename__ = "activity"
    __table_args__ = (Index(None, "user_id", "happened_at", "id"), NEVER_TWICE)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(32))
    happened_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now, index=True)
    address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")


class Attempt(Base):
    """One try at something that is limited, counted under each of its keys."""

    __tablename__ = "attempt"
    __table_args__ = (Index(None, "key", "made_at"), NEVER_TWICE)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    """A hash of what is counted: an account at an address, an address, or everything."""
    made_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now, index=True)
    is_pending: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Not judged yet: it may turn out right, and count for nothing."""


class OutgoingMail(Base):
    """A message on its way; it stays until it is sent, or has been tried often enough."""

    __tablename__ = "outgoing_mail"
    __table_args__ = (Index(None, "sent_at", "next_try_at"), NEVER_TWICE)

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(255), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)
    tries: Mapped[int] = mapped_column(SmallInteger, default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcSeconds, default=now)
    """None when it was sent, or given up."""
    sent_at: Mapped[datetime | None] = mapped_column(UtcSeconds)
    problem: Mapped[str] = mapped_column(String(255), default="")
    """What the server said at the last try that failed."""
