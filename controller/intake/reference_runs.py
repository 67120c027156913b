"""What the model answers to the reference inputs of each size, once it is clear that this can be held to."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.intake.exchange import ModelRequest
from controller.intake.graph import stand_in_inputs
from controller.intake.graph.datasets import Evaluation
from controller.intake.graph.dim_names import refuse_two_sizes
from controller.intake.graph.nodes import inputs_behind
from controller.intake.graph.reference_check import refuse_unstable, refuse_useless
from controller.intake.graph.shapes import Signature
from controller.intake.graph.tensors import Array, make
from controller.intake.jobfile.dim_axes import AT
from controller.intake.jobfile.inputs import RunSize
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps
from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.precision import Reference
from controller.intake.model_source import ModelSource

_NODE = re.compile(r"operator \w+ '([^']+)'")  # as ReferenceSession tells of the one that failed


@dataclass(frozen=True)
class ReferenceRuns:
    """What the model answers, by size, and why it does not run with the others."""

    found: Mapping[RunSize, Reference]
    refused: Mapping[RunSize, ModelError]


def run_references(
    request: ModelRequest,
    source: ModelSource,
    sizes: Iterable[RunSize],
    *,
    evaluation: Evaluation | None,
    calibration: Calibration | None,
    progress: Callable[[str], None],
) -> ReferenceRuns:
    """Raises ModelError where the model runs with none of the sizes, or answers what shows nothing."""
    found: dict[RunSize, Reference] = {}
    refused: dict[RunSize, ModelError] = {}
    notes: dict[str, None] = {}
    for size in sorted(sizes):
        real = _real_inputs(source.signature, evaluation, calibration, size.batch)
        made = stand_in_inputs.told(source.signature.inputs, real=real)
        special = stand_in_inputs.told(source.signature.inputs, real=real, plain=False)
        progress(f"computing the reference outputs for {size}{_stand_ins(special)}")
        inputs = _inputs(request, source.signature, real, size)
        try:
            refuse_two_sizes(source.graph.inputs, inputs)
            outputs = _run(request, source, inputs, size, ran=list(found), real=real)
        except ModelError as error:
            progress(f"refused: {error.message}")
            refused[size] = error
            continue
        if not found:
            _refuse_unstable(request, source, inputs, outputs)
        notes |= dict.fromkeys(refuse_useless(outputs, stand_ins=made))
        found[size] = (inputs, outputs)
    for note in notes:
        progress(note)
    if not found:
        raise next(iter(refused.values()))
    return ReferenceRuns(found, refused)


def _refuse_unstable(
    request: ModelRequest, source: ModelSource, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
) -> None:
    graph = source.graph.path if request.onnx else None
    refuse_unstable(outputs, source.run(inputs), graph=graph)


def _stand_ins(told: str) -> str:
    return f"; stand-in inputs: {told}" if told else ""


def _run(
    request: ModelRequest,
    source: ModelSource,
    inputs: Mapping[str, Array],
    size: RunSize,
    *,
    ran: Sequence[RunSize],
    real: Collection[str],
) -> dict[str, Array]:
    """Raises ModelError, which says so where it is only this size that the model does not take."""
    try:
        return source.run(inputs)
    except ModelError as error:
        batch, dims = size.batch, size.dims
        alike = [item.batch for item in ran if item.dims == dims]
        if dims and not alike:
            raise _wrong_dims(error, size) from error
        other = alike[-1] if alike else _smallest_that_runs(request, source, batch)
        if other is None:
            raise _blamed(error, source, real) from error
        steps: Steps = next((steps for item, steps in request.batches if item == batch), ("model",))
        raise ModelError(
            f"the model runs with batch {other} and not with batch {batch}: {error.message}",
            steps=steps,
            where=error.where,
            expected=f"batch: [{other}]",
            hint="a batch size is written into the model there: export it with sizes from x.shape, or -1, in view and "
            f"reshape; or leave batch {batch} out",
        ) from error


def _blamed(error: ModelError, source: ModelSource, real: Collection[str]) -> ModelError:
    """The error with the stand-ins that lead to the node that fails; with all, where the node is not known."""
    found = stand_in_inputs.suspects(source.signature.inputs, real=real)
    node = _NODE.search(error.message)
    behind = inputs_behind(source.graph.path, node[1]) if node else set()
    return stand_in_inputs.blamed(error, [item for item in found if item.name in behind] if behind else found)


def _wrong_dims(error: ModelError, size: RunSize) -> ModelError:
    return ModelError(
        f"the model does not run with {size}: {error.message}",
        steps=AT,
        where=error.where,
        expected="sizes that the model takes",
        hint="a size is written into the model, or is larger than a table in it: leave the size out",
    )


def _smallest_that_runs(request: ModelRequest, source: ModelSource, batch: int) -> int | None:
    """Of those that the job asks for, and 1."""
    if not source.signature.dynamic:
        return None
    for size in sorted({1, *(size for size, _ in request.batches)} - {batch}):
        try:
            source.run(_inputs(request, source.signature, {}, RunSize(size)))
        except ModelError:
            continue
        return size
    return None


def _real_inputs(
    signature: Signature, evaluation: Evaluation | None, calibration: Calibration | None, batch: int
) -> dict[str, Array]:
    """Evaluation samples; else, for inputs of which job.yaml says nothing, calibration rows, whose range INT8 knows."""
    if evaluation:
        return evaluation.first(batch)
    unsaid = {item.name for item in signature.inputs if item.values is None}
    rows = calibration.trials(batch)[0] if calibration else {}
    return {name: array for name, array in rows.items() if name in unsaid}


def _inputs(request: ModelRequest, signature: Signature, real: Mapping[str, Array], size: RunSize) -> dict[str, Array]:
    """Real ones where there are any; else what job.yaml says; else stand-ins."""
    folder = Path(request.folder)
    return {
        item.name: real[item.name] if item.name in real else make(item, size.batch, seed=request.seed, folder=folder)
        for item in (item.sized(size.dims) for item in signature.inputs)
    }
