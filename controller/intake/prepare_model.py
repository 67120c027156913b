"""What the model child does with a request: the model, its reference inputs and outputs, its evaluation data."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from controller.intake import int8_references
from controller.intake.exchange import LoweringRequest, ModelAnswer, ModelFile, ModelRequest, RefusedGraph, RefusedSize
from controller.intake.graph import datasets, stand_in_inputs
from controller.intake.graph.accuracy_output import by_classes, find_metric_output
from controller.intake.graph.datasets import Evaluation
from controller.intake.graph.rounded_outputs import rounded_outputs_of
from controller.intake.graph.shapes import Signature, check_dims, refused_batches
from controller.intake.graph.tensors import make as make_input
from controller.intake.graph.tied_choices import tied_choices
from controller.intake.graph.workload import count_workload
from controller.intake.int8_references import Int8References
from controller.intake.jobfile.check import with_rounded
from controller.intake.jobfile.inputs import RunSize
from controller.intake.jobfile.model_error import ModelError, calibration_missing
from controller.intake.lowering import calibration as calibrating
from controller.intake.lowering import precision, source_precision
from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.divergence import with_first_layer
from controller.intake.lowering.precision import Reference
from controller.intake.lowering.ranges import seen_values
from controller.intake.model_files import array_files, evaluation_files, graph_files, lowered_files, reference_files
from controller.intake.model_source import ModelSource, open_source
from controller.intake.reference_runs import ReferenceRuns, run_references
from controller.model.job import FoundSet, OutputSet, Precision, Role, TensorSpec, Workload
from jetfleet.outputs.set_rows import sets_in


def make(request: ModelRequest, progress: Callable[[str], None]) -> ModelAnswer:
    """Raises ModelError."""
    out = Path(request.out)
    folder = out / "model"
    folder.mkdir(parents=True)
    source = open_source(request, folder, progress)
    impossible = refused_batches(source.signature, request.batches)
    check_dims(source.signature, request.dims, request.inputs)
    batches = _possible_batches(request, source.signature, impossible)
    own = source_precision.detect(source.graph)
    if own.precision is Precision.FP32:
        _refuse_missing_calibration(request)
    else:
        source_precision.accept(own, source.graph, request)
        progress(f"the model {own.because}: {own.precision.value} runs it as it is")
    files = graph_files(own.precision, source.graph.path, source.graph.data)
    evaluation = None
    if request.evaluation:
        progress("reading the evaluation data")
        path, classes = Path(request.folder, request.evaluation), by_classes(request.accuracy_metrics)
        evaluation = datasets.load(path, source.signature, largest_batch=max(batches), classes=classes)
        files += evaluation_files(evaluation, out)
    runs, calibration = _run_all(request, source, evaluation, batches, progress)
    references = runs.found
    int8 = int8_references.find(source, references, calibration, evaluation)
    files += reference_files(out, references, int8.by_size)
    refused: list[RefusedGraph] = []
    sets: tuple[FoundSet, ...] = ()
    rounded = _rounded(source, references, progress)
    if own.precision is Precision.FP32 and request.lower:
        lowered, refused, sets = _lower_all(
            _rounding(request, rounded), source, calibration, references, int8, progress=progress
        )
        files += lowered
    if calibration:
        files += array_files(out, Role.CALIBRATION, calibration.samples())
    return ModelAnswer(
        inputs=source.signature.inputs,
        own_batch=source.signature.own_batch,
        files=tuple(files),
        refused=tuple(refused),
        refused_sizes=tuple(_refused_sizes(request, source, impossible, runs.refused)),
        rounded=rounded,
        sets=_with_ties(source, references, sets, progress),
        weak_calibration="; ".join(calibration.weaknesses) if calibration else "",
        outputs=_outputs(references),
        workloads=_workloads(source, references),
        accuracy_output=_accuracy_output(request, evaluation, references, progress) if evaluation else "",
    )


def _outputs(references: Mapping[RunSize, Reference]) -> tuple[TensorSpec, ...]:
    _, answered = references[max(references)]
    return tuple(TensorSpec(name, str(array.dtype), array.shape) for name, array in answered.items())


def _workloads(source: ModelSource, references: Mapping[RunSize, Reference]) -> tuple[tuple[RunSize, Workload], ...]:
    counted = ((size, count_workload(source.graph.path, inputs)) for size, (inputs, _) in references.items())
    return tuple((size, found) for size, found in counted if found is not None)


def _run_all(
    request: ModelRequest,
    source: ModelSource,
    evaluation: Evaluation | None,
    batches: Collection[int],
    progress: Callable[[str], None],
) -> tuple[ReferenceRuns, Calibration | None]:
    """Ranges are learnt at a size that the model runs with, which is known only when it has run."""
    calibration = _calibration(request, source.signature, evaluation, batches, progress)
    sizes = [RunSize(batch, dims) for batch in batches for dims in request.dims]
    runs = run_references(request, source, sizes, evaluation=evaluation, calibration=calibration, progress=progress)
    if runs.refused and calibration:
        possible = {size.batch for size in runs.found}
        calibration = _calibration(request, source.signature, evaluation, possible, _nobody)
    return runs, calibration


def _possible_batches(request: ModelRequest, signature: Signature, refused: Mapping[int, ModelError]) -> set[int]:
    """Raises ModelError where none is left of those asked for."""
    named = {batch for batch, _ in request.batches} | ({signature.own_batch} if request.own_batch else set())
    if refused and not named - refused.keys():
        raise next(iter(refused.values()))
    return named - refused.keys()


def _refused_sizes(
    request: ModelRequest,
    source: ModelSource,
    batches: Mapping[int, ModelError],
    sizes: Mapping[RunSize, ModelError],
) -> list[RefusedSize]:
    every = {RunSize(batch, dims): error for batch, error in batches.items() for dims in request.dims}
    made = _nobodys_inputs(request, source)
    return [RefusedSize(size, _reason(error, made)) for size, error in {**every, **sizes}.items()]


def _nobody(_: str) -> None:
    """Progress that was told before."""


def _accuracy_output(
    request: ModelRequest,
    evaluation: Evaluation,
    references: Mapping[RunSize, Reference],
    progress: Callable[[str], None],
) -> str:
    size = max(references)
    _, outputs = references[size]
    labels, named, metrics = evaluation.labels, request.accuracy_output, request.accuracy_metrics
    name = find_metric_output(outputs, labels, batch=size.batch, named=named, metrics=metrics)
    if not name:
        return ""
    progress(f"accuracy is taken from output {name!r}")
    return name


def _lower_all(
    request: ModelRequest,
    source: ModelSource,
    calibration: Calibration | None,
    references: Mapping[RunSize, Reference],
    int8: Int8References,
    *,
    progress: Callable[[str], None],
) -> tuple[list[ModelFile], list[RefusedGraph], tuple[FoundSet, ...]]:
    """The graphs of every precision asked for, those that the model does not have, and outputs that are sets.

    Raises ModelError where nothing that the job asks for is left.
    """
    progress("reading the ranges of the reference run")
    widest = _widest(references)
    others = [inputs for size, (inputs, _) in references.items() if size != widest]
    seen = seen_values(source.graph.path, references[widest][0], others=others)
    files: list[ModelFile] = []
    errors: list[tuple[LoweringRequest, ModelError]] = []
    reordered: dict[tuple[str, ...], set[Precision]] = {}  # in which precisions their scores tie
    for wanted in request.lower:
        cache = Path(request.lowering_cache)
        try:
            held = int8.all() if wanted.precision is Precision.INT8 else list(references.values())
            lowered = precision.lower(
                source.graph, wanted, calibration, held, seen=seen, cache=cache, progress=progress
            )
            try:
                sets = precision.compare(source.graph, lowered, wanted, held, progress=progress)
            except ModelError as error:
                raise with_first_layer(error, source.graph.path, lowered.path, held[0][0], wanted.check) from error
            _note_sets(reordered, sets, wanted.precision)
        except ModelError as error:
            progress(f"refused: {error.message}")
            errors.append((wanted, error))
            continue
        files += lowered_files(wanted, lowered)
    made = _nobodys_inputs(request, source)
    if errors and not files and not request.float32_steps:
        raise errors[0][1]
    refused = [RefusedGraph(item.precision, item.base, _reason(error, made), item.dla) for item, error in errors]
    return (
        files,
        refused,
        tuple(
            FoundSet(outputs, tuple(item for item in Precision if item in ties)) for outputs, ties in reordered.items()
        ),
    )


def _note_sets(found: dict[tuple[str, ...], set[Precision]], sets: Sequence[OutputSet], kind: Precision) -> None:
    for item in sets:
        found.setdefault(item.outputs, set()).update([kind] if item.ties else [])


def _rounded(
    source: ModelSource, references: Mapping[RunSize, Reference], progress: Callable[[str], None]
) -> tuple[str, ...]:
    """By what FP32 answered with the most samples."""
    found = rounded_outputs_of(source.graph.path, references[max(references)][1])
    if found:
        progress(f"integers that the graph rounds from floats may be off by one: {', '.join(found)}")
    return found


def _with_ties(
    source: ModelSource,
    references: Mapping[RunSize, Reference],
    sets: Sequence[FoundSet],
    progress: Callable[[str], None],
) -> tuple[FoundSet, ...]:
    """The sets, and those whose rows tie in FP32 already: a device may choose others, whatever the workstation does."""
    inputs, answered = references[_widest(references)]
    found = []
    for choice, names in tied_choices(source.graph.path, inputs).items():
        found += sets_in({name: answered[name] for name in names})
        shown = ", ".join(names)
        progress(f"note: scores tie at the last place where {choice} chooses {shown}: a device may take other rows")
    others = [item for item in sets if item.outputs not in found]
    return (*others, *(FoundSet(outputs, tuple(Precision)) for outputs in found))


def _rounding(request: ModelRequest, rounded: Sequence[str]) -> ModelRequest:
    lower = tuple(replace(item, check=with_rounded(item.check, rounded)) for item in request.lower)
    return replace(request, lower=lower)


def _widest(references: Mapping[RunSize, Reference]) -> RunSize:
    """Of the smallest batch the largest dimensions: sums over a longer sequence are larger."""
    smallest = min(size.batch for size in references)
    return max(size for size in references if size.batch == smallest)


def _nobodys_inputs(request: ModelRequest, source: ModelSource) -> str:
    return "" if request.evaluation or request.calibration else stand_in_inputs.told(source.signature.inputs)


def _reason(error: ModelError, stand_ins: str) -> str:
    """In one line, for the row that says so."""
    made = f"; inputs that nobody gave: {stand_ins}" if stand_ins else ""
    at = f" ({error.where})" if error.where else ""
    return f"{error.message}{at}; expected {error.expected}; fix: {error.hint}{made}"


def _refuse_missing_calibration(request: ModelRequest) -> None:
    """Where the spec could not: an ONNX file might have been quantised already."""
    int8 = next((item for item in request.lower if item.precision is Precision.INT8), None)
    if int8 is not None and not request.calibration:
        raise calibration_missing(int8.steps, evaluation=bool(request.evaluation))


def _calibration(
    request: ModelRequest,
    signature: Signature,
    evaluation: Evaluation | None,
    batches: Collection[int],
    progress: Callable[[str], None],
) -> Calibration | None:
    """Read where it is named, whether a variant needs it or not: a file that is wrong is wrong now."""
    if not request.calibration:
        return None
    folder = Path(request.folder)
    valued = [item for item in signature.inputs if item.values is not None]
    said = {item.name: make_input(item, min(batches), seed=request.seed, folder=folder) for item in valued}
    made = calibrating.load(
        folder / request.calibration,
        signature,
        constant=lambda item: make_input(item, 1, seed=request.seed, folder=folder),
        batches=batches,
        others=said,
        evaluation=evaluation.inputs if evaluation else None,
    )
    for line in (*made.weaknesses, *made.notes):
        progress(f"note: calibration data: {line}")
    return made
