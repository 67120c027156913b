"""A measurement keeps the circumstances that were its own: clocks, and how the loop ran."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE measurement ADD COLUMN circumstances TEXT DEFAULT '{}' NOT NULL")
