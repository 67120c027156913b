"""The fresh processes of a measurement, and which of them each round was in."""

from alembic import op

revision = "0014"
down_revision = "0013"

RUN = """
CREATE TABLE run (
    measurement_id INTEGER NOT NULL, idx INTEGER NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (measurement_id, idx),
    FOREIGN KEY(measurement_id) REFERENCES measurement (id)
) WITHOUT ROWID
"""


def upgrade() -> None:
    op.execute(RUN)
    op.execute("ALTER TABLE round ADD COLUMN run INTEGER DEFAULT '0' NOT NULL")
