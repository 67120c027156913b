"""Which rows INT8 is held against: evaluation rows, else calibration rows that were not learnt from. Never noise.

Noise lies outside of the ranges that were learnt, whatever job.yaml says of `values`, and would blame the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.intake.graph.datasets import Evaluation
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.inputs import RunSize
from controller.intake.lowering.calibration import MOST_HELD, Calibration
from controller.intake.lowering.precision import Reference


class AnswersInFloat(Protocol):
    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]: ...


@dataclass(frozen=True)
class Int8References:
    """`by_size` is what a device checks, empty where it is as for the other precisions; `more` are further rows."""

    usual: Mapping[RunSize, Reference]
    by_size: Mapping[RunSize, Reference]
    more: tuple[Reference, ...] = ()

    def all(self) -> list[Reference]:
        return [*(self.by_size or self.usual).values(), *self.more]


def find(
    source: AnswersInFloat,
    usual: Mapping[RunSize, Reference],
    calibration: Calibration | None,
    evaluation: Evaluation | None,
) -> Int8References:
    """`usual` are the references of the other precisions, by size."""
    if calibration is None:
        return Int8References(usual, {})
    smallest = min(usual)
    if evaluation is not None:
        inputs, _ = usual[smallest]
        rows = min(len(evaluation.labels), MOST_HELD)
        count = smallest.batch
        starts = range(count, rows - count + 1, count)
        batches = [{**inputs, **evaluation.rows(begin, begin + count)} for begin in starts]
        return Int8References(usual, {}, tuple((batch, source.run(batch)) for batch in batches))
    trials = {size: calibration.trials(size.batch) for size in usual}
    same = all(
        array is usual[size][0][name] or (array == usual[size][0][name]).all()
        for size, (first, *_) in trials.items()
        for name, array in first.items()
    )
    own = {} if same else {size: (first, source.run(first)) for size, (first, *_) in trials.items()}
    more = tuple((inputs, source.run(inputs)) for inputs in trials[smallest][1:])
    return Int8References(usual, own, more)
