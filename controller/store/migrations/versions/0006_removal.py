"""Removing rows finds those that refer to them by an index."""

from alembic import op

revision = "0006"
down_revision = "0005"

INDEXES = (
    "CREATE INDEX ix_job_retry_of ON job (retry_of)",
    "CREATE INDEX ix_task_because_of ON task (because_of)",
    "CREATE INDEX ix_task_engine_key ON task (engine_key)",
    "CREATE INDEX ix_job_build_task_id ON job_build (task_id)",
    "CREATE INDEX ix_measurement_attempt_token ON measurement (attempt_token)",
    "CREATE INDEX ix_measurement_engine_key ON measurement (engine_key)",
    "CREATE INDEX ix_timing_cache_made_by ON timing_cache (made_by)",
)


def upgrade() -> None:
    for statement in INDEXES:
        op.execute(statement)
