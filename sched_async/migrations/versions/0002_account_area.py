"""The account area: profiles, devices, activity, limits, second factors and mail."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
USER_COLUMNS = (
    "is_admin",
    "week_start",
    "clock_hours",
    "delete_at",
    "needs_second_factor",
    "totp_secret",
    "totp_step",
)
TABLES = ("outgoing_mail", "attempt", "activity", "recovery_code", "device")


def upgrade() -> None:
    _add_columns()
    _make_tables()
    # Whoever made the first account looks after the others.
    op.execute(
        sa.text(
            'UPDATE "user" SET is_admin = :yes WHERE id = (SELECT min(id) FROM "user")'
        ).bindparams(sa.bindparam("yes", True, sa.Boolean))
    )


def _add_columns() -> None:
    # Only what SQLite adds in place: to drop and copy this table would delete what is whose.
    with op.batch_alter_table("user", recreate="never") as user:
        user.add_column(_flag("is_admin"))
        user.add_column(
            sa.Column("week_start", sa.SmallInteger, nullable=False, server_default="1")
        )
        user.add_column(
            sa.Column("clock_hours", sa.SmallInteger, nullable=False, server_default="24")
        )
        user.add_column(sa.Column("delete_at", sa.BigInteger))
        user.add_column(_flag("needs_second_factor"))
        user.add_column(sa.Column("totp_secret", sa.Text))
        user.add_column(sa.Column("totp_step", ID))
        user.create_index(op.f("ix_user_delete_at"), ["delete_at"])
    with op.batch_alter_table("login_session") as login:
        # Sessions from before have proven nothing: 1970.
        login.add_column(sa.Column("proven_at", sa.BigInteger, nullable=False, server_default="0"))
        login.add_column(_text("address", 45))
        login.add_column(_text("user_agent", 255))
    with op.batch_alter_table("one_time_token") as token:
        token.add_column(sa.Column("user_id", ID))
        token.add_column(sa.Column("email", sa.String(254)))
        token.add_column(sa.Column("data", sa.JSON, nullable=False, server_default="{}"))
        token.create_foreign_key(
            op.f("fk_one_time_token_user_id_user"), "user", ["user_id"], ["id"], ondelete="CASCADE"
        )
        for column in ("user_id", "email", "expires_at"):
            token.create_index(op.f(f"ix_one_time_token_{column}"), [column])


def _make_tables() -> None:
    op.create_table(
        "device",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
        sa.Column("trusted_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("token_hash", "user_id", name=op.f("uq_device_token_hash_user_id")),
        _owner("device"),
    )
    op.create_table(
        "recovery_code",
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_code")),
        _owner("recovery_code"),
    )
    op.create_table(
        "activity",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("happened_at", sa.BigInteger, nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("user_agent", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        _owner("activity"),
    )
    op.create_table(
        "attempt",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_table(
        "outgoing_mail",
        sa.Column("id", ID, nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("message_id", sa.String(255), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("next_try_at", sa.BigInteger),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("problem", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mail")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outgoing_mail_message_id")),
    )
    _index("device", "user_id", "last_used_at", "id")
    _index("device", "last_used_at")
    _index("recovery_code", "user_id")
    _index("activity", "user_id", "happened_at", "id")
    _index("activity", "happened_at")
    _index("attempt", "key", "made_at")
    _index("attempt", "made_at")
    _index("outgoing_mail", "sent_at", "next_try_at")


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default="")


def _owner(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["user.id"], name=op.f(f"fk_{table}_user_id_user"), ondelete="CASCADE"
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    with op.batch_alter_table("one_time_token") as token:
        token.drop_constraint(op.f("fk_one_time_token_user_id_user"), type_="foreignkey")
        for column in ("user_id", "email", "expires_at"):
            token.drop_index(op.f(f"ix_one_time_token_{column}"))
        for column in ("user_id", "email", "data"):
            token.drop_column(column)
    for column in ("proven_at", "address", "user_agent"):
        op.drop_column("login_session", column)
    op.drop_index(op.f("ix_user_delete_at"), "user")
    for column in USER_COLUMNS:
        op.drop_column("user", column)
