"""Calendars that follow an address elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    follows = sa.Column("is_followed", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("calendar", follows)
    op.create_table(
        "followed",
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("last_modified", sa.Text, nullable=False),
        sa.Column("refreshed_at", sa.BigInteger, nullable=True),
        sa.Column("tried_at", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("calendar_id", name="pk_followed"),
        sa.ForeignKeyConstraint(
            ["calendar_id"],
            ["calendar.id"],
            name="fk_followed_calendar_id_calendar",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_followed_next_at", "followed", ["next_at"])


def downgrade() -> None:
    op.drop_table("followed")
    op.drop_column("calendar", "is_followed")
