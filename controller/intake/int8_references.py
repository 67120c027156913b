"""Which rows INT8 is held against: evaluation rows, else calibration rows that were not learnt from. Never noise.

Noise lies outside of the ranges that were learnt, whatever job.yaml says of `values`, and would blame the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.intake.graph.datasets import Evaluation
from controller.intake.graph.tensors import Array
from controller.intake.lowering.calibration import MOST_HELD, Calibration
from controller.intake.lowering.precision import Reference


class AnswersInFloat(Protocol):
    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]: ...


@dataclass(frozen=True)
class Int8References:
    """`by_batch` is what a device checks, empty where it is as for the other precisions; `more` are further rows."""

    usual: Mapping[int, Reference]
    by_batch: Mapping[int, Reference]
    more: tuple[Reference, ...] = ()

    def all(self) -> list[Reference]:
        return [*(self.by_batch or self.usual).values(), *self.more]


def find(
    source: AnswersInFloat,
    usual: Mapping[int, Reference],
    calibration: Calibration | None,
    evaluation: Evaluation | None,
) -> Int8References:
    """`usual` are the references of the other precisions, by batch."""
    if calibration is None:
        return Int8References(usual, {})
    smallest = min(usual)
    if evaluation is not None:
        inputs, _ = usual[smallest]
        rows = min(len(evaluation.labels), MOST_HELD)
        starts = range(smallest, rows - smallest + 1, smallest)
        batches = [{**inputs, **evaluation.rows(begin, begin + smallest)} for begin in starts]
        return Int8References(usual, {}, tuple((batch, source.run(batch)) for batch in batches))
    trials = {batch: calibration.trials(batch) for batch in usual}
    same = all(
        array is usual[batch][0][name] or (array == usual[batch][0][name]).all()
        for batch, (first, *_) in trials.items()
        for name, array in first.items()
    )
    own = {} if same else {batch: (first, source.run(first)) for batch, (first, *_) in trials.items()}
    more = tuple((inputs, source.run(inputs)) for inputs in trials[smallest][1:])
    return Int8References(usual, own, more)
