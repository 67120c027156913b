"""Who refers to facts, so that those of nobody are found without reading every attempt and result."""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    "CREATE INDEX ix_attempt_facts_id ON attempt (facts_id)",
    "CREATE INDEX ix_measurement_facts_id ON measurement (facts_id)",
    "CREATE INDEX ix_device_facts_id ON device (facts_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
