"""What the readings come to by hour and day; the bridge fills them from the readings that are there."""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of hours and days."""
    for name in ("hourly", "daily"):
        op.create_table(
            name,
            sa.Column("device", sa.String(64), nullable=False),
            sa.Column("unit", sa.String(64), nullable=False),
            sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("field", sa.String(64), nullable=False),
            sa.Column("min", sa.Float(), nullable=False),
            sa.Column("mean", sa.Float(), nullable=False),
            sa.Column("max", sa.Float(), nullable=False),
            sa.Column("last", sa.Float(), nullable=False),
            sa.Column("samples", sa.Integer(), nullable=False),
            sa.Column("added", sa.Float()),
            sa.PrimaryKeyConstraint("device", "unit", "start", "field"),
            sqlite_with_rowid=False,
        )


def downgrade() -> None:
    """Drop them; the readings stay."""
    op.drop_table("daily")
    op.drop_table("hourly")
