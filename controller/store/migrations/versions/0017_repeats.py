"""What a bench is a repeat of, and how many repeats its intervals rest on."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("ALTER TABLE measurement ADD COLUMN repeats_of TEXT DEFAULT '' NOT NULL")
    op.execute("ALTER TABLE measurement ADD COLUMN repeats INTEGER")
    op.execute("CREATE INDEX measurement_by_repeats ON measurement (repeats_of)")
    op.execute("CREATE INDEX measurement_by_device ON measurement (device_id)")
