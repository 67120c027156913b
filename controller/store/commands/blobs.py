"""Files that came, and files that are gone."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from controller.model.task import BlobState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.lost_files import release_found


def keep_blobs(connection: Connection, sizes: Mapping[str, int]) -> None:
    """These files are stored now; `sizes` in bytes, by digest. Tasks that waited for them go on."""
    release_found(connection, sizes)
    for sha256, size_bytes in sizes.items():
        row = {"size_bytes": size_bytes, "state": BlobState.STORED.value, "created_at": now_text()}
        connection.execute(
            insert(t.blob).values(sha256=sha256, **row).on_conflict_do_update(index_elements=["sha256"], set_=row)
        )


def touch_blobs(connection: Connection, digests: Collection[str]) -> None:
    """Somebody asked for these."""
    for sha256 in digests:
        connection.execute(update(t.blob).where(t.blob.c.sha256 == sha256).values(created_at=now_text()))


def lose_blobs(connection: Connection, digests: Collection[str]) -> list[str]:
    """These files are gone, and agents are asked for them. Returns those that were counted on until now."""
    lost = []
    for sha256 in digests:
        stored = (t.blob.c.sha256 == sha256) & (t.blob.c.state == BlobState.STORED.value)
        if connection.execute(update(t.blob).where(stored).values(state=BlobState.SOUGHT.value)).rowcount:
            lost.append(sha256)
    return lost


def match_inventory(connection: Connection, sizes: Mapping[str, int]) -> list[str]:
    """At a start: what is there, and what is not, whatever happened meanwhile. Returns what is gone."""
    stored = set(connection.execute(select(t.blob.c.sha256).where(t.blob.c.state == BlobState.STORED.value)).scalars())
    keep_blobs(connection, {sha256: size for sha256, size in sizes.items() if sha256 not in stored})
    gone = sorted(stored - set(sizes))
    lose_blobs(connection, gone)
    return gone
