"""Two subjects in turns: fresh processes until the ratios of those there are decide, at one of the planned looks. Pure.

What is decided here is only whether to go on. The answer is made of the same ratios, by the same rule, wherever it is
asked for (docs/adr/0020).
"""

from collections.abc import Sequence

from agent.repeat.fate import MOST_REPLACED, timed
from agent.repeat.merge import merge_runs
from agent.repeat.plan import SPARE
from agent.repeat.role import RunRole
from jetfleet.stats.decision import MARGIN, Relation
from jetfleet.stats.interleaved import CONFIDENCE, is_decided, looks_for, related
from jetfleet.v1.task_pb2 import MeasureOptions, Outcome, PairedRun

_METRIC = "p50_ms"
_SAID = {
    Relation.ABOVE: "the second one is slower",
    Relation.BELOW: "the second one is faster",
    Relation.WITHIN: "they are the same",
}


class PairedRuns:
    """A BENCH of two subjects in turns."""

    def __init__(self, measure: MeasureOptions) -> None:
        self._asked = measure.runs
        self._looks = looks_for(measure.runs)
        self._margin = measure.margin or MARGIN
        self._confidence = measure.confidence or CONFIDENCE

    def wants_another(self, outcomes: Sequence[Outcome], *, spent_s: float, left_s: float) -> bool:
        if not all(timed(outcome) for outcome in outcomes):
            return False  # a failure, or an engine that is wrong: no other run changes that
        if left_s < SPARE * spent_s / len(outcomes):
            return False
        ratios, most = self._ratios(outcomes), self._looks.at[-1]
        return len(ratios) < most and len(outcomes) < most + MOST_REPLACED and not self._is_decided(ratios)

    def next_role(self, outcomes: Sequence[Outcome]) -> RunRole:
        return RunRole(len(outcomes))

    def merge(self, outcomes: Sequence[Outcome]) -> Outcome:
        """The rows of both, of all processes, and the ratios."""
        merged = merge_runs(outcomes)
        if not timed(merged):
            return merged
        found = merged.measured.interleaved
        found.Clear()
        found.runs.extend(_runs(outcomes))
        found.looks.extend(self._looks.at)
        found.margin, found.confidence = self._margin, self._confidence
        found.stopped = self._stopped(outcomes)
        return merged

    def _ratios(self, outcomes: Sequence[Outcome]) -> list[float]:
        """Of the processes that count."""
        return [run.ratios[_METRIC] for run in _runs(outcomes) if not run.left_out]

    def _is_decided(self, ratios: Sequence[float]) -> bool:
        return is_decided(ratios, self._looks, margin=self._margin, confidence=self._confidence)

    def _stopped(self, outcomes: Sequence[Outcome]) -> str:
        ratios = self._ratios(outcomes)
        if self._asked and len(ratios) >= self._asked:
            return f"{self._asked} processes were asked for"
        if self._is_decided(ratios):
            said = related(ratios, self._looks, margin=self._margin, confidence=self._confidence)
            return f"{_SAID[said]}, at the look at {len(ratios)} processes"
        if len(ratios) >= self._looks.at[-1]:
            return f"nothing was decided at the last look, at {len(ratios)} processes"
        return f"no other process was run after {len(outcomes)}: no time was left, or too many stood still"


def _runs(outcomes: Sequence[Outcome]) -> list[PairedRun]:
    return [run for outcome in outcomes if timed(outcome) for run in outcome.measured.interleaved.runs]
