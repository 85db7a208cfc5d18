"""Every reading."""

from alembic import op
import sqlalchemy as sa

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of readings."""
    op.create_table(
        "readings",
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", "unit", "at"),
        sqlite_with_rowid=False,
    )
    op.create_index("readings_at", "readings", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("readings")
