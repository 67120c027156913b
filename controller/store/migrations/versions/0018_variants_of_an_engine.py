"""Which variants use an engine, from the index alone: an engine of many jobs has very many subjects."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("DROP INDEX subject_by_engine")
    op.execute("CREATE INDEX subject_by_engine ON subject (engine_key, variant_id)")
