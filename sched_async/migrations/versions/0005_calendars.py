"""Calendars, and appointments as iCalendar texts from which all else is derived."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ONCE = {"sqlite_autoincrement": True}
TEXTS = (("SUMMARY", "title"), ("LOCATION", "location"), ("DESCRIPTION", "description"))
BATCH = 1000  # rows
OLD_INDEX = "ix_appointment_user_id_allday_start_utc_id"
TABLES = ("change", "act", "occurrence", "appointment", "calendar")
OCCURRENCES = """
INSERT INTO occurrence (appointment_id, recurrence_id, calendar_id, floating, allday, long,
                        start_utc, end_utc)
SELECT new.id, '', new.calendar_id, old.allday, old.allday,
       old.end_utc - old.start_utc > 31 * 86400, old.start_utc, old.end_utc
FROM appointment_before AS old JOIN appointment AS new ON new.id = old.id
"""
ACTS = """
INSERT INTO act (user_id, kind, title, count, appointment_id, submission, made_at)
SELECT user_id, 'create', title, 1, id, submission, created_at
FROM appointment_before WHERE submission IS NOT NULL ORDER BY id
"""
IN_TRASH = sa.text(
    "undone_at IS NULL AND kind NOT IN ('create', 'create_calendar', 'remembered', 'restore')"
)
COUNTS = """
UPDATE calendar SET
  appointments = (SELECT count(*) FROM appointment WHERE calendar_id = calendar.id),
  occurrences = (SELECT count(*) FROM occurrence WHERE calendar_id = calendar.id)
"""


def upgrade() -> None:
    _rename_old()
    _make_tables()
    op.execute(
        "INSERT INTO calendar (user_id, name, color, position, is_hidden, rev, pruned_rev, "
        "appointments, occurrences, created_at) "
        "SELECT id, 'Personal', 'indigo', 1, false, 1, 1, 0, 0, created_at "
        'FROM "user" ORDER BY id'
    )
    _copy()
    op.execute(OCCURRENCES)
    op.execute(ACTS)
    op.execute(COUNTS)
    _keep_numbers()
    op.drop_table("appointment_before")


def _rename_old() -> None:
    op.rename_table("appointment", "appointment_before")
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_appointment RENAME TO pk_appointment_before")
        op.execute("ALTER SEQUENCE appointment_id_seq RENAME TO appointment_before_id_seq")


def _copy() -> None:
    connection = op.get_bind()
    old, new = _table("appointment_before"), _table("appointment")
    calendars = dict(
        tuple(row) for row in connection.execute(sa.text("SELECT user_id, id FROM calendar"))
    )
    last = 0
    while True:
        page = sa.select(old).where(old.c.id > last).order_by(old.c.id).limit(BATCH)
        rows = connection.execute(page).mappings().all()
        if not rows:
            return
        # Rows without owner are named when all is done.
        made = [_row(row, calendars.get(row["user_id"], 0)) for row in rows]
        connection.execute(sa.insert(new), made)
        last = rows[-1]["id"]


def _table(name: str) -> sa.Table:
    return sa.Table(name, sa.MetaData(), autoload_with=op.get_bind())


def _row(old: Any, calendar_id: int) -> dict[str, Any]:
    # The text has one kind of line break.
    texts = {column: re.sub("\r\n?", "\n", old[column]) for _, column in TEXTS}
    ics = _text({**old, **texts})
    same = ("id", "uid", "start", "end", "allday", "created_at", "modified_at")
    return {
        **{name: old[name] for name in same},
        **texts,
        "calendar_id": calendar_id,
        "ics": ics,
        "etag": hashlib.sha256(ics.encode()).hexdigest(),
        "rev": 1,
        "search": _searchable("\n".join(texts.values())),
        "timezone": None if old["allday"] else _zone(old["timezone"]),
        "transparent": False,
    }


def _text(row: Mapping[str, Any]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//sched_async//EN", "BEGIN:VEVENT"]
    lines.append(f"UID:{_escaped(row['uid'])}")
    stamps = {"DTSTAMP": "modified_at", "CREATED": "created_at", "LAST-MODIFIED": "modified_at"}
    for name, column in stamps.items():
        lines.append(f"{name}:{_digits(datetime.fromtimestamp(row[column], UTC))}Z")
    lines += [_time("DTSTART", row, row["start"]), _time("DTEND", row, row["end"])]
    for name, column in TEXTS:
        if text := row[column]:
            lines.append(f"{name}:{_escaped(text)}")
    lines += ["END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _time(name: str, row: Mapping[str, Any], wall: datetime) -> str:
    if row["allday"]:
        day = wall + timedelta(days=1) if name == "DTEND" else wall
        return f"{name};VALUE=DATE:{_digits(day)[:8]}"
    if _zone(row["timezone"]) == "UTC":
        return f"{name}:{_digits(wall)}Z"
    return f"{name};TZID={row['timezone']}:{_digits(wall)}"


def _zone(name: str) -> str:
    return "UTC" if name.removeprefix("Etc/") in ("UTC", "UCT", "Universal", "Zulu") else name


def _digits(wall: datetime) -> str:
    return f"{wall:%Y%m%dT%H%M%S}".zfill(15)


def _escaped(text: str) -> str:
    for char, instead in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(char, instead)
    return text


def _folded(line: str) -> str:
    if len(line.encode()) <= 75:
        return line
    pieces, octets, begin = [], 0, 0
    for at, char in enumerate(line):
        size = len(char.encode())
        if octets + size > 75:
            pieces.append(line[begin:at])
            begin, octets = at, 1
        octets += size
    return "\r\n ".join([*pieces, line[begin:]])


def _searchable(text: str) -> str:
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in letters if not unicodedata.combining(char))


def _keep_numbers() -> None:
    """No number is given out again, also not of what was deleted before."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "SELECT setval(pg_get_serial_sequence('appointment', 'id'), greatest("
            "(SELECT max(id) FROM appointment), nextval('appointment_before_id_seq')))"
        )
    else:
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'appointment'")
        op.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'appointment', seq "
            "FROM sqlite_sequence WHERE name = 'appointment_before'"
        )


