"""How many of a board's results that do not count were dropped, because only the newest are kept."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("ALTER TABLE device ADD COLUMN dropped_results INTEGER DEFAULT '0' NOT NULL")
