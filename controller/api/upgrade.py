"""Fetches the same job before and after an upgrade, and says in this process what became of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from controller.analysis.upgrade import UPGRADED, upgrade_report
from controller.model.engine import DlaPlacement
from controller.model.result import Row
from controller.model.task import TaskKind, TaskState
from controller.model.upgrade import FailedVariant, UpgradeReport
from controller.model.view import JobView, ResultQuery
from jetfleet.errors import BadInput

if TYPE_CHECKING:
    from controller.api.client import Client

_ROWS = 1000
_NOT_MEASURED = (TaskState.FAILED, TaskState.SKIPPED)


def report_upgrade(client: "Client", old: int, new: int, *, metric: str = "p50_ms") -> UpgradeReport:
    """Raises NotFound, and BadInput for one job twice, or an old one without results."""
    if old == new:
        raise BadInput(f"job {old} is held against itself", expected="the job before the upgrade, and the one after it")
    client.job(old)
    failures = tuple(_failures(client.job(new)))
    rows = {number: client.results(ResultQuery((number,), limit=_ROWS)) for number in (old, new)}
    if not rows[old]:
        raise BadInput(f"job {old} has no results", expected="a job that was measured before the upgrade")
    compared = None
    if rows[new]:
        compared = client.compare([old, new], by="job", baseline=str(old), across=UPGRADED, metric=metric)
    return upgrade_report(
        rows[old],
        rows[new],
        compared,
        jobs=(old, new),
        failures=failures,
        placements=_placements(client, [*rows[old], *rows[new]]),
    )


def _failures(job: JobView) -> Iterator[FailedVariant]:
    tasks = {task.id: task for task in job.tasks}
    for task in job.tasks:
        blamed = tasks.get(task.because_of_task or task.id, task)
        failure = task.failure or blamed.failure
        if task.kind is TaskKind.BENCH and task.state in _NOT_MEASURED and failure is not None:
            yield FailedVariant(task.name, task.device, blamed.kind is TaskKind.BUILD, failure.message)


def _placements(client: "Client", rows: list[Row]) -> dict[str, DlaPlacement]:
    keys = sorted({row.engine_key for row in rows if row.engine_key and "dla" in row.placement})
    views = ((key, client.engine(key)) for key in keys)
    return {key: view.built.report.dla for key, view in views if view.built and view.built.report.dla}
