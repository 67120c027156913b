"""Who may do what: tokens, invitations, members; and whose job it is."""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = (
    """CREATE TABLE token (
        name TEXT NOT NULL PRIMARY KEY, scope TEXT NOT NULL, secret_sha256 TEXT NOT NULL UNIQUE,
        created_at TEXT NOT NULL, created_by TEXT NOT NULL, expires_at TEXT, revoked_at TEXT)""",
    """CREATE TABLE invitation (
        id INTEGER NOT NULL PRIMARY KEY, secret_sha256 TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        labels TEXT NOT NULL, created_at TEXT NOT NULL, created_by TEXT NOT NULL, expires_at TEXT NOT NULL,
        used_at TEXT, used_by TEXT)""",
    """CREATE TABLE member (
        device_id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, labels TEXT NOT NULL,
        hardware_serial TEXT NOT NULL, key_sha256 TEXT NOT NULL, enrolled_at TEXT NOT NULL,
        issued_at TEXT NOT NULL, expires_at TEXT NOT NULL, revoked_at TEXT)""",
    "ALTER TABLE job ADD COLUMN submitted_by TEXT NOT NULL DEFAULT ''",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
