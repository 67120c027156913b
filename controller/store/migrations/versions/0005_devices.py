"""What was asked under an idempotency key; what people say of a device."""

from alembic import op

revision = "0005"
down_revision = "0004"

COLUMNS = (
    ("job", "content_digest", "''"),
    ("device", "held", "''"),
    ("device", "labels", "'{}'"),
    ("device", "also_ids", "'{}'"),
)


def upgrade() -> None:
    for table, column, default in COLUMNS:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT {default}")
