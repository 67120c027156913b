"""Claim and commit: the two moments at which work changes hands."""

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from controller.core import scheduler
from controller.model.job import Artifact, Condition, Measure, Role, Variant
from controller.model.lease import BenchWork, BuildWork, Directive, Lease, Schedule, Subject
from controller.model.task import (
    AttemptState,
    Candidate,
    Device,
    Ended,
    FailureKind,
    Recipe,
    TaskKind,
    TaskState,
)
from controller.store import tables as t
from controller.store.attempts import OPEN_STATES, close_attempts, is_wanted, move
from controller.store.clock import now_text
from controller.store.codec import load
from controller.store.devices import current_device, planning_devices
from controller.store.plans import bind


def claim(
    connection: Connection,
    session_id: str,
    request_id: str,
    *,
    alive: Collection[str],
    has_blob: Callable[[str], bool],
) -> Lease | None:
    """Hands the best task for a session's device out, or None. The same request is answered with the same lease."""
    known = connection.execute(
        select(t.attempt).where(t.attempt.c.session_id == session_id, t.attempt.c.request_id == request_id)
    ).first()
    if known is not None:
        return _lease(connection, known) if known.state in OPEN_STATES else None
    device, facts_id = current_device(connection, session_id)
    if device.cordoned or _domain_busy(connection, device.bench_domain):
        return None
    ready = ready_candidates(connection, device)
    others = _others(connection, ready, device, alive=alive)
    while (choice := scheduler.pick(device, ready, others=others)) is not None:
        if choice.kind is TaskKind.BUILD or bind(connection, choice.task_id, device, has_blob=has_blob):
            return _open_attempt(connection, choice, device, facts_id, session_id, request_id)
        ready = ready_candidates(connection, device)  # the BENCH waits now; the BUILD it waits for is in here
    return None


def worth_a_claim(connection: Connection, session_id: str, request_id: str) -> bool:
    """A cheap look: is this claim a repeated one, or is there a READY task that is not bound to somebody else?"""
    known = select(t.attempt.c.token).where(t.attempt.c.session_id == session_id, t.attempt.c.request_id == request_id)
    if connection.execute(known).first() is not None:
        return True
    device, _facts_id = current_device(connection, session_id)
    ready = (
        select(t.task.c.id)
        .where(t.task.c.state == TaskState.READY.value)
        .where((t.task.c.device_id == device.id) | t.task.c.device_id.is_(None))
        .limit(1)
    )
    return connection.execute(ready).first() is not None


def ready_candidates(connection: Connection, device: Device | None) -> list[Candidate]:
    """READY tasks that are not bound to another device; all of them for None."""
    query = (
        select(
            t.task,
            t.engine.c.runtime.label("engine_runtime"),
            t.engine.c.runtime_version,
            t.engine.c.placement.label("engine_placement"),
            t.engine.c.class_key,
            t.variant.c.runtime,
            t.variant.c.placement,
        )
        .outerjoin(t.engine, t.engine.c.key == t.task.c.engine_key)
        .outerjoin(t.subject, (t.subject.c.task_id == t.task.c.id) & (t.subject.c.idx == 0))
        .outerjoin(t.variant, t.variant.c.id == t.subject.c.variant_id)
        .where(t.task.c.state == TaskState.READY.value)
    )
    if device is not None:
        query = query.where((t.task.c.device_id == device.id) | t.task.c.device_id.is_(None))
    faults = _fault_history(connection)
    return [_candidate(row, faults.get(row.id, ())) for row in connection.execute(query).all()]


def directives(connection: Connection, session_id: str, tokens: Sequence[str]) -> dict[str, Directive]:
    """What the session should do with each attempt it reports."""
    rows = connection.execute(
        select(t.attempt, t.task.c.kind, t.task.c.engine_key, t.job.c.cancel_asked_at)
        .join(t.task, t.task.c.id == t.attempt.c.task_id)
        .join(t.job, t.job.c.id == t.task.c.job_id)
        .where(t.attempt.c.token.in_(tokens), t.attempt.c.session_id == session_id)
        .where(t.attempt.c.state.in_(OPEN_STATES))
    ).all()
    answers = dict.fromkeys(tokens, Directive.LOST)
    for row in rows:
        wanted = is_wanted(connection, row.engine_key) if row.kind == "BUILD" else row.cancel_asked_at is None
        answers[row.token] = Directive.CONTINUE if wanted else Directive.CANCEL
    return answers


def start_attempts(connection: Connection, tokens: Collection[str]) -> None:
    """The children of these attempts run now."""
    connection.execute(
        update(t.attempt)
        .where(t.attempt.c.token.in_(tokens), t.attempt.c.state == AttemptState.LEASED.value)
        .values(state=AttemptState.RUNNING.value, started_at=now_text())
    )


def expire(connection: Connection, tokens: Collection[str], *, after_s: float) -> list[int]:
    """Nobody renewed these: their tasks may be tried again. Returns the tasks."""
    return close_attempts(
        connection,
        t.attempt.c.token.in_(tokens),
        AttemptState.EXPIRED,
        message=f"the agent was not heard from for {after_s:.0f} s",
    )