def _make_tables() -> None:
    op.create_table(
        "calendar",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("color", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("is_hidden", sa.Boolean, nullable=False),
        sa.Column("rev", ID, nullable=False),
        sa.Column("pruned_rev", ID, nullable=False),
        sa.Column("appointments", sa.Integer, nullable=False),
        sa.Column("occurrences", sa.Integer, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar")),
        _reference("calendar", "user"),
        **ONCE,
    )
    _index("calendar", "user_id", "position", "id")
    _index("calendar", "deleted_at")
    op.create_table(
        "appointment",
        sa.Column("id", ID, nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("href", sa.Text),
        sa.Column("ics", sa.Text, nullable=False),
        sa.Column("etag", sa.String(64), nullable=False),
        sa.Column("rev", ID, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("title", "location", "description", "search")
        ),
        sa.Column("allday", sa.Boolean, nullable=False),
        sa.Column("start", sa.DateTime, nullable=False),
        sa.Column("end", sa.DateTime, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("timezone", "rrule", "status")),
        sa.Column("transparent", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("modified_at", sa.BigInteger, nullable=False),
        sa.Column("expanded_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment")),
        _reference("appointment", "calendar"),
        sa.UniqueConstraint("calendar_id", "uid", name=op.f("uq_appointment_calendar_id_uid")),
        sa.UniqueConstraint("calendar_id", "href", name=op.f("uq_appointment_calendar_id_href")),
        **ONCE,
    )
    _index("appointment", "calendar_id", "expanded_until")
    _index("appointment", "expanded_until")
    _make_occurrences()
    _make_acts()


def _make_occurrences() -> None:
    op.create_table(
        "occurrence",
        sa.Column("appointment_id", ID, nullable=False),
        sa.Column("recurrence_id", sa.String(32), nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("floating", sa.Boolean, nullable=False),
        sa.Column("allday", sa.Boolean, nullable=False),
        sa.Column("long", sa.Boolean, nullable=False),
        sa.Column("start_utc", sa.BigInteger, nullable=False),
        sa.Column("end_utc", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("title", "location", "search")),
        sa.PrimaryKeyConstraint("appointment_id", "recurrence_id", name=op.f("pk_occurrence")),
        _reference("occurrence", "appointment"),
        _reference("occurrence", "calendar"),
    )
    order = ("start_utc", "appointment_id", "recurrence_id", "end_utc")
    columns = ["calendar_id", "floating", "long", *order]
    op.create_index(op.f("ix_occurrence_range"), "occurrence", columns)


def _make_acts() -> None:
    op.create_table(
        "act",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("calendar_id", ID),
        sa.Column("appointment_id", ID),
        sa.Column("submission", sa.String(64)),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("undone_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_act")),
        _reference("act", "user"),
        _reference("act", "calendar", "SET NULL"),
        sa.UniqueConstraint("user_id", "submission", name=op.f("uq_act_user_id_submission")),
        **ONCE,
    )
    where: dict[str, Any] = {"sqlite_where": IN_TRASH, "postgresql_where": IN_TRASH}
    op.create_index(op.f("ix_act_trash"), "act", ["user_id", "made_at", "id"], **where)
    _index("act", "calendar_id")
    _index("act", "made_at")
    op.create_table(
        "change",
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("rev", ID, nullable=False),
        sa.Column("appointment_id", ID, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("href", sa.Text),
        sa.Column("act_id", ID, nullable=False),
        sa.Column("before", sa.Text),
        sa.PrimaryKeyConstraint("calendar_id", "rev", name=op.f("pk_change")),
        _reference("change", "calendar"),
        _reference("change", "act"),
    )
    _index("change", "appointment_id")
    _index("change", "act_id")


def _reference(table: str, other: str, then: str = "CASCADE") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{other}_id_{other}")
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"{other}.id"], name=name, ondelete=then)


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def downgrade() -> None:
    """The tables of before, empty: what can be kept now they could not hold."""
    for table in TABLES:
        op.drop_table(table)
    op.create_table(
        "appointment",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("uid", sa.String(255), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("start", sa.DateTime, nullable=False),
        sa.Column("end", sa.DateTime, nullable=False),
        sa.Column("allday", sa.Boolean, nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("start_utc", sa.BigInteger, nullable=False),
        sa.Column("end_utc", sa.BigInteger, nullable=False),
        sa.Column("location", sa.String(255), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("submission", sa.String(64)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("modified_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment")),
        _reference("appointment", "user"),
        sa.UniqueConstraint(
            "user_id", "submission", name=op.f("uq_appointment_user_id_submission")
        ),
        sa.UniqueConstraint("user_id", "uid", name=op.f("uq_appointment_user_id_uid")),
        **ONCE,
    )
    op.create_index(op.f(OLD_INDEX), "appointment", ["user_id", "allday", "start_utc", "id"])
