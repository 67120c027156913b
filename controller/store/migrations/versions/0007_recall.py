"""Files that agents are asked for; what was found of a measurement's row when it was read."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    "DROP INDEX blob_lost",
    "CREATE INDEX blob_gone ON blob (sha256) WHERE state IN ('SOUGHT', 'LOST')",
    "ALTER TABLE measurement ADD COLUMN damage TEXT DEFAULT '' NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
