"""Two subjects in turns: fresh processes until the ratios of those there are decide, at one of the planned looks. Pure.

What is decided here is only whether to go on. The answer is made of the same ratios, by the same rule, wherever it is
asked for (docs/adr/0020).
"""

from collections.abc import Iterable, Mapping, Sequence

from agent.repeat.fate import MOST_REPLACED, timed
from agent.repeat.merge import merge_runs
from agent.repeat.plan import SPARE
from agent.repeat.role import RunRole
from jetfleet.stats.decision import MARGIN, Relation
from jetfleet.stats.interleaved import CONFIDENCE, METRIC, is_decided, looks_for, related
from jetfleet.stats.regression import LimitRule
from jetfleet.v1.task_pb2 import MeasureOptions, Outcome, PairedRun

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
        self._limits = {item.metric: item.limit for item in measure.max_regression if not item.in_points}
        self._limit_rule = LimitRule(self._looks, 1 - self._confidence)

    def wants_another(self, outcomes: Sequence[Outcome], *, spent_s: float, left_s: float) -> bool:
        if not all(timed(outcome) for outcome in outcomes):
            return False  # a failure, or an engine that is wrong: no other run changes that
        if left_s < SPARE * spent_s / len(outcomes):
            return False
        counted, most = _counted(outcomes), self._looks.at[-1]
        return len(counted) < most and len(outcomes) < most + MOST_REPLACED and not self._is_decided(counted)

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

    def _is_decided(self, counted: Sequence[PairedRun]) -> bool:
        """What there are ratios of is held against its limit; else the two against each other."""
        limits = _limits_of(counted, self._limits)
        if limits:
            return self._limit_rule.is_over(_ratios(counted, limits), limits)
        return is_decided(_p50s(counted), self._looks, margin=self._margin, confidence=self._confidence)

    def _stopped(self, outcomes: Sequence[Outcome]) -> str:
        counted = _counted(outcomes)
        if self._asked and len(counted) >= self._asked:
            return f"{self._asked} processes were asked for"
        if self._is_decided(counted):
            return f"{self._said(counted)}, at the look at {len(counted)} processes"
        if len(counted) >= self._looks.at[-1]:
            return f"nothing was decided at the last look, at {len(counted)} processes"
        return f"no other process was run after {len(outcomes)}: no time was left, or too many stood still"

    def _said(self, counted: Sequence[PairedRun]) -> str:
        limits = _limits_of(counted, self._limits)
        if limits:
            ratios = _ratios(counted, limits)
            found = {metric: self._limit_rule.of(ratios[metric], limit) for metric, limit in limits.items()}
            return "; ".join(f"{metric} is {each.value}" for metric, each in found.items())
        return _SAID[related(_p50s(counted), self._looks, margin=self._margin, confidence=self._confidence)]


def _counted(outcomes: Sequence[Outcome]) -> list[PairedRun]:
    return [run for run in _runs(outcomes) if not run.left_out]


def _p50s(counted: Sequence[PairedRun]) -> list[float]:
    return [run.ratios[METRIC] for run in counted]


def _limits_of(counted: Sequence[PairedRun], limits: Mapping[str, float]) -> dict[str, float]:
    """Those of what every process has a ratio of: energy has none, nor p99 of few samples."""
    return {metric: limit for metric, limit in limits.items() if all(metric in run.ratios for run in counted)}


def _ratios(counted: Sequence[PairedRun], metrics: Iterable[str]) -> dict[str, list[float]]:
    return {metric: [run.ratios[metric] for run in counted] for metric in metrics}


def _runs(outcomes: Sequence[Outcome]) -> list[PairedRun]:
    return [run for outcome in outcomes if timed(outcome) for run in outcome.measured.interleaved.runs]
