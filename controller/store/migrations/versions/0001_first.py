"""The first schema. Until it is released it is made from tables.py and views.py; from then on it is frozen here."""

from alembic import op

from controller.store.sqlite.views import VIEWS
from controller.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    for statement in VIEWS.values():
        op.execute(statement)
