"""Writes a planned job, in as many transactions as it takes: none of them holds the writer for long.

Nobody sees a job before all of it is written (WRITING); then it is accepted, its BUILDs are made and its BENCHes
released (RELEASING). What a controller that dies leaves in the first state is removed when it starts again; what it
leaves in the second is carried on.
"""

import time
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update

from controller.core.boards import boards_by_engine
from controller.core.content import content_digest
from controller.core.plan import plan
from controller.model.job import JobSpec
from controller.model.task import Device, Plan, SubmitState, TaskKind, TaskState
from controller.model.view import PlannedTask, Submitted
from controller.store import tables as t
from controller.store.clock import after, now_text
from controller.store.commands.attempts import move
from controller.store.commands.bind import replan_device
from controller.store.commands.depart import skip_bound
from controller.store.commands.rows import (
    attach_build,
    build_name,
    demand_of,
    insert_bench,
    insert_engine,
    insert_job,
    insert_variant,
)
from controller.store.queries.devices import planning_devices
from controller.store.queries.engines import known_engines
from controller.store.queries.jobs import known_job
from controller.store.queries.tasks import missing_engines
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.steady import steady_now

BUDGET_S = 0.02  # for what one transaction writes
_PAGE = 100


class Submission:
    """A job on its way into the database. Call `step` in one transaction after the other until it has an answer."""

    def __init__(
        self,
        spec: JobSpec,
        made: Plan,
        devices: Sequence[Device],
        *,
        key: str,
        content: str,
        by: str = "",
        retry_of: int | None = None,
    ) -> None:
        self._spec, self._plan, self._key, self._by, self._retry_of = spec, made, key, by, retry_of
        self._content = content
        self._devices = devices
        self._planned = described(made, devices)
        self._steps: Iterator[None] | None = None
        self._answer: Submitted | None = None

    @property
    def planned(self) -> Submitted:
        """What would be submitted."""
        return Submitted(0, self._planned, repeated_request=False, notes=self._plan.notes)

    def step(self, connection: Connection, *, budget_s: float = BUDGET_S) -> Submitted | None:
        """Writes as much as the time allows. A key that was submitted before is answered as it was."""
        deadline = time.monotonic() + budget_s
        if self._steps is None:
            self._steps = self._write(connection)
        for _ in self._steps:
            if time.monotonic() >= deadline:
                return None
        return self._answer

    def _write(self, connection: Connection) -> Iterator[None]:
        if (known := known_job(connection, self._key, content=self._content)) is not None:
            self._answer = known
            return
        while discard(connection, self._key):  # of a try that broke off
            yield
        job_id = insert_job(
            connection, self._spec, key=self._key, content=self._content, by=self._by, retry_of=self._retry_of
        )
        yield from self._write_tasks(connection, job_id)
        _accept(connection, job_id, self._spec.limits.deadline_s)
        yield from release(connection, job_id)
        yield from self._replan(connection)
        self._answer = Submitted(job_id, self._planned, repeated_request=False, notes=self._plan.notes)

    def _write_tasks(self, connection: Connection, job_id: int) -> Iterator[None]:
        variants = {item.key: item for item in self._spec.variants}
        stored: dict[str, tuple[int, int]] = {}
        for key, variant in variants.items():
            stored[key] = insert_variant(connection, job_id, variant), variant.batch
            yield
        for build in self._plan.builds:
            insert_engine(connection, build)
            yield
        demands: dict[tuple[str, object], str] = {}
        for bench in self._plan.benches:
            known = (bench.name or bench.variant_key, bench.conditions)
            demand = demands.get(known) or demands.setdefault(known, demand_of(variants, bench))
            insert_bench(connection, bench, self._spec, job_id=job_id, variants=stored, demand=demand)
            yield

    def _replan(self, connection: Connection) -> Iterator[None]:
        """Devices that have other facts by now than when the job was planned may need other engines; some are gone."""
        wanted = {bench.device_id for bench in self._plan.benches}
        planned = {device.id: device.facts for device in self._devices if device.id in wanted}
        known = planning_devices(connection, alive=())
        for device in self._devices:
            if device.id in wanted and all(device.id != item.id for item in known):
                skip_bound(connection, device.id, name=device.name)
                yield
        for device in known:
            if device.id in planned and planned[device.id] != device.facts:
                replan_device(connection, device)
                yield


def plan_job(
    spec: JobSpec, devices: Sequence[Device], engines: Collection[str], *, key: str, by: str = ""
) -> Submission:
    """`by` is the user whose job it is. Raises NoDevice and BadInput."""
    return Submission(spec, plan(spec, devices, engines), devices, key=key, content=content_digest(spec), by=by)


