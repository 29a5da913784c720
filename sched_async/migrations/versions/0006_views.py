"""Where people begin, and an index of what a search looks into."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user", sa.Column("start_view", sa.String(16), nullable=False, server_default=""))
    has_own_texts = sa.text("search IS NOT NULL")
    op.create_index(
        "ix_occurrence_own_texts",
        "occurrence",
        ["calendar_id"],
        sqlite_where=has_own_texts,
        postgresql_where=has_own_texts,
    )


def downgrade() -> None:
    op.drop_index("ix_occurrence_own_texts", "occurrence")
    with op.batch_alter_table("user") as table:
        table.drop_column("start_view")
