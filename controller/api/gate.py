"""A job held against a baseline: in turns on the same boards where both can be run there, else by stored numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.analysis.gate import gate_cells
from controller.analysis.recommendation.classes import class_of
from controller.api.history import Fetch, history_of
from controller.model.baseline import Baseline
from controller.model.comparison import ComparisonReport
from controller.model.facts import DEVICE_NAME
from controller.model.gate import GateReport, OnDoubt, RegressionLimit, Stage
from controller.model.job import Condition, JobSpec, Op, Quantifier, Target
from controller.model.result import Row, Schedule
from controller.model.view import ResultQuery
from jetfleet.errors import BadInput, JetfleetError
from jetfleet.stats.interleaved import FEWEST

if TYPE_CHECKING:
    from controller.api.client import Client

Say = Callable[[str], None]

_ROWS = 1000


def gate_job(
    client: "Client",
    job_id: int,
    baseline: str,
    limits: Sequence[RegressionLimit],
    *,
    stage: Stage = Stage.BLOCK,
    on_doubt: OnDoubt = OnDoubt.FAIL,
    interleaved: bool = True,
    say: Say = lambda _: None,
) -> GateReport:
    """`baseline` is a job's number, or a name that `baseline set` gave. `interleaved` runs both in turns, now.

    Raises NotFound, BadInput for a baseline that does not exist or is the job itself.
    """
    client.job(job_id)
    rows = client.results(ResultQuery((job_id,), limit=_ROWS))
    base_id, name = _resolve(client, baseline, rows)
    if base_id == job_id:
        raise BadInput(f"job {job_id} is its own baseline", where="--baseline", expected="an earlier job")
    base_rows = client.results(ResultQuery((base_id,), limit=_ROWS))
    notes: list[str] = []
    reports = None
    if interleaved:
        reports = _in_turns(client, job_id, base_id, _shared_devices(rows, base_rows), limits, notes=notes, say=say)
    in_turns = reports is not None
    if reports is None:
        reports = {
            limit: client.compare(
                [base_id, job_id], by="job", baseline=str(base_id), metric=limit.metric, margin=limit.limit
            )
            for limit in limits
        }
    return GateReport(
        job_id=job_id,
        baseline_id=base_id,
        baseline_name=name,
        cells=gate_cells(reports),
        stage=stage,
        on_doubt=on_doubt,
        interleaved=in_turns,
        missing=tuple(_missing(rows, base_rows)),
        notes=(*notes, *alarms(client.results, rows, limits)),
    )


def _resolve(client: "Client", text: str, rows: Sequence[Row]) -> tuple[int, str]:
    """The job's number, and the name that it was found by. One per device class of the rows, or of every class."""
    if text.isascii() and text.isdigit():
        return client.job(int(text)).id, ""
    found = client.baselines(text)
    if not found:
        raise BadInput(f"there is no baseline {text!r}", where="--baseline", expected="a job, or a name: baseline list")
    classes = {class_of(row).label for row in rows}
    ids = {job_id for label in classes or {""} if (job_id := _newest(found, label)) is not None}
    if len(ids) > 1:
        told = ", ".join(f"{item.device_class}: job {item.job_id}" for item in found if item.device_class in classes)
        raise BadInput(
            f"baseline {text} is another job for each class ({told})",
            where="--baseline",
            expected="jobs of one device class, or the number of a job",
        )
    if not ids:
        raise BadInput(f"baseline {text} is of other device classes", where="--baseline", expected=", ".join(classes))
    return ids.pop(), text


def _newest(found: Sequence[Baseline], label: str) -> int | None:
    """Of the class, else of every class; `found` is newest first."""
    of_class = [item.job_id for item in found if item.device_class == label]
    of_all = [item.job_id for item in found if not item.device_class]
    return next(iter([*of_class, *of_all]), None)


def _shared_devices(rows: Sequence[Row], base_rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(sorted({row.device for row in rows} & {row.device for row in base_rows}))


def _in_turns(
    client: "Client",
    job_id: int,
    base_id: int,
    devices: Sequence[str],
    limits: Sequence[RegressionLimit],
    *,
    notes: list[str],
    say: Say,
) -> Mapping[RegressionLimit, ComparisonReport] | None:
    """None, and a note, where the two cannot be run in turns: files that are gone, boards that are off."""
    try:
        if not devices:
            raise BadInput("no board measured both")
        spec = pair_specs(client.job_spec(base_id), client.job_spec(job_id), devices)
        job = client.submit_spec(spec, {})
        say(f"job {job.job_id}: both in turns on {', '.join(devices)}")
        client.wait(job.job_id)
        return {limit: client.compare([job.job_id], metric=limit.metric, margin=limit.limit) for limit in limits}
    except JetfleetError as error:
        notes.append(f"not in turns: {error.message}; held by the stored numbers of both jobs")
        return None


def pair_specs(base: JobSpec, candidate: JobSpec, devices: Sequence[str]) -> JobSpec:
    """Both jobs as one whose variants are timed in turns on these devices; those of one key, where there are several.

    Raises BadInput where no variant is in both.
    """
    from controller.intake.pairs import pair_jobs
    from controller.intake.prepare import PreparedJob

    on = (Target(Quantifier.EVERY, (Condition(DEVICE_NAME, Op.IN, tuple(devices)),)),)
    keys = {variant.key for variant in base.variants} & {variant.key for variant in candidate.variants}
    sides = [_side(spec, keys, candidate) for spec in (base, candidate)]
    paired = pair_jobs(*(PreparedJob(replace(side, targets=on), {}) for side in sides))
    return replace(paired.spec, name=f"gate-{candidate.name}"[:100])


def _side(spec: JobSpec, keys: set[str], candidate: JobSpec) -> JobSpec:
    """Measured as the candidate is, but for a number of processes of which nothing can be said: then until it can."""
    variants = tuple(variant for variant in spec.variants if variant.key in keys) if keys else spec.variants
    measure = candidate.measure
    if measure.runs < FEWEST:
        measure = replace(measure, runs=0)
    return replace(spec, variants=variants, measure=measure)


def alarms(fetch: Fetch, rows: Sequence[Row], limits: Sequence[RegressionLimit]) -> list[str]:
    """Of what was measured again and again and never looked any better: a gate that cannot see is green for ever."""
    metrics = dict.fromkeys(limit.metric for limit in limits)
    return [item.alarm for metric in metrics for item in history_of(fetch, rows, metric) if item.alarm]


def _missing(rows: Sequence[Row], base_rows: Sequence[Row]) -> list[str]:
    """What the baseline has and the job has not: what is not measured any more has not passed."""
    there = {(row.variant_key, row.device) for row in rows}
    lost = {(row.variant_key, row.device) for row in base_rows if row.schedule is not Schedule.INTERLEAVED} - there
    return [f"{variant} on {device} has no result any more" for variant, device in sorted(lost)]
