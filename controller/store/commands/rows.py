"""Rows of a job: itself, its variants, the engines that it needs, the BUILDs that it shares, and its BENCHes."""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from controller.core.demand import bench_demand, build_demand
from controller.model.codec import dump, load, load_facts
from controller.model.job import JobSpec, Variant
from controller.model.task import (
    DeviceClass,
    PlannedBench,
    PlannedBuild,
    Recipe,
    SubmitState,
    TaskKind,
    TaskState,
)
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.readiness import became_ready
from controller.store.queries.tasks import LIVE_STATES
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.stored import StoredRow


def insert_job(
    connection: Connection, spec: JobSpec, *, key: str, content: str, by: str, retry_of: int | None = None
) -> int:
    """A job that nobody sees yet; returns its number. `by` is the user whose it is."""
    return _rowid(
        _INSERT_JOB.run(
            connection,
            idempotency_key=key,
            content_digest=content,
            submitted_by=by,
            name=spec.name,
            model_name=spec.model_name,
            priority=spec.priority,
            measure=dump(spec.measure),
            build_limit_s=spec.limits.build_s,
            bench_limit_s=spec.limits.bench_s,
            source=spec.source,
            labels=dump(dict(spec.labels)),
            created_at=now_text(),
            deadline_at=None,
            deadline_steady_s=None,
            retry_of=retry_of,
            submit_state=SubmitState.WRITING.value,
        )
    )


def insert_variant(connection: Connection, job_id: int, variant: Variant) -> int:
    return _rowid(
        _INSERT_VARIANT.run(
            connection,
            job_id=job_id,
            key=variant.key,
            runtime=variant.runtime,
            precision=variant.precision.value,
            batch=variant.batch,
            placement=variant.placement,
            content=dump(variant),
        )
    )


def insert_engine(connection: Connection, build: PlannedBuild) -> None:
    """Sees to it that an engine has a row; whether it is built is another matter."""
    recipe = build.recipe
    _INSERT_ENGINE.run(
        connection,
        key=build.engine_key,
        runtime=recipe.runtime,
        runtime_version=recipe.runtime_version,
        precision=recipe.precision.value,
        lowering=recipe.lowering.value,
        placement=recipe.placement,
        recipe=dump(recipe),
        class_key=build.device_class.key,
        class_fields=dump(dict(build.device_class.fields)),
    )


def insert_bench(
    connection: Connection,
    bench: PlannedBench,
    spec: JobSpec,
    *,
    job_id: int,
    variants: Mapping[str, tuple[int, int]],
    demand: str,
) -> None:
    """A BENCH that waits, for its engines or to be released, or is refused; `demand` is its demand as JSON.

    `variants` are their numbers and batch sizes by key.
    """
    now = now_text()
    task_id = _rowid(
        _INSERT_BENCH.run(
            connection,
            kind=TaskKind.BENCH.value,
            name=bench.name or bench.variant_key,
            state=(TaskState.FAILED if bench.refusal else TaskState.WAITING).value,
            job_id=job_id,
            priority=spec.priority,
            demand_id=demand_id(connection, demand),
            time_limit_s=spec.limits.bench_s,
            device_id=bench.device_id,
            conditions=dump(bench.conditions) if bench.device_id is None else None,
            schedule=bench.schedule.value,
            created_at=now,
            ended_at=now if bench.refusal else None,
            refusal=bench.refusal or None,
        )
    )
    for index, subject in enumerate(bench.subjects):
        variant_id, batch = variants[subject.variant_key or bench.variant_key]
        _INSERT_SUBJECT.run(
            connection,
            task_id=task_id,
            idx=index,
            variant_id=variant_id,
            engine_key=subject.engine_key,
            placement=subject.placement,
            streams=spec.measure.streams,
            batch=batch,
        )


def demand_of(variants: Mapping[str, Variant], bench: PlannedBench) -> str:
    """A BENCH's demand as JSON; `variants` are the job's by key."""
    second = next((item.variant_key for item in bench.subjects[1:] if item.variant_key), "")
    return dump(bench_demand(variants[bench.variant_key], bench.conditions, second=variants.get(second)))


def demand_id(connection: Connection, content: str) -> int:
    found = _DEMAND.scalar(connection, content_=content)
    return int(found) if found is not None else _rowid(_INSERT_DEMAND.run(connection, content=content))


