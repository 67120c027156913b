"""Fetches what a recommendation needs, and decides in this process: the daemon only hands out rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from controller.analysis.recommendation.configurations import BuiltEngine
from controller.analysis.recommendation.quantities import DEFAULT_OBJECTIVE, read_goals
from controller.analysis.recommendation.recommend import recommend
from controller.model.engine import EngineView
from controller.model.recommendation import RecommendationReport
from controller.model.result import Row
from controller.model.task import TaskKind, TaskState
from controller.model.view import JobView, ResultQuery
from jetfleet.errors import BadInput

Fetch: TypeAlias = Callable[[ResultQuery], Sequence[Row]]

MOST_ROWS = 1_000_000
_NOT_MEASURED = (TaskState.FAILED, TaskState.SKIPPED)


def recommend_jobs(
    fetch: Fetch,
    engine: Callable[[str], EngineView],
    job: Callable[[int], JobView],
    job_ids: Sequence[int],
    *,
    objective: str = "",
    constraints: Mapping[str, float] | None = None,
) -> RecommendationReport:
    """Raises BadInput for a job that does not exist, and for what cannot be decided by."""
    goals = read_goals(objective or DEFAULT_OBJECTIVE, constraints or {}, where="recommend")
    jobs = [job(job_id) for job_id in dict.fromkeys(job_ids)]
    rows = [row for item in jobs for row in fetch(ResultQuery((item.id,), limit=MOST_ROWS))]
    keys = sorted({row.engine_key for row in rows if row.engine_key})
    engines = {key: _built(engine(key)) for key in keys}
    return recommend(rows, goals, engines=engines, refusals=_refusals(jobs))


def _built(view: EngineView) -> BuiltEngine:
    if view.built is None:
        return BuiltEngine()
    report = view.built.report
    return BuiltEngine(view.built.engine.size_bytes, report.device_memory_bytes, report.dla)


def _refusals(jobs: Iterable[JobView]) -> dict[str, str]:
    """Why variants were not measured, by their keys: a BENCH is called after its variant."""
    found: dict[str, str] = {}
    for item in jobs:
        tasks = {task.id: task for task in item.tasks}
        for task in item.tasks:
            to_blame = tasks.get(task.because_of_task or task.id, task)
            failure = task.failure or to_blame.failure
            if task.kind is TaskKind.BENCH and task.state in _NOT_MEASURED and failure is not None:
                found[task.name] = failure.message
    return found


def parse_constraints(texts: Sequence[str], *, where: str = "--require") -> dict[str, float]:
    """`p99_ms=33` as a name and a limit. Raises BadInput."""
    found: dict[str, float] = {}
    for text in texts:
        name, sign, limit = text.replace("<=", "=").replace(">=", "=").partition("=")
        try:
            if not sign:
                raise ValueError
            found[name.strip()] = float(limit)
        except ValueError:
            raise BadInput(
                f"{text!r} is not a valid constraint", where=where, expected="QUANTITY=LIMIT, such as p99_ms=33"
            ) from None
    return found
