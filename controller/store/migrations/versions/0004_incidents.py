"""Dead letters, digests of commits and rows, deadlines by a steady clock, and numbers that the database refuses."""

import time

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"

DEAD_LETTER = """
CREATE TABLE dead_letter (
    id INTEGER NOT NULL, attempt_token TEXT NOT NULL, task_id INTEGER NOT NULL, device_id TEXT NOT NULL,
    reason TEXT NOT NULL, received_at TEXT NOT NULL, outcome BLOB NOT NULL, PRIMARY KEY (id), UNIQUE (attempt_token),
    FOREIGN KEY(attempt_token) REFERENCES attempt (token), FOREIGN KEY(task_id) REFERENCES task (id),
    FOREIGN KEY(device_id) REFERENCES device (id)
)
"""
STEADY_CLOCK = """
CREATE TABLE steady_clock (
    id INTEGER NOT NULL, offset_s FLOAT NOT NULL, elapsed_s FLOAT NOT NULL, boot_id TEXT NOT NULL,
    noted_at TEXT NOT NULL, PRIMARY KEY (id)
)
"""
COLUMNS = (
    "ALTER TABLE attempt ADD COLUMN outcome_sha256 TEXT",
    "ALTER TABLE measurement ADD COLUMN digest TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE job ADD COLUMN deadline_steady_s FLOAT",
)
INDEXES = (
    "CREATE INDEX ix_dead_letter_task_id ON dead_letter (task_id)",
    "CREATE INDEX ix_dead_letter_device_id ON dead_letter (device_id)",
    "CREATE INDEX blob_lost ON blob (sha256) WHERE state IN ('LOST')",
)
# Triggers, because SQLite adds no CHECK to a table that is there.
IMPOSSIBLE = {
    "measurement": "NOT (NEW.n >= 0 AND NEW.window_s BETWEEN 0 AND 1e300 AND NEW.warmup_s BETWEEN 0 AND 1e300"
    " AND NEW.warmup_n >= 0 AND NEW.processes >= 0 AND NEW.accuracy_n >= 0)",
    "round": "NOT (NEW.n > 0 AND NEW.p50_ms BETWEEN 0 AND 1e300 AND NEW.mean_ms BETWEEN 0 AND 1e300)",
    "metric": "abs(coalesce(NEW.value, 0)) > 1e300 OR abs(coalesce(NEW.low, 0)) > 1e300"
    " OR abs(coalesce(NEW.high, 0)) > 1e300 OR (NEW.value < 0 AND NEW.name NOT LIKE 'residual~_%' ESCAPE '~')"
    " OR (NEW.value > 1.000001 AND NEW.name IN ('accuracy', 'dla_time_share'))",
}
DEADLINES = """
UPDATE job SET deadline_steady_s = :up_s + (julianday(deadline_at) - julianday('now')) * 86400.0
WHERE deadline_at IS NOT NULL
"""
REFUSE = """
CREATE TRIGGER impossible_{table} BEFORE INSERT ON {table} WHEN {condition}
BEGIN SELECT RAISE(ABORT, 'a number that cannot be, in {table}'); END
"""


def upgrade() -> None:
    for statement in (DEAD_LETTER, STEADY_CLOCK, *COLUMNS, *INDEXES):
        op.execute(statement)
    # A deadline of 0.1 keeps what it has left by the wall clock; the steady clock begins with the time since boot.
    op.get_bind().execute(text(DEADLINES), {"up_s": time.clock_gettime(time.CLOCK_BOOTTIME)})
    for table, condition in IMPOSSIBLE.items():
        op.execute(REFUSE.format(table=table, condition=condition))
