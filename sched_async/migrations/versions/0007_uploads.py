"""Files that wait to be imported."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upload",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("calendar_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_upload"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_upload_user_id_user", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("token_hash", name="uq_upload_token_hash"),
    )
    op.create_index("ix_upload_expires_at", "upload", ["expires_at"])


def downgrade() -> None:
    op.drop_table("upload")
