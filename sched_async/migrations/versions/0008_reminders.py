"""Reminders.

What has been imported so far had nobody asked whether its reminders shall ring, so they are silent.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
NO_LIST, NINE = sa.text("'[]'"), sa.text("9")
LISTS = (("user", "reminders"), ("user", "day_reminders"), ("appointment", "reminders"))


def upgrade() -> None:
    for table, name in LISTS:
        op.add_column(table, sa.Column(name, sa.JSON, nullable=False, server_default=NO_LIST))
    hour = sa.Column("reminder_hour", sa.SmallInteger, nullable=False, server_default=NINE)
    op.add_column("user", hour)
    for table, text in (("appointment", "ics"), ("change", "before")):
        silent = sa.Column("is_silent", sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column(table, silent)
        rows = sa.table(table, sa.column(text, sa.Text), sa.column("is_silent", sa.Boolean))
        has_alarm = rows.c[text].contains("BEGIN:VALARM")
        op.execute(sa.update(rows).where(has_alarm).values(is_silent=True))
    op.create_table(
        "reminder",
        sa.Column("appointment_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("appointment_id", name="pk_reminder"),
        sa.ForeignKeyConstraint(
            ["appointment_id"],
            ["appointment.id"],
            name="fk_reminder_appointment_id_appointment",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_reminder_user_id_user", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_reminder_user_id", "reminder", ["user_id"])
    op.create_index("ix_reminder_next_at", "reminder", ["next_at"])


def downgrade() -> None:
    op.drop_table("reminder")
    for table in ("change", "appointment"):
        op.drop_column(table, "is_silent")
    op.drop_column("user", "reminder_hour")
    for table, name in LISTS:
        op.drop_column(table, name)
