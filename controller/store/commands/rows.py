"""A plan as rows: the job, its variants, the engines that it needs, the BUILDs that it shares, and its BENCHes."""

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from controller.model.codec import dump
from controller.model.job import JobSpec, Variant
from controller.model.result import Schedule
from controller.model.task import Plan, PlannedBench, PlannedBuild, TaskKind, TaskState
from controller.store import tables as t
from controller.store.clock import after, now_text
from controller.store.commands.attempts import move
from controller.store.queries.tasks import LIVE_STATES, missing_engines


def insert_planned(connection: Connection, spec: JobSpec, made: Plan, *, key: str, retry_of: int | None = None) -> int:
    """Stores a job and its tasks; returns its number. Its deadline, if any, counts from now."""
    job_id = _insert_job(connection, spec, key=key, retry_of=retry_of)
    variants = {variant.key: _insert_variant(connection, job_id, variant) for variant in spec.variants}
    for build in made.builds:
        ensure_build(connection, build, job_id=job_id)
    for bench in made.benches:
        _insert_bench(connection, bench, spec, job_id=job_id, variant_id=variants[bench.variant_key])
    return job_id


def ensure_build(connection: Connection, build: PlannedBuild, *, job_id: int) -> None:
    """Sees to it that an engine exists or is being built, and attaches the job to the BUILD."""
    recipe = build.recipe
    connection.execute(
        sqlite_insert(t.engine)
        .values(
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
        .on_conflict_do_nothing()
    )
    engine = connection.execute(select(t.engine).where(t.engine.c.key == build.engine_key)).one()
    if engine.sha256 is not None:
        return
    task_id = _live_build(connection, build.engine_key) or _insert_build(connection, build, job_id=job_id)
    job = connection.execute(select(t.job).where(t.job.c.id == job_id)).one()
    connection.execute(sqlite_insert(t.job_build).values(job_id=job_id, task_id=task_id).on_conflict_do_nothing())
    connection.execute(
        update(t.task).where(t.task.c.id == task_id, t.task.c.priority < job.priority).values(priority=job.priority)
    )


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


def build_name(build: PlannedBuild) -> str:
    recipe = build.recipe
    batch = recipe.inputs[0].shape[0] if recipe.inputs and recipe.inputs[0].shape else 1
    return f"{recipe.runtime}-{recipe.precision.value}-b{batch}-{recipe.placement}"


def _insert_job(connection: Connection, spec: JobSpec, *, key: str, retry_of: int | None) -> int:
    now, deadline_s = now_text(), spec.limits.deadline_s
    return int(
        connection.execute(
            insert(t.job)
            .values(
                idempotency_key=key,
                name=spec.name,
                model_name=spec.model_name,
                priority=spec.priority,
                measure=dump(spec.measure),
                build_limit_s=spec.limits.build_s,
                bench_limit_s=spec.limits.bench_s,
                source=spec.source,
                labels=dump(dict(spec.labels)),
                created_at=now,
                deadline_at=None if deadline_s is None else after(now, deadline_s),
                retry_of=retry_of,
            )
            .returning(t.job.c.id)
        ).scalar_one()
    )


def _insert_variant(connection: Connection, job_id: int, variant: Variant) -> int:
    return int(
        connection.execute(
            insert(t.variant)
            .values(
                job_id=job_id,
                key=variant.key,
                runtime=variant.runtime,
                precision=variant.precision.value,
                batch=variant.batch,
                placement=variant.placement,
                content=dump(variant),
            )
            .returning(t.variant.c.id)
        ).scalar_one()
    )


def _live_build(connection: Connection, engine_key: str) -> int | None:
    return connection.execute(
        select(t.task.c.id).where(
            t.task.c.kind == TaskKind.BUILD.value,
            t.task.c.engine_key == engine_key,
            t.task.c.state.in_(LIVE_STATES),
        )
    ).scalar()


def _insert_build(connection: Connection, build: PlannedBuild, *, job_id: int) -> int:
    job = connection.execute(select(t.job).where(t.job.c.id == job_id)).one()
    return int(
        connection.execute(
            insert(t.task)
            .values(
                kind=TaskKind.BUILD.value,
                name=build_name(build),
                state=TaskState.READY.value,
                job_id=job_id,
                priority=job.priority,
                time_limit_s=job.build_limit_s,
                engine_key=build.engine_key,
                created_at=now_text(),
            )
            .returning(t.task.c.id)
        ).scalar_one()
    )


def _insert_bench(connection: Connection, bench: PlannedBench, spec: JobSpec, *, job_id: int, variant_id: int) -> None:
    variant = next(item for item in spec.variants if item.key == bench.variant_key)
    task_id = int(
        connection.execute(
            insert(t.task)
            .values(
                kind=TaskKind.BENCH.value,
                name=bench.variant_key,
                state=TaskState.WAITING.value if bench.device_id else TaskState.READY.value,
                job_id=job_id,
                priority=spec.priority,
                time_limit_s=spec.limits.bench_s,
                device_id=bench.device_id,
                conditions=dump(bench.conditions) if bench.device_id is None else None,
                schedule=(Schedule.ALONE if len(bench.subjects) == 1 else Schedule.CONCURRENT).value,
                created_at=now_text(),
            )
            .returning(t.task.c.id)
        ).scalar_one()
    )
    for index, subject in enumerate(bench.subjects):
        connection.execute(
            insert(t.subject).values(
                task_id=task_id,
                idx=index,
                variant_id=variant_id,
                engine_key=subject.engine_key,
                placement=subject.placement,
                streams=1,
                batch=variant.batch,
            )
        )
    if bench.device_id and not missing_engines(connection, task_id):
        move(connection, task_id, TaskState.READY)
