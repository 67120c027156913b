"""Claim: the moment at which work is handed out."""

import secrets
from collections.abc import Collection
from dataclasses import replace
from functools import cache

from sqlalchemy import Connection, bindparam, func, insert, select

from controller.core import scheduler
from controller.core.subject import subject_of
from controller.model.codec import load
from controller.model.engine import BuildReport
from controller.model.job import Artifact, Measure, Role, Variant
from controller.model.lease import BenchWork, BuildWork, Lease
from controller.model.result import Schedule
from controller.model.task import (
    AttemptState,
    Candidate,
    Device,
    Recipe,
    TaskKind,
    TaskState,
)
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands import timing_caches
from controller.store.commands.attempts import move
from controller.store.commands.bind import bind
from controller.store.commands.lost_files import set_aside
from controller.store.queries import queue
from controller.store.queries.devices import current_device, planning_devices
from controller.store.queries.tasks import OPEN_STATES
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.stored import StoredRow
from jetfleet.board_settings import CLOCKS, POWER_MODE


def claim(
    connection: Connection,
    session_id: str,
    request_id: str,
    *,
    alive: Collection[str],
) -> Lease | None:
    """Hands the best task for a session's device out, or None. The same request is answered with the same lease."""
    known = _REPEATED.first(connection, session_id_=session_id, request_id_=request_id)
    if known is not None:
        if known.state not in OPEN_STATES:
            return None
        return lease_of(connection, known.token, known.task_id)
    device, facts_id, facts = current_device(connection, session_id)
    if device.cordoned or _IN_DOMAIN.first(connection, bench_domain_=device.bench_domain) is not None:
        return None
    while (choice := _choose(connection, device, facts, alive=alive)) is not None:
        if _can_begin(connection, choice, device):
            token = _open_attempt(connection, choice, device, facts_id, session_id, request_id)
            return lease_of(connection, token, choice.task_id)
        # It waits now: choose again, perhaps the BUILD that a BENCH waits for.
    return None


def _can_begin(connection: Connection, choice: Candidate, device: Device) -> bool:
    """Is all there that the task needs? If not, it waits from now on."""
    if set_aside(connection, choice.task_id):
        return False
    return choice.kind is TaskKind.BUILD or bind(connection, choice.task_id, device)


def _choose(connection: Connection, device: Device, facts: str, *, alive: Collection[str]) -> Candidate | None:
    @cache
    def others() -> list[Device]:
        return [item for item in planning_devices(connection, alive=alive) if item.online and item.id != device.id]

    return scheduler.pick_able(device, queue.lines(connection, device, facts), others=others)


def _open_attempt(
    connection: Connection, choice: Candidate, device: Device, facts_id: int, session_id: str, request_id: str
) -> str:
    """Returns the new attempt's token."""
    number = _LAST_NUMBER.scalar(connection, task_id_=choice.task_id) or 0
    move(connection, choice.task_id, TaskState.LEASED)
    token = secrets.token_hex(16)
    _OPEN_ATTEMPT.run(
        connection,
        token=token,
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
    return token


def lease_of(connection: Connection, token: str, task_id: int) -> Lease:
    """What an attempt was handed, or would be."""
    task = _TASK.first(connection, task_id_=task_id)
    build = task.kind == TaskKind.BUILD.value
    work = _build_work(connection, task) if build else _bench_work(connection, task)
    return Lease(token, task.id, f"{task.kind.lower()} {task.name}", task.time_limit_s, work, task.job_id)


def _build_work(connection: Connection, task: StoredRow) -> BuildWork:
    recipe = load(Recipe, task.recipe)
    # A repeated build that is handed what the first one timed chooses what the first one chose.
    caches = () if recipe.repeat else timing_caches.current(connection, recipe, task.class_key)
    return BuildWork(task.engine_key, recipe, caches)


def _bench_work(connection: Connection, task: StoredRow) -> BenchWork:
    rows = _SUBJECTS.all(connection, task_id_=task.id)
    variants = [load(Variant, row.content) for row in rows]
    subjects = tuple(
        subject_of(
            variant,
            engine_key=row.engine_key,
            engine=Artifact(Role.ENGINE, "engine", row.sha256, row.size_bytes),
            runtime_version=row.runtime_version,
            placement=row.placement,
            streams=row.streams,
            batch=row.batch,
            flags=tuple(load(BuildReport, row.report).flags()) if row.report else (),
        )
        for variant, row in zip(variants, rows, strict=True)
    )
    settings = variants[0].settings
    measure = replace(
        load(Measure, task.measure), power_mode=settings.get(POWER_MODE, ""), clocks=settings.get(CLOCKS, "")
    )
    return BenchWork(Schedule(task.schedule), subjects, measure)


_REPEATED = PreparedStatement(
    select(t.attempt.c.token, t.attempt.c.task_id, t.attempt.c.state).where(
        t.attempt.c.session_id == bindparam("session_id_"), t.attempt.c.request_id == bindparam("request_id_")
    )
)
_IN_DOMAIN = PreparedStatement(
    select(t.attempt.c.token).where(t.attempt.c.bench_domain == bindparam("bench_domain_"), t.OPEN)
)
_LAST_NUMBER = PreparedStatement(
    select(func.max(t.attempt.c.number)).where(t.attempt.c.task_id == bindparam("task_id_"))
)
_OPEN_ATTEMPT = PreparedStatement(insert(t.attempt))
_TASK = PreparedStatement(
    select(t.task, t.job.c.measure, t.engine.c.recipe, t.engine.c.class_key)
    .join(t.job, t.job.c.id == t.task.c.job_id)
    .outerjoin(t.engine, t.engine.c.key == t.task.c.engine_key)
    .where(t.task.c.id == bindparam("task_id_"))
)
_SUBJECTS = PreparedStatement(
    select(
        t.subject,
        t.variant.c.content,
        t.engine.c.sha256,
        t.engine.c.size_bytes,
        t.engine.c.runtime_version,
        t.engine.c.report,
    )
    .join(t.variant, t.variant.c.id == t.subject.c.variant_id)
    .join(t.engine, t.engine.c.key == t.subject.c.engine_key)
    .where(t.subject.c.task_id == bindparam("task_id_"))
    .order_by(t.subject.c.idx)
)
