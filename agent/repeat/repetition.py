"""Whether another fresh process is to be run, and what the outcomes of all of them amount to.

Decisions are pure: the daemon runs processes and asks. A run is never kept or dropped for its numbers.
"""

from collections.abc import Sequence
from typing import Protocol

from agent.repeat.merge import merge_runs
from agent.repeat.paired import PairedRuns
from agent.repeat.plan import RunPlan
from agent.repeat.role import RunRole
from jetfleet.v1.task_pb2 import BenchTask, Outcome, TaskSpec

_LONGEST_WINDOW_S = 3600.0  # the task's own limit is in force as well


class Repetition(Protocol):
    """The processes of one attempt, whose outcomes come in the order in which they ran."""

    def wants_another(self, outcomes: Sequence[Outcome], *, spent_s: float, left_s: float) -> bool:
        """Whether to run one more, `spent_s` after the first began and `left_s` before the attempt's time limit."""

    def next_role(self, outcomes: Sequence[Outcome]) -> RunRole:
        """What the next process is told beside its task."""

    def merge(self, outcomes: Sequence[Outcome]) -> Outcome:
        """The outcome of the attempt."""


class SingleRun:
    """Work that is done once."""

    def wants_another(self, outcomes: Sequence[Outcome], *, spent_s: float, left_s: float) -> bool:
        return False

    def next_role(self, outcomes: Sequence[Outcome]) -> RunRole:
        return RunRole(len(outcomes))

    def merge(self, outcomes: Sequence[Outcome]) -> Outcome:
        return outcomes[0]


class RepeatedRuns:
    """A BENCH of subjects alone or side by side."""

    def __init__(self, runs: int) -> None:
        self._plan = RunPlan(asked=runs)

    def wants_another(self, outcomes: Sequence[Outcome], *, spent_s: float, left_s: float) -> bool:
        return self._plan.wants_another(outcomes, spent_s=spent_s, left_s=left_s)

    def next_role(self, outcomes: Sequence[Outcome]) -> RunRole:
        return RunRole(len(outcomes), min(self._plan.next_window_s(outcomes), _LONGEST_WINDOW_S))

    def merge(self, outcomes: Sequence[Outcome]) -> Outcome:
        return merge_runs(outcomes)


def repetition_of(spec: TaskSpec) -> Repetition:
    if spec.bench.schedule == BenchTask.SCHEDULE_INTERLEAVED:
        return PairedRuns(spec.bench.measure)
    return RepeatedRuns(spec.bench.measure.runs) if spec.HasField("bench") else SingleRun()
