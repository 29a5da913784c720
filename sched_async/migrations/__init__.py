"""Alembic, driven from code: every call gets the connection, and so the lock, of its caller."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from ..models import Base


class UnknownRevisionError(Exception):
    """The database has a revision that this version does not have."""


class OrphansError(Exception):
    """Rows refer to rows that are not there."""


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to the newest revision, or to an earlier one."""
    config = _config(connection)
    _refuse_newer(connection, config)
    before = MigrationContext.configure(connection).get_current_heads()
    command.upgrade(config, revision)
    if MigrationContext.configure(connection).get_current_heads() != before:
        refuse_orphans(connection)


def is_made(connection: Connection) -> bool:
    """Whether there are tables of this application, of whatever revision."""
    return bool(MigrationContext.configure(connection).get_current_heads())


def refuse_orphans(connection: Connection) -> None:
    """What PostgreSQL never allows, and SQLite does while its foreign keys are off."""
    if connection.dialect.name == "sqlite":
        found = {row[0] for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}
        if found:
            names = ", ".join(sorted(found))
            raise OrphansError(f"rows in {names} belong to rows that are not there")


def drop(connection: Connection) -> None:
    """Remove every table of this application, with all that is in them."""
    config = _config(connection)
    _refuse_newer(connection, config)
    command.downgrade(config, "base")


def differences(connection: Connection) -> list[Any]:
    """What Alembic would change to make the schema equal the models; [] when equal."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    different: list[Any] = compare_metadata(context, Base.metadata)
    return different


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _refuse_newer(connection: Connection, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_heads()
    if not known.issuperset(current):
        raise UnknownRevisionError