def open_attempts(connection: Connection) -> dict[str, str]:
    """Token -> session of every attempt that is not over."""
    rows = connection.execute(
        select(t.attempt.c.token, t.attempt.c.session_id).where(t.attempt.c.state.in_(OPEN_STATES))
    )
    return {row.token: row.session_id for row in rows}


def _domain_busy(connection: Connection, bench_domain: str) -> bool:
    return (
        connection.execute(
            select(t.attempt.c.token).where(
                t.attempt.c.bench_domain == bench_domain, t.attempt.c.state.in_(OPEN_STATES)
            )
        ).first()
        is not None
    )


def _fault_history(connection: Connection) -> dict[int, tuple[Ended, ...]]:
    """Only faults of devices matter to scheduling, and they are rare: read them all in one go."""
    rows = connection.execute(
        select(t.attempt.c.task_id, t.attempt.c.state, t.attempt.c.device_id, t.attempt.c.failure_kind)
        .join(t.task, t.task.c.id == t.attempt.c.task_id)
        .where(t.task.c.state == TaskState.READY.value, t.attempt.c.failure_kind.is_not(None))
    )
    found: dict[int, tuple[Ended, ...]] = {}
    for row in rows:
        ended = Ended(AttemptState(row.state), row.device_id, FailureKind(row.failure_kind))
        found[row.task_id] = (*found.get(row.task_id, ()), ended)
    return found


def _others(
    connection: Connection, ready: Sequence[Candidate], device: Device, *, alive: Collection[str]
) -> list[Device]:
    if not any(candidate.history for candidate in ready):
        return []
    return [item for item in planning_devices(connection, alive=alive) if item.online and item.id != device.id]


def _candidate(row: Row[Any], history: tuple[Ended, ...]) -> Candidate:
    build = row.kind == TaskKind.BUILD.value
    return Candidate(
        task_id=row.id,
        kind=TaskKind(row.kind),
        job_id=row.job_id,
        priority=row.priority,
        runtime=row.engine_runtime if build else row.runtime,
        runtime_version=row.runtime_version if build else "",
        placement=row.engine_placement if build else row.placement,
        class_key=row.class_key if build else "",
        device_id=row.device_id,
        conditions=load(tuple[Condition, ...], row.conditions) if row.conditions else (),
        history=history,
    )


def _open_attempt(
    connection: Connection, choice: Candidate, device: Device, facts_id: int, session_id: str, request_id: str
) -> Lease:
    number = connection.execute(
        select(func.count()).select_from(t.attempt).where(t.attempt.c.task_id == choice.task_id)
    ).scalar_one()
    move(connection, choice.task_id, TaskState.LEASED)
    row = connection.execute(
        insert(t.attempt)
        .values(
            token=secrets.token_hex(16),
            task_id=choice.task_id,
            number=number + 1,
            state=AttemptState.LEASED.value,
            device_id=device.id,
            session_id=session_id,
            request_id=request_id,
            bench_domain=device.bench_domain,
            facts_id=facts_id,
            leased_at=now_text(),
        )
        .returning(t.attempt)
    ).one()
    return _lease(connection, row)


def _lease(connection: Connection, attempt: Row[Any]) -> Lease:
    task = connection.execute(select(t.task).where(t.task.c.id == attempt.task_id)).one()
    work = _build_work(connection, task) if task.kind == TaskKind.BUILD.value else _bench_work(connection, task)
    return Lease(attempt.token, task.id, f"{task.kind.lower()} {task.name}", task.time_limit_s, work)


def _build_work(connection: Connection, task: Row[Any]) -> BuildWork:
    text = connection.execute(select(t.engine.c.recipe).where(t.engine.c.key == task.engine_key)).scalar_one()
    return BuildWork(task.engine_key, load(Recipe, text))


def _bench_work(connection: Connection, task: Row[Any]) -> BenchWork:
    measure = connection.execute(select(t.job.c.measure).where(t.job.c.id == task.job_id)).scalar_one()
    rows = connection.execute(
        select(t.subject, t.variant.c.content, t.engine.c.sha256, t.engine.c.size_bytes, t.engine.c.runtime_version)
        .join(t.variant, t.variant.c.id == t.subject.c.variant_id)
        .join(t.engine, t.engine.c.key == t.subject.c.engine_key)
        .where(t.subject.c.task_id == task.id)
        .order_by(t.subject.c.idx)
    )
    subjects = tuple(
        Subject(
            variant=load(Variant, row.content),
            engine_key=row.engine_key,
            engine=Artifact(Role.ENGINE, "engine", row.sha256, row.size_bytes),
            runtime_version=row.runtime_version,
            placement=row.placement,
            streams=row.streams,
            batch=row.batch,
        )
        for row in rows
    )
    return BenchWork(Schedule(task.schedule), subjects, load(Measure, measure))
