"""What every table is made with: instants, numbers, and names of constraints.

Instants are ``UtcSeconds``: aware datetimes in UTC here, whole seconds since 1970 in
the database, so that SQLite and PostgreSQL compare them alike.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Dialect, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


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
