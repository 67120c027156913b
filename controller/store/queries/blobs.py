"""Which files are there: the table's answer, without a look at them."""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select

from controller.model.task import BlobState
from controller.store import tables as t
from controller.store.clock import after, now_text
from controller.store.sqlite.prepared import PreparedStatement


def has_blob(connection: Connection, sha256: str) -> bool:
    return _STORED.first(connection, sha256_=sha256) is not None


def size_of(connection: Connection, sha256: str) -> int | None:
    """Of a file that is, or was, there; in bytes."""
    found = _SIZE.scalar(connection, sha256_=sha256)
    return None if found is None else int(found)


def may_come_back(connection: Connection, sha256: str) -> bool:
    """It is there, or agents are asked for it."""
    return _HOPED_FOR.first(connection, sha256_=sha256) is not None


def missing_blobs(connection: Connection, digests: Collection[str]) -> list[str]:
    """Those that are not there, sorted."""
    return [sha256 for sha256 in sorted(set(digests)) if not has_blob(connection, sha256)]


def idle_blobs(connection: Connection, digests: Collection[str]) -> list[str]:
    """Those that nobody asked for within the last hour."""
    before = after(now_text(), -_IDLE_S)
    return [sha256 for sha256 in digests if _IDLE.first(connection, sha256_=sha256, before_=before) is not None]


_IDLE_S = 3600.0
_IDLE = PreparedStatement(
    select(t.blob.c.sha256).where(t.blob.c.sha256 == bindparam("sha256_"), t.blob.c.created_at < bindparam("before_"))
)
_SIZE = PreparedStatement(select(t.blob.c.size_bytes).where(t.blob.c.sha256 == bindparam("sha256_")))
_HOPED_FOR = PreparedStatement(
    select(t.blob.c.sha256).where(
        t.blob.c.sha256 == bindparam("sha256_"),
        (t.blob.c.state == BlobState.STORED.value) | (t.blob.c.state == BlobState.SOUGHT.value),
    )
)
_STORED = PreparedStatement(
    select(t.blob.c.sha256).where(t.blob.c.sha256 == bindparam("sha256_"), t.blob.c.state == BlobState.STORED.value)
)
