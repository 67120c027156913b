"""The audit log, which nobody changes: triggers refuse it even to whoever opens the database by hand."""

from alembic import op

revision = "0011"
down_revision = "0010"

TABLES = (
    """CREATE TABLE audit (
        number INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, user TEXT NOT NULL, role TEXT NOT NULL,
        action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, sha256 TEXT NOT NULL)""",
    """CREATE TABLE audit_seal (
        number INTEGER NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL, sealed_at TEXT NOT NULL,
        signature TEXT NOT NULL)""",
)
TRIGGER = """CREATE TRIGGER {table}_{change} BEFORE {change} ON {table}
    BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"""


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    for table in ("audit", "audit_seal"):
        for change in ("UPDATE", "DELETE"):
            op.execute(TRIGGER.format(table=table, change=change))
