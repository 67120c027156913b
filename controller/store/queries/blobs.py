"""Which files are there: the table's answer, without a look at them."""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select

from controller.model.task import BlobState
from controller.store import tables as t
from controller.store.sqlite.prepared import PreparedStatement


def has_blob(connection: Connection, sha256: str) -> bool:
    return _STORED.first(connection, sha256_=sha256) is not None


def missing_blobs(connection: Connection, digests: Collection[str]) -> list[str]:
    """Those that are not there, sorted."""
    return [sha256 for sha256 in sorted(set(digests)) if not has_blob(connection, sha256)]


_STORED = PreparedStatement(
    select(t.blob.c.sha256).where(t.blob.c.sha256 == bindparam("sha256_"), t.blob.c.state == BlobState.STORED.value)
)