def ensure_build(connection: Connection, build: PlannedBuild, *, job_id: int) -> None:
    """Sees to it that an engine exists or is being built, and attaches the job to the BUILD."""
    insert_engine(connection, build)
    attach_build(connection, build.engine_key, job_id=job_id)


def attach_build(connection: Connection, engine_key: str, *, job_id: int) -> None:
    """Sees to it that an engine with a row is being built, if it is not built, and attaches the job to the BUILD."""
    engine = _ENGINE.first(connection, key_=engine_key)
    if engine.sha256 is not None:
        return
    job = _JOB.first(connection, job_id_=job_id)
    task_id = _LIVE_BUILD.scalar(connection, key_=engine_key)
    if task_id is None:
        task_id = _insert_build(connection, _planned(engine), job_id=job_id)
    _ATTACH.run(connection, job_id=job_id, task_id=task_id)
    _RAISE_PRIORITY.run(connection, task_id_=task_id, priority_=job.priority)


def rank_builds(connection: Connection, job_id: int) -> None:
    """A job has stopped: the live BUILDs that it shares get the highest priority of those who still want them."""
    attached = t.job_build.alias("attached")
    highest = (
        select(func.max(t.job.c.priority))
        .join(t.job_build, t.job_build.c.job_id == t.job.c.id)
        .where(t.job_build.c.task_id == t.task.c.id, t.job.c.cancel_asked_at.is_(None))
        .scalar_subquery()
    )
    connection.execute(
        update(t.task)
        .where(
            t.task.c.id.in_(select(attached.c.task_id).where(attached.c.job_id == job_id)),
            t.task.c.state.in_(LIVE_STATES),
            highest.is_not(None),
        )
        .values(priority=highest)
    )


def build_name(recipe: Recipe) -> str:
    batch = recipe.inputs[0].shape[0] if recipe.inputs and recipe.inputs[0].shape else 1
    return f"{recipe.runtime}-{recipe.precision.value}-b{batch}-{recipe.placement}"


def _insert_build(connection: Connection, build: PlannedBuild, *, job_id: int) -> int:
    job, demand = _JOB.first(connection, job_id_=job_id), demand_id(connection, dump(build_demand(build)))
    task_id = _rowid(
        _INSERT_BUILD.run(
            connection,
            kind=TaskKind.BUILD.value,
            name=build_name(build.recipe),
            state=TaskState.READY.value,
            job_id=job_id,
            priority=job.priority,
            demand_id=demand,
            time_limit_s=job.build_limit_s,
            engine_key=build.engine_key,
            created_at=now_text(),
        )
    )
    became_ready(connection, None, demand)
    return task_id


def _planned(engine: StoredRow) -> PlannedBuild:
    fields = tuple((name, str(value)) for name, value in load_facts(engine.class_fields).items())
    return PlannedBuild(engine.key, load(Recipe, engine.recipe), DeviceClass(engine.class_key, fields))


def _rowid(inserted: int | None) -> int:
    if inserted is None:
        raise TypeError("nothing was inserted")
    return inserted


_INSERT_JOB = PreparedStatement(insert(t.job))
_INSERT_VARIANT = PreparedStatement(insert(t.variant))
_INSERT_BENCH = PreparedStatement(insert(t.task))
_INSERT_BUILD = PreparedStatement(insert(t.task))
_INSERT_SUBJECT = PreparedStatement(insert(t.subject))
_INSERT_DEMAND = PreparedStatement(insert(t.demand))
_INSERT_ENGINE = PreparedStatement(sqlite_insert(t.engine).on_conflict_do_nothing())
_ATTACH = PreparedStatement(sqlite_insert(t.job_build).on_conflict_do_nothing())
_DEMAND = PreparedStatement(select(t.demand.c.id).where(t.demand.c.content == bindparam("content_")))
_ENGINE = PreparedStatement(
    select(t.engine.c.key, t.engine.c.sha256, t.engine.c.recipe, t.engine.c.class_key, t.engine.c.class_fields).where(
        t.engine.c.key == bindparam("key_")
    )
)
_JOB = PreparedStatement(select(t.job.c.priority, t.job.c.build_limit_s).where(t.job.c.id == bindparam("job_id_")))
_LIVE_BUILD = PreparedStatement(select(t.task.c.id).where(t.LIVE_BUILD, t.task.c.engine_key == bindparam("key_")))
_RAISE_PRIORITY = PreparedStatement(
    update(t.task)
    .where(t.task.c.id == bindparam("task_id_"), t.task.c.priority < bindparam("priority_"))
    .values(priority=bindparam("priority_"))
)
