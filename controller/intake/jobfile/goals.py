"""The `objective:` and `constraints:` of job.yaml: what a recommendation for the job is decided by."""

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from controller.intake.jobfile.strict import problem
from controller.intake.jobfile.yaml import parse
from controller.model.quantities import WORDS, quantity
from jetfleet.errors import BadInput


@dataclass(frozen=True)
class JobGoals:
    """As the file says them; both may be empty."""

    objective: str = ""
    constraints: dict[str, float] = field(default_factory=dict)


def _known(name: str) -> str:
    try:
        quantity(name, where="")
    except BadInput as error:
        raise problem(error.message, expected=error.expected, hint=error.hint) from None
    return name


def _each_once(limits: dict[str, float]) -> dict[str, float]:
    told: dict[str, str] = {}
    for name in limits:
        meant = WORDS.get(name, name)
        if meant in told:
            raise problem(f"{told[meant]} and {name} limit the same", expected="one of them")
        told[meant] = name
    return limits


ObjectiveText: TypeAlias = Annotated[str, AfterValidator(_known)]
Limit: TypeAlias = Annotated[float, Field(ge=-1e15, le=1e15)]
ConstraintsText: TypeAlias = Annotated[dict[ObjectiveText, Limit], AfterValidator(_each_once)]


def goals_in(source: str) -> JobGoals:
    """Of the text of a job that was accepted; none where the text is of two jobs (a pair) or there is none."""
    try:
        data = parse(source, "job.yaml").root.plain()
    except BadInput:
        return JobGoals()
    if not isinstance(data, dict):
        return JobGoals()
    objective, constraints = data.get("objective"), data.get("constraints")
    limits = constraints if isinstance(constraints, dict) else {}
    return JobGoals(str(objective or ""), {str(name): float(limit) for name, limit in limits.items()})
