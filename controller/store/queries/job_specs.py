"""A job as it was submitted: what it is made of, to be retried, held against another one, or kept."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from controller.model.codec import load, load_labels
from controller.model.job import JobSpec, Limits, Measure, Variant
from controller.store import tables as t
from controller.store.clock import seconds_between
from controller.store.queries.jobs import job_row
from controller.store.stored import StoredRow


def job_spec(connection: Connection, job_id: int) -> JobSpec:
    """All of its variants; no targets and no pairs, which are in its tasks. Raises NotFound."""
    job = job_row(connection, job_id)
    rows = connection.execute(select(t.variant.c.content).where(t.variant.c.job_id == job_id).order_by(t.variant.c.id))
    return spec_of(job, tuple(load(Variant, row.content) for row in rows))


def spec_of(job: StoredRow, variants: Sequence[Variant]) -> JobSpec:
    """For these variants; its deadline begins anew, as long as it was."""
    deadline_s = round(seconds_between(job.created_at, job.deadline_at)) if job.deadline_at else None
    return JobSpec(
        name=job.name,
        model_name=job.model_name,
        variants=tuple(variants),
        targets=(),
        measure=load(Measure, job.measure),
        limits=Limits(job.build_limit_s, job.bench_limit_s, deadline_s),
        priority=job.priority,
        source=job.source,
        labels=load_labels(job.labels),
    )
