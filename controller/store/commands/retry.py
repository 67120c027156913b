"""`job retry`: a new job from the rows of one that is over."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from controller.core.content import retry_digest
from controller.core.retry import PreviousBench, plan_again
from controller.model.codec import load
from controller.model.job import Condition, JobSpec, Variant
from controller.model.result import Schedule
from controller.model.task import TaskKind, TaskState
from controller.store import tables as t
from controller.store.commands.submit import Submission
from controller.store.queries.blobs import missing_blobs
from controller.store.queries.devices import planning_devices
from controller.store.queries.engines import known_engines
from controller.store.queries.job_specs import spec_of
from controller.store.queries.jobs import job_row
from jetfleet.errors import BadInput


def plan_retry(connection: Connection, job_id: int, *, alive: Collection[str], key: str, by: str = "") -> Submission:
    """Plans what did not succeed; the new job is of the user `by`. Raises NotFound, BadInput, NoDevice."""
    job, devices = job_row(connection, job_id), planning_devices(connection, alive=alive)
    tried = _tried(connection, job_id)
    made = plan_again(tried, devices, known_engines(connection), job_id=job_id)
    wanted = {item.variant_key or bench.variant_key for bench in made.benches for item in bench.subjects}
    variants = {each.key: each for item in tried for each in item.variants if each.key in wanted}
    spec = spec_of(job, tuple(variants.values()))
    _refuse_missing_files(connection, spec, job_id)
    return Submission(spec, made, devices, key=key, content=retry_digest(job_id), by=by, retry_of=job_id)


def _tried(connection: Connection, job_id: int) -> list[PreviousBench]:
    second_subject, second = t.subject.alias("second_subject"), t.variant.alias("second")
    rows = connection.execute(
        select(
            t.task.c.state,
            t.task.c.device_id,
            t.task.c.conditions,
            t.task.c.schedule,
            t.variant.c.content,
            second.c.content.label("second"),
        )
        .join(t.subject, t.subject.c.task_id == t.task.c.id)
        .join(t.variant, t.variant.c.id == t.subject.c.variant_id)
        .outerjoin(second_subject, (second_subject.c.task_id == t.task.c.id) & (second_subject.c.idx == 1))
        .outerjoin(second, second.c.id == second_subject.c.variant_id)
        .where(t.task.c.job_id == job_id, t.task.c.kind == TaskKind.BENCH.value, t.subject.c.idx == 0)
        .order_by(t.task.c.id)
    )
    return [
        PreviousBench(
            variant=load(Variant, row.content),
            state=TaskState(row.state),
            device_id=row.device_id,
            conditions=load(tuple[Condition, ...], row.conditions) if row.conditions else None,
            second=(load(Variant, row.second),) if row.schedule == Schedule.INTERLEAVED.value else (),
        )
        for row in rows
    ]


def _refuse_missing_files(connection: Connection, spec: JobSpec, job_id: int) -> None:
    wanted = {item.sha256 for variant in spec.variants for item in variant.artifacts}
    missing = missing_blobs(connection, wanted)
    if missing:
        raise BadInput(
            f"{len(missing)} files of job {job_id} are no longer here, {missing[0][:12]} first",
            hint="submit its job file again",
        )
