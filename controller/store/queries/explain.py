"""Gathers what core.explain needs to say why the tasks of a job have not ended."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import Connection, select

from controller.core.explain import BlockingBuild, Fleet, OpenAttempt, Unfinished, why
from controller.core.lifecycle import TERMINAL
from controller.model.codec import load_facts
from controller.model.job import Artifact
from controller.model.lease import Directive
from controller.model.task import AttemptState, Device, Progress, TaskKind, TaskState
from controller.model.view import Reason
from controller.store import incidents
from controller.store import tables as t
from controller.store.clock import parse
from controller.store.queries.dead_letters import dead_letters
from controller.store.queries.devices import planning_devices
from controller.store.queries.jobs import job_row, job_tasks
from controller.store.queries.leases import directives
from controller.store.queries.lost_files import gone_files
from controller.store.queries.queue import all_ready
from controller.store.queries.tasks import OPEN_STATES, history
from controller.store.steady import steady_now
from controller.store.stored import StoredRow

_AT_ONCE = 500  # SQLite bounds the number of parameters


def reasons(
    connection: Connection,
    job_id: int,
    *,
    alive: Collection[str],
    progress: Mapping[str, Progress],
    paused: Mapping[str, str] = MappingProxyType({}),
    after_id: int = 0,
    limit: int | None = None,
) -> list[Reason]:
    """Why each unfinished task of a job has not ended, and what became of results that could not be taken. `paused`
    says of sessions why they take no work, `after_id` is the last task that was told of.

    Raises NotFound.
    """
    known = job_tasks(connection, job_id)
    begin = next((place for place, row in enumerate(known, 1) if row.id == after_id), 0)
    refused = _refused(connection, known[begin:])
    told = [row for row in known[begin:] if row.id in refused or TaskState(row.state) not in TERMINAL][:limit]
    devices = planning_devices(connection, alive=alive)
    attempts = _open_attempts(connection, devices, progress)
    seen = connection.execute(select(t.device.c.id, t.device.c.session_id, t.device.c.last_seen_at)).all()
    fleet = Fleet(
        devices=devices,
        ready=all_ready(connection),
        running={attempt.device.bench_domain: attempt for attempt in attempts.values()},
        last_seen={row.id: parse(row.last_seen_at) for row in seen},
        paused={row.id: paused[row.session_id] for row in seen if paused.get(row.session_id)},
    )
    job = job_row(connection, job_id)
    found = []
    for row in told:
        reason = refused.get(row.id) or why(_unfinished(connection, row, job, fleet, attempts), fleet)
        found.append(Reason(row.id, row.name, TaskState(row.state), reason))
    return found


def _refused(connection: Connection, tasks: Sequence[StoredRow]) -> dict[int, str]:
    """By task: what became of a result that could not be taken."""
    found: dict[int, str] = {}
    for begin in range(0, len(tasks), _AT_ONCE):
        some = [row.id for row in tasks[begin : begin + _AT_ONCE]]
        for letter in dead_letters(connection, incidents.dead_letter.c.task_id.in_(some), limit=len(some)):
            reason = f"its result cannot be taken, and is kept as dead letter {letter.id}: {letter.reason}"
            found[letter.task_id] = reason
    return found


def _unfinished(
    connection: Connection, row: StoredRow, job: StoredRow, fleet: Fleet, attempts: Mapping[int, OpenAttempt]
) -> Unfinished:
    attempt = attempts.get(row.id)
    return Unfinished(
        task_id=row.id,
        state=TaskState(row.state),
        history=tuple(history(connection, row.id)),
        blocked_by=_blocking_build(connection, row.id, attempts) if row.state == TaskState.WAITING.value else None,
        candidate=next((item for item in fleet.ready if item.task_id == row.id), None),
        attempt=attempt,
        **(_lost_files(connection, row.id) if row.state == TaskState.WAITING.value else {}),
        class_fields=_class_fields(connection, row),
        cancel_asked=attempt is not None and _cancel_asked(connection, row.id),
        timed_out=job.timed_out_at is not None,
        deadline_s=job.deadline_steady_s - steady_now(connection)
        if job.deadline_steady_s and not job.cancel_asked_at
        else None,
    )


def _open_attempts(
    connection: Connection, devices: list[Device], progress: Mapping[str, Progress]
) -> dict[int, OpenAttempt]:
    by_id = {device.id: device for device in devices}
    rows = connection.execute(
        select(t.attempt, t.task.c.name, t.task.c.job_id)
        .join(t.task, t.task.c.id == t.attempt.c.task_id)
        .where(t.attempt.c.state.in_(OPEN_STATES))
    )
    return {
        row.task_id: OpenAttempt(
            task_id=row.task_id,
            task_name=row.name,
            job_id=row.job_id,
            device=by_id[row.device_id],
            running=row.state == AttemptState.RUNNING.value,
            phase=progress[row.token].phase if row.token in progress else "",
        )
        for row in rows
    }


def _blocking_build(connection: Connection, task_id: int, attempts: Mapping[int, OpenAttempt]) -> BlockingBuild | None:
    """The newest BUILD of the first engine that is missing."""
    build = t.task.alias("build")
    row = connection.execute(
        select(build)
        .join(t.subject, t.subject.c.engine_key == build.c.engine_key)
        .join(t.engine, t.engine.c.key == t.subject.c.engine_key)
        .where(t.subject.c.task_id == task_id, t.engine.c.sha256.is_(None), build.c.kind == TaskKind.BUILD.value)
        .order_by(t.subject.c.idx, build.c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    attempt = attempts.get(row.id)
    return BlockingBuild(
        task_id=row.id,
        name=f"BUILD {row.name}",
        state=TaskState(row.state),
        device=attempt.device.name if attempt else "",
        phase=attempt.phase if attempt else "",
    )


def _lost_files(connection: Connection, task_id: int) -> dict[str, tuple[str, ...]]:
    """By the name of the field that they belong into."""
    found = gone_files(connection, task_id)
    return {
        "lost_files": tuple(_named(item.artifact) for item in found if not item.is_sought),
        "sought_files": tuple(_named(item.artifact) for item in found if item.is_sought),
    }


def _named(item: Artifact) -> str:
    return f"{item.role.value} {item.name} ({item.sha256[:12]})"


def _class_fields(connection: Connection, row: StoredRow) -> tuple[tuple[str, str], ...]:
    if row.engine_key is None:
        return ()
    text = connection.execute(select(t.engine.c.class_fields).where(t.engine.c.key == row.engine_key)).scalar_one()
    return tuple((name, str(value)) for name, value in load_facts(text).items())


def _cancel_asked(connection: Connection, task_id: int) -> bool:
    row = connection.execute(
        select(t.attempt).where(t.attempt.c.task_id == task_id, t.attempt.c.state.in_(OPEN_STATES))
    ).one()
    return directives(connection, row.session_id, [row.token])[row.token] is Directive.CANCEL
