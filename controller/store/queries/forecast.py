"""What core.eta needs: how long work like a job's took before, and what of the job is left."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, select

from controller.core.eta import Rest, RestOfBench, eta_s
from controller.core.lifecycle import TERMINAL
from controller.model.task import AttemptState, TaskKind, TaskState
from controller.store import tables as t
from controller.store.clock import seconds_between
from controller.store.queries.devices import planning_devices
from controller.store.stored import StoredRow

# (kind, name of the task, device of a BENCH or device class of a BUILD) -> seconds, newest first
Past: TypeAlias = Mapping[tuple[str, str, str], Sequence[float]]

_JOBS = 20  # how far back to look
_TIMES = 5


def past_durations(connection: Connection, job_id: int) -> Past:
    """Of committed attempts in the newest jobs of the same model that measure in the same way."""
    mine = select(t.job.c.model_name, t.job.c.measure).where(t.job.c.id == job_id).subquery()
    jobs = connection.execute(
        select(t.job.c.id)
        .join(mine, (mine.c.model_name == t.job.c.model_name) & (mine.c.measure == t.job.c.measure))
        .order_by(t.job.c.id.desc())
        .limit(_JOBS)
    ).scalars()
    rows = connection.execute(
        select(
            t.task.c.kind,
            t.task.c.name,
            t.attempt.c.device_id,
            t.engine.c.class_key,
            t.attempt.c.leased_at,
            t.attempt.c.ended_at,
        )
        .join(t.attempt, t.attempt.c.task_id == t.task.c.id)
        .outerjoin(t.engine, t.engine.c.key == t.task.c.engine_key)
        .where(t.task.c.job_id.in_(list(jobs)), t.attempt.c.state == AttemptState.COMMITTED.value)
        .order_by(t.attempt.c.ended_at.desc())
    )
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        times = found[row.kind, row.name, row.class_key or row.device_id]
        if len(times) < _TIMES:
            times.append(seconds_between(row.leased_at, row.ended_at))
    return found


def forecast(
    connection: Connection,
    tasks: Sequence[StoredRow],
    leased_at: Mapping[int, str],
    *,
    past: Past,
    alive: Collection[str],
) -> float | None:
    """Seconds that a job's unfinished `tasks` should take; `leased_at` is when each open attempt began."""
    live = [row for row in tasks if TaskState(row.state) not in TERMINAL]
    domains = {
        device.id: device.bench_domain
        for device in planning_devices(connection, alive=alive)
        if device.online and not device.cordoned
    }
    classes = _classes(connection, [row.engine_key for row in live if row.engine_key])

    def rest(row: StoredRow, where: str) -> Rest:
        elapsed_s = seconds_between(leased_at[row.id], None) if row.id in leased_at else 0.0
        return Rest(elapsed_s, past.get((row.kind, row.name, where), ()))

    builds = {row.engine_key: row for row in live if row.kind == TaskKind.BUILD.value}
    awaited = _awaited(connection, [row.id for row in live if row.state == TaskState.WAITING.value])
    benches = [
        RestOfBench(
            domain=domains.get(row.device_id or ""),
            rest=rest(row, row.device_id or ""),
            builds={builds[key].id for key in awaited.get(row.id, ()) if key in builds},
        )
        for row in live
        if row.kind == TaskKind.BENCH.value
    ]
    return eta_s(benches, {row.id: rest(row, classes.get(key, "")) for key, row in builds.items()})


def _classes(connection: Connection, engine_keys: Collection[str]) -> dict[str, str]:
    rows = connection.execute(select(t.engine.c.key, t.engine.c.class_key).where(t.engine.c.key.in_(engine_keys)))
    return {row.key: row.class_key for row in rows}


def _awaited(connection: Connection, task_ids: Collection[int]) -> dict[int, list[str]]:
    """The engines that each of these tasks lacks."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(
        select(t.subject.c.task_id, t.subject.c.engine_key)
        .join(t.engine, t.engine.c.key == t.subject.c.engine_key)
        .where(t.subject.c.task_id.in_(task_ids), t.engine.c.sha256.is_(None))
    ):
        found[row.task_id].append(row.engine_key)
    return found
