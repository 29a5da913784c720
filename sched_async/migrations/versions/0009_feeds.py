"""Secret addresses at which other programs read a calendar."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "feed",
        sa.Column("id", ID, nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("is_busy_only", sa.Boolean, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_feed"),
        sa.ForeignKeyConstraint(
            ["calendar_id"],
            ["calendar.id"],
            name="fk_feed_calendar_id_calendar",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("calendar_id", "is_busy_only", name="uq_feed_calendar_id_is_busy_only"),
        sa.UniqueConstraint("token_hash", name="uq_feed_token_hash"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("feed")
