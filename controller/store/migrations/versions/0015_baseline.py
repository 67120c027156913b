"""Baselines: jobs that others are held against."""

from alembic import op

revision = "0015"
down_revision = "0014"

STATEMENTS = (
    "CREATE TABLE baseline (id INTEGER NOT NULL, name TEXT NOT NULL, device_class TEXT NOT NULL, "
    "job_id INTEGER NOT NULL, set_at TEXT NOT NULL, set_by TEXT NOT NULL, PRIMARY KEY (id))",
    "CREATE INDEX baseline_by_name ON baseline (name)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
