"""Whose the results are that do not count, so that each device can have only so many."""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = (
    "ALTER TABLE orphan ADD COLUMN device_id TEXT DEFAULT '' NOT NULL",
    "UPDATE orphan SET device_id = coalesce((SELECT device_id FROM attempt WHERE token = attempt_token), '')",
    "CREATE INDEX ix_orphan_device_id ON orphan (device_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
