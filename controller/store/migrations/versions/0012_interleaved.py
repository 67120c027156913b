"""Two subjects timed in turns: the rule of each task, and the ratios of its processes."""

from alembic import op

revision = "0012"
down_revision = "0011"

TABLES = (
    """CREATE TABLE interleaved (
        task_id INTEGER NOT NULL PRIMARY KEY REFERENCES task (id), looks TEXT NOT NULL, margin FLOAT NOT NULL,
        confidence FLOAT NOT NULL, stopped TEXT NOT NULL, digest TEXT NOT NULL)""",
    """CREATE TABLE ratio (
        task_id INTEGER NOT NULL REFERENCES task (id), run INTEGER NOT NULL, name TEXT NOT NULL, value FLOAT NOT NULL,
        second_loaded_first BOOLEAN NOT NULL, left_out TEXT NOT NULL,
        PRIMARY KEY (task_id, run, name)) WITHOUT ROWID""",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
