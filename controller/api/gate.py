"""A job held against a baseline: in turns on the same boards where both can be run there, else by stored numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from controller.analysis.gate import gate_cells
from controller.analysis.recommendation.classes import class_of
from controller.api.history import Fetch, history_of
from controller.api.in_turns import GateRun, Say, run_in_turns
from controller.model.baseline import Baseline
from controller.model.gate import GateReport, OnDoubt, Stage
from controller.model.interleaved import RegressionLimit
from controller.model.result import Row, Schedule
from controller.model.view import ResultQuery
from jetfleet.errors import BadInput, JetfleetError

if TYPE_CHECKING:
    from controller.api.client import Client

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
    done = None
    if interleaved:
        try:
            done = run_in_turns(client, job_id, base_id, _shared_devices(rows, base_rows), limits, say=say)
        except JetfleetError as error:
            notes.append(f"not in turns: {error.message}; held by the stored numbers of both jobs")
    run = done or GateRun(
        {
            limit: client.compare([base_id, job_id], by="job", baseline=str(base_id), metric=limit.metric)
            for limit in limits
        }
    )
    return GateReport(
        job_id=job_id,
        baseline_id=base_id,
        baseline_name=name,
        cells=gate_cells(run.reports),
        stage=stage,
        on_doubt=on_doubt,
        interleaved=done is not None,
        missing=(*_missing(rows, base_rows), *run.missing),
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


def alarms(fetch: Fetch, rows: Sequence[Row], limits: Sequence[RegressionLimit]) -> list[str]:
    """Of what was measured again and again and never looked any better: a gate that cannot see is green for ever."""
    metrics = dict.fromkeys(limit.metric for limit in limits)
    return [item.alarm for metric in metrics for item in history_of(fetch, rows, metric) if item.alarm]


def _missing(rows: Sequence[Row], base_rows: Sequence[Row]) -> list[str]:
    """What the baseline has and the job has not: what is not measured any more has not passed."""
    there = {(row.variant_key, row.device) for row in rows}
    lost = {(row.variant_key, row.device) for row in base_rows if row.schedule is not Schedule.INTERLEAVED} - there
    return [f"{variant} on {device} has no result any more" for variant, device in sorted(lost)]
