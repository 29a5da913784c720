"""Every table: its columns, its constraints, and whose rows may be seen.

Instants are ``UtcSeconds``: aware datetimes in UTC here, whole seconds since 1970 in
the database, so that SQLite and PostgreSQL compare them alike.  Values are plain and
no method awaits.

Rows are numbered, and no number is ever used twice: it stands in addresses and forms that
someone may still have open long after the row is gone.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Select,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    false,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from .times import now, to_utc


class UtcSeconds(TypeDecorator[datetime]):
    """An instant, kept as whole seconds since 1970 (UTC)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return int(value.timestamp())

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)


# SQLite numbers rows by itself only where the type is INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
# By itself SQLite gives a deleted row's number out again; PostgreSQL's sequences never do.
NEVER_TWICE: dict[str, Any] = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: Id}
    __table_args__: Any = NEVER_TWICE


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


def new_uid() -> str:
    return secrets.token_hex(16)


class Appointment(Base):
    """A span of one user's time.

    ``start`` and ``end`` are wall-clock times in ``timezone``.  When ``allday`` is set
    they are dates (at midnight), ``end`` is the last day, and the zone plays no part.
    ``start_utc`` and ``end_utc`` are their index: the instants, or for whole days the
    dates as if in UTC, ``end_utc`` being the day after the last.
    """

    __tablename__ = "appointment"
    __table_args__ = (
        CheckConstraint('"end" > start OR (allday AND "end" = start)', name="ends_after_it_starts"),
        CheckConstraint("title <> ''", name="has_a_title"),
        UniqueConstraint("user_id", "submission"),
        UniqueConstraint("user_id", "uid"),
        Index(None, "user_id", "allday", "start_utc", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    uid: Mapped[str] = mapped_column(String(255), default=new_uid)
    """Its permanent name in other calendars."""
    title: Mapped[str] = mapped_column(String(255))
    start: Mapped[datetime] = mapped_column(DateTime)
    end: Mapped[datetime] = mapped_column(DateTime)
    allday: Mapped[bool] = mapped_column(default=False)
    timezone: Mapped[str] = mapped_column(String(64))
    start_utc: Mapped[datetime] = mapped_column(UtcSeconds)
    end_utc: Mapped[datetime] = mapped_column(UtcSeconds)
    location: Mapped[str] = mapped_column(String(255), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    submission: Mapped[str | None] = mapped_column(String(64))
    """Names the form that made it, and its contents: the same sent twice finds the first."""
    created_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now)
    modified_at: Mapped[datetime] = mapped_column(UtcSeconds, default=now, onupdate=now)

    def set_times(
        self, start: datetime, end: datetime, timezone: str, *, allday: bool = False
    ) -> None:
        """When it is, and the index of that.  SkippedTimeError for a time that does not happen."""
        self.start, self.end, self.timezone, self.allday = start, end, timezone, allday
        if allday:
            self.start_utc = start.replace(tzinfo=UTC)
            self.end_utc = end.replace(tzinfo=UTC) + timedelta(days=1)
        else:
            self.start_utc, self.end_utc = to_utc(start, timezone), to_utc(end, timezone)

    @classmethod
    def owned_by(cls, user_id: int | BindParameter[int]) -> Select["Appointment"]:
        """Start every query here: what is not the user's does not exist."""
        return select(cls).where(cls.user_id == user_id)


class Zone(Base):
    """A time zone in use, and by which of its rules instants were derived (see ``zones``)."""

    __tablename__ = "zone"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
