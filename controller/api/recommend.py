"""Fetches what a recommendation needs, and decides in this process: the daemon only hands out rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from controller.analysis.recommendation.configurations import BuiltEngine
from controller.analysis.recommendation.recommend import recommend
from controller.intake.jobfile.goals import goals_in
from controller.model.engine import EngineView
from controller.model.job import JobSpec
from controller.model.quantities import DEFAULT_OBJECTIVE, WORDS, read_goals
from controller.model.recommendation import RecommendationReport
from controller.model.result import Row
from controller.model.task import TaskKind, TaskState
from controller.model.view import JobView, ResultQuery
from jetfleet.errors import BadInput
from jetfleet.usage import finite_number, named_value

T = TypeVar("T")
Fetch: TypeAlias = Callable[[ResultQuery], Sequence[Row]]

MOST_ROWS = 1_000_000
_NOT_MEASURED = (TaskState.FAILED, TaskState.SKIPPED)


def recommend_jobs(
    fetch: Fetch,
    engine: Callable[[str], EngineView],
    job: Callable[[int], JobView],
    spec: Callable[[int], JobSpec],
    job_ids: Sequence[int],
    *,
    objective: str = "",
    constraints: Mapping[str, float] | None = None,
) -> RecommendationReport:
    """What is left out (empty, None) is as the job files say it. Raises NotFound, and BadInput for what cannot be
    decided by, and where the job files of several differ in it.
    """
    jobs = [job(job_id) for job_id in dict.fromkeys(job_ids)]
    if not objective or constraints is None:
        of_jobs = {item.id: goals_in(spec(item.id).source) for item in jobs}
        objective = (
            objective or _agreed({number: goals.objective for number, goals in of_jobs.items()}, "objective") or ""
        )
        if constraints is None:
            constraints = _agreed({number: goals.constraints for number, goals in of_jobs.items()}, "constraints")
    goals = read_goals(objective or DEFAULT_OBJECTIVE, constraints or {}, where="recommend")
    rows = [row for item in jobs for row in fetch(ResultQuery((item.id,), limit=MOST_ROWS))]
    keys = sorted({row.engine_key for row in rows if row.engine_key})
    engines = {key: _built(engine(key)) for key in keys}
    return recommend(rows, goals, engines=engines, refusals=_refusals(jobs))


def _agreed(said: Mapping[int, T], key: str) -> T | None:
    """What every job that says anything says. Raises BadInput."""
    found = {number: item for number, item in said.items() if item}
    for number, item in found.items():
        first = next(iter(found))
        if item != found[first]:
            raise BadInput(
                f"jobs {first} and {number} say different {key}",
                where="recommend",
                expected="--objective QUANTITY" if key == "objective" else "--require QUANTITY=LIMIT",
            )
    return next(iter(found.values()), None)


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


_EXPECTED = "QUANTITY=LIMIT, such as p99_ms=33"


def parse_constraints(texts: Sequence[str], *, where: str = "--require") -> dict[str, float]:
    """`p99_ms=33` as a name and a limit. Raises BadInput."""
    found: dict[str, float] = {}
    for text in texts:
        plain = text.replace("<=", "=").replace(">=", "=")
        name, limit = named_value(plain, what="constraint", where=where, expected=_EXPECTED)
        quantity = WORDS.get(name.strip(), name.strip())
        if quantity in found:
            raise BadInput(f"{quantity} is limited twice", where=where, expected="one limit for each quantity")
        try:
            found[quantity] = finite_number(limit)
        except ValueError:
            expected = f"{_EXPECTED}, with a finite number"
            raise BadInput(f"{text!r} is not a valid constraint", where=where, expected=expected) from None
    return found


def required(texts: Sequence[str] | None) -> dict[str, float] | None:
    """What `--require` says; None where it says nothing, and the job file's constraints hold."""
    return parse_constraints(texts) if texts else None
