"""How many there are of what: for /metrics, in a few statements that use indexes."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, distinct, func, select

from controller.core.lifecycle import TERMINAL
from controller.model.task import BlobState, TaskState
from controller.store import audit_tables, incidents
from controller.store import tables as t
from controller.store.clock import now_text, seconds_between
from controller.store.queries.members import members

_LIVE = [state.value for state in TaskState if state not in TERMINAL]


@dataclass(frozen=True)
class Census:
    """Devices are counted once each: offline, cordoned, paused or online. `behind` run an older version than asked."""

    jobs: Mapping[str, int]
    tasks: Mapping[str, int]
    oldest_ready_s: float
    devices: Mapping[str, int]
    behind: int
    blob_bytes: int
    blobs_gone: int
    orphans: int
    dead_letters: int
    audit_entries: int
    first_expiry: datetime | None  # of the certificates of boards that are not revoked and not offline


def census(connection: Connection, *, alive: Collection[str], paused: Mapping[str, str], version: str) -> Census:
    tasks = connection.execute(select(t.task.c.state, func.count()).group_by(t.task.c.state)).all()
    oldest = connection.execute(
        select(func.min(t.task.c.created_at)).where(t.task.c.state == TaskState.READY.value)
    ).scalar()
    devices, behind, online = _devices(connection, alive, paused, version)
    expiries = [
        item.expires_at
        for item in members(connection).values()
        if item.device_id in online and (item.revoked_at is None or item.issued_at > item.revoked_at)
    ]
    return Census(
        jobs=_jobs(connection),
        tasks={state.value: 0 for state in TaskState} | {row[0]: row[1] for row in tasks},
        oldest_ready_s=seconds_between(oldest, now_text()) if oldest else 0.0,
        devices=devices,
        behind=behind,
        blob_bytes=_number(connection, select(func.sum(t.blob.c.size_bytes)).where(_STORED)),
        blobs_gone=_number(connection, select(func.count()).select_from(t.blob).where(t.GONE)),
        orphans=_number(connection, select(func.count()).select_from(incidents.orphan)),
        dead_letters=_number(connection, select(func.count()).select_from(incidents.dead_letter)),
        audit_entries=_number(connection, select(func.max(audit_tables.audit.c.number))),
        first_expiry=min(expiries, default=None),
    )


_STORED = t.blob.c.state == BlobState.STORED.value


def _jobs(connection: Connection) -> dict[str, int]:
    """Of those that were accepted: with a task that runs, with others that are not over, and over."""
    running = set(
        connection.execute(select(distinct(t.task.c.job_id)).where(t.task.c.state == TaskState.LEASED.value)).scalars()
    )
    live = set(connection.execute(select(distinct(t.task.c.job_id)).where(t.task.c.state.in_(_LIVE))).scalars())
    total = _number(connection, select(func.count()).select_from(t.job).where(t.ACCEPTED))
    return {"running": len(running), "waiting": len(live - running), "ended": max(0, total - len(live))}


def _devices(
    connection: Connection, alive: Collection[str], paused: Mapping[str, str], version: str
) -> tuple[dict[str, int], int, set[str]]:
    counts = Counter({"online": 0, "paused": 0, "cordoned": 0, "offline": 0})
    behind, online = 0, set()
    look = (
        select(t.device.c.id, t.device.c.session_id, t.device.c.cordoned, t.session.c.agent_version)
        .outerjoin(t.session, t.session.c.id == t.device.c.session_id)
        .where(t.device.c.held != "removed")
    )
    for row in connection.execute(look):
        if row.session_id not in alive:
            counts["offline"] += 1
            continue
        online.add(row.id)
        behind += row.agent_version != version
        counts["cordoned" if row.cordoned else "paused" if paused.get(row.session_id) else "online"] += 1
    return dict(counts), behind, online


def _number(connection: Connection, look: Select[int]) -> int:
    return int(connection.execute(look).scalar() or 0)
