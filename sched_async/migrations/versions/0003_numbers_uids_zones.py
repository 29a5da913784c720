"""Numbers that are never used twice, names of appointments that stay, and zones in use."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBERED = ("user", "login_session", "device", "activity", "attempt", "outgoing_mail")
ONCE = {"sqlite_autoincrement": True}
BY_USE = "ix_login_session_user_id_last_seen_at_id"
RANDOM = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "replace(CAST(gen_random_uuid() AS text), '-', '')",
}


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    op.add_column("appointment", sa.Column("uid", sa.String(255)))
    op.execute(f"UPDATE appointment SET uid = {RANDOM[dialect]}")  # noqa: S608 (ours)
    # On SQLite this copies the table; its highest number is where the numbers go on.
    with op.batch_alter_table("appointment", table_kwargs=ONCE) as appointment:
        appointment.alter_column("uid", existing_type=sa.String(255), nullable=False)
        appointment.create_unique_constraint(op.f("uq_appointment_user_id_uid"), ["user_id", "uid"])
    if dialect == "sqlite":
        for table in NUMBERED:
            with op.batch_alter_table(table, recreate="always", table_kwargs=ONCE):
                pass
    else:
        for table in (*NUMBERED, "appointment"):
            _raise_sequence(table)
    # Of too many sessions the one that was not used for longest goes.
    op.drop_index("ix_login_session_user_id", "login_session")
    op.create_index(BY_USE, "login_session", ["user_id", "last_seen_at", "id"])
    _make_zones()


def _raise_sequence(table: str) -> None:
    """Where rows were restored with their numbers, the sequence may not know of them."""
    sequence = f"pg_get_serial_sequence('\"{table}\"', 'id')"
    highest = f'(SELECT max(id) FROM "{table}")'  # noqa: S608 (ours)
    op.execute(f"SELECT setval({sequence}, greatest({highest}, nextval({sequence})))")


def _make_zones() -> None:
    op.create_table(
        "zone",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_zone")),
    )
    # By which rules these were derived nobody knows: the next start does it again.
    op.execute(
        "INSERT INTO zone (name, fingerprint) "
        "SELECT DISTINCT timezone, '' FROM appointment WHERE NOT allday"
    )


def downgrade() -> None:
    op.drop_table("zone")
    op.drop_index(BY_USE, "login_session")
    op.create_index("ix_login_session_user_id", "login_session", ["user_id"])
    with op.batch_alter_table("appointment") as table:
        table.drop_constraint(op.f("uq_appointment_user_id_uid"), type_="unique")
        table.drop_column("uid")