def planning_fleet(connection: Connection, alive: Collection[str]) -> tuple[list[Device], set[str]]:
    """What `plan_job` plans with: every device, and the engines that exist or are being built."""
    return planning_devices(connection, alive=alive), known_engines(connection)


def release(connection: Connection, job_id: int) -> Iterator[None]:
    """Makes the BUILDs of an accepted job, and READY what lacks no engine."""
    begin = 0
    while rows := _WAITING.all(connection, job_id_=job_id, after_=begin, size_=_PAGE):
        for row in rows:
            missing = missing_engines(connection, row.id)
            for engine_key in missing:
                attach_build(connection, engine_key, job_id=job_id)
            if not missing:
                move(connection, row.id, TaskState.READY)
        begin = rows[-1].id
        yield  # what was read may be over in the next transaction
    connection.execute(update(t.job).where(t.job.c.id == job_id).values(submit_state=SubmitState.DONE.value))


def settle_unfinished(connection: Connection) -> list[int]:
    """At a start: jobs that were accepted are carried on, others removed; returns the removed ones."""
    unfinished = connection.execute(
        select(t.job.c.id, t.job.c.idempotency_key, t.job.c.submit_state).where(
            t.job.c.submit_state != SubmitState.DONE.value
        )
    ).all()
    removed = []
    for job in unfinished:
        if job.submit_state == SubmitState.RELEASING.value:
            for _ in release(connection, job.id):
                pass
            continue
        removed.append(job.id)
        while discard(connection, job.idempotency_key):
            pass
    return removed


def discard(connection: Connection, key: str) -> bool:
    """Removes a part of a job that was not accepted, if there is one; True if there is more of it."""
    job_id = connection.execute(
        select(t.job.c.id).where(t.job.c.idempotency_key == key, t.job.c.submit_state == SubmitState.WRITING.value)
    ).scalar()
    if job_id is None:
        return False
    some = select(t.task.c.id).where(t.task.c.job_id == job_id, t.task.c.kind == TaskKind.BENCH.value).limit(_PAGE)
    task_ids = list(connection.execute(some).scalars())
    if task_ids:
        engines = list(
            connection.execute(select(t.subject.c.engine_key).where(t.subject.c.task_id.in_(task_ids))).scalars()
        )
        connection.execute(delete(t.subject).where(t.subject.c.task_id.in_(task_ids)))
        connection.execute(delete(t.task).where(t.task.c.id.in_(task_ids)))
        unused = ~select(1).where(t.subject.c.engine_key == t.engine.c.key).exists()
        unbuilt = ~select(1).where(t.task.c.engine_key == t.engine.c.key).exists()
        connection.execute(
            delete(t.engine).where(t.engine.c.key.in_(engines), t.engine.c.sha256.is_(None), unused, unbuilt)
        )
        return True
    connection.execute(delete(t.variant).where(t.variant.c.job_id == job_id))
    connection.execute(delete(t.job).where(t.job.c.id == job_id))
    return False


def described(made: Plan, devices: Sequence[Device]) -> tuple[PlannedTask, ...]:
    """A plan, for people."""
    names, boards = {device.id: device.name for device in devices}, boards_by_engine(made, devices)
    builds = [
        PlannedTask(
            TaskKind.BUILD,
            build_name(item.recipe),
            "",
            item.engine_key,
            item.engine_key in made.reused,
            boards=boards.get(item.engine_key, ""),
        )
        for item in made.builds
    ]
    benches = [
        PlannedTask(
            TaskKind.BENCH,
            item.name or item.variant_key,
            names.get(item.device_id or "", ""),
            item.subjects[0].engine_key or "",
            False,
        )
        for item in made.benches
    ]
    return (*builds, *benches)


def _accept(connection: Connection, job_id: int, deadline_s: int | None) -> None:
    """From here on the job is there, whatever happens. Its deadline, if any, counts from now."""
    now = now_text()
    connection.execute(
        update(t.job)
        .where(t.job.c.id == job_id)
        .values(
            created_at=now,
            deadline_at=None if deadline_s is None else after(now, deadline_s),
            deadline_steady_s=None if deadline_s is None else steady_now(connection) + deadline_s,
            submit_state=SubmitState.RELEASING.value,
        )
    )


_WAITING = PreparedStatement(
    select(t.task.c.id)
    .where(
        t.task.c.job_id == bindparam("job_id_"),
        t.task.c.kind == TaskKind.BENCH.value,
        t.task.c.state == TaskState.WAITING.value,
        t.task.c.id > bindparam("after_"),
    )
    .order_by(t.task.c.id)
    .limit(bindparam("size_"))
)
