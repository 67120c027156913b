"""Lowering on the workstation: the FP32 graph to the graph of another precision, made once and held against FP32.

Runs only in the model child. How a graph is changed is float16's and qdq's business; what came of it is checked here.
"""

import functools
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
import onnx.inliner

from controller.intake import graph_cache
from controller.intake.exchange import LoweringRequest
from controller.intake.graph.forced_choice import forced_trials
from controller.intake.graph.onnx_files import MODEL_NAME, GraphFiles
from controller.intake.graph.reference import ReferenceSession, condensed
from controller.intake.graph.set_outputs import chosen_outputs
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering import comparison, float16, int8_graph, qdq, qdq_placement
from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.comparison import Trial
from controller.intake.lowering.faint_channels import faint_channels
from controller.intake.lowering.seen_values import SeenValues
from controller.model.job import GRAPH_DATA, CheckRule, OutputSet, Precision, Role
from jetfleet.blobs import sha256_file
from jetfleet.outputs.bounds import Judgement
from jetfleet.plural import counted

# Bound to the key of every cached graph: raise it when this module, float16, qdq or what judges INT8 decides otherwise.
_RECIPE = 11
_REMARKS = "remarks.json"  # beside the graph: what people are told of it, also where it comes from the cache
_TOOLS = ("onnx", "onnxruntime", "onnxconverter-common")
# Inputs, and what FP32 answers to them.
Reference: TypeAlias = tuple[Mapping[str, Array], Mapping[str, Array]]
ROLES = {Precision.FP32: Role.MODEL_FP32, Precision.FP16: Role.MODEL_FP16, Precision.INT8: Role.MODEL_QDQ}
# How onnx and ONNX Runtime name the operator that they stumble over.
_OPERATOR = re.compile(
    r"operator (\w+)|op_type: ?(\w+)|Optype \((\w+)\)|No Op registered for (\w+)|In Node, \(\"[^\"]*\", (\w+),"
)


def role_of(request: LoweringRequest) -> Role:
    return Role.MODEL_QDQ_DLA if request.dla else ROLES[request.precision]


@dataclass(frozen=True)
class LoweredGraph:
    """A graph of another precision, and the names of its external data beside it."""

    path: Path
    data: tuple[str, ...]


def lower(
    source: GraphFiles,
    request: LoweringRequest,
    calibration: Calibration | None,
    references: Sequence[Reference],
    *,
    seen: SeenValues,
    cache: Path,
    progress: Callable[[str], None],
) -> LoweredGraph:
    """The lowered graph, from the cache where it was made before. Raises ModelError, which names the operator.

    `references` are inputs and the outputs of FP32 to them; `seen`: in the reference run.
    """
    if request.precision is not Precision.INT8:
        calibration = None
    content = _content(source, request, calibration, seen)
    if calibration:
        content["references"] = _digest(references)
        content["check"] = repr(request.check)

    def make(folder: Path) -> None:
        progress(_announcement(request, calibration))
        _make(source, request, calibration, references, seen, folder)

    folder, hit = graph_cache.fetch(cache, graph_cache.key_of(content), make)
    if hit:
        progress(f"the {_label(request)} graph is in the cache")
    for line in json.loads((folder / _REMARKS).read_text(encoding="utf-8")):
        progress(f"{_label(request)}: {line}")
    path, data = folder / _graph_name(request), GRAPH_DATA[role_of(request)]
    return LoweredGraph(path, (data,) if (folder / data).exists() else ())


def compare(
    source: GraphFiles,
    lowered: LoweredGraph,
    request: LoweringRequest,
    references: Sequence[Reference],
    *,
    progress: Callable[[str], None],
) -> tuple[OutputSet, ...]:
    """Returns outputs that agree in another order alone. Raises ModelError for outputs too far from FP32."""
    answered = _answered(lowered.path, references, request)
    chosen = chosen_outputs(onnx.load(str(lowered.path), load_external_data=False).graph)
    forced = _forced(source, lowered.path, references, request)
    try:
        return comparison.compare(
            answered, request, label=_label(request), chosen=chosen, forced=forced, progress=progress
        )
    except ModelError as error:
        raise _told(error, source, request) from error


def _told(error: ModelError, source: GraphFiles, request: LoweringRequest) -> ModelError:
    """With the channels of weights that half precision may have lost."""
    in_half = Precision.FP16 in (request.precision, request.base)
    faint = faint_channels(onnx.load(str(source.path)).graph) if in_half else ""
    if not faint:
        return error
    message = f"{error.message}; half precision leaves little or nothing of {faint}"
    return ModelError(message, steps=error.steps, where=error.where, expected=error.expected, hint=error.hint)


def _forced(
    source: GraphFiles, graph: Path, references: Sequence[Reference], request: LoweringRequest
) -> comparison.Forced:
    """Run once, and only if it is asked for: it costs another run of both graphs."""

    @functools.cache
    def trials() -> Sequence[Trial]:
        try:
            return forced_trials(source.path, graph, [inputs for inputs, _ in references])
        except ModelError as error:
            raise refusal(request, error.message) from error

    return trials


def _answered(graph: Path, references: Sequence[Reference], request: LoweringRequest) -> list[Trial]:
    """What the graph answers to the inputs of each reference, and what FP32 did."""
    try:
        session = ReferenceSession(graph)
        return [(session.run(inputs), wanted) for inputs, wanted in references]
    except ModelError as error:
        raise refusal(request, error.message) from error


def _digest(references: Sequence[Reference]) -> str:
    found = hashlib.sha256()
    for reference in references:
        for arrays in reference:
            for name, array in sorted(arrays.items()):
                found.update(f"{name} {array.dtype} {list(array.shape)}\n".encode())
                found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _content(
    source: GraphFiles, request: LoweringRequest, calibration: Calibration | None, seen: SeenValues
) -> dict[str, object]:
    """Everything that decides the lowered graph: what its key is taken over."""
    return {
        "recipe": _RECIPE,
        "precision": request.precision.value,
        "base": request.base.value,
        "dla": request.dla,
        "source": {name: sha256_file(source.folder / name) for name in (MODEL_NAME, *source.data)},
        "calibration": calibration.digest() if calibration else "",
        "seen": seen.beyond_half(),
        "options": qdq.options(request.base) if request.precision is Precision.INT8 else {},
        "tools": {name: version(name) for name in _TOOLS},
    }


def _announcement(request: LoweringRequest, calibration: Calibration | None) -> str:
    rows = f", calibrating with {counted(calibration.rows, 'row')}" if calibration else ""
    return f"lowering to {_label(request)}{rows}"


def _label(request: LoweringRequest) -> str:
    over = f" over {request.base.value}" if request.precision is Precision.INT8 else ""
    return f"{request.precision.value}{over}{' for a DLA' if request.dla else ''}"


def _graph_name(request: LoweringRequest) -> str:
    """A name of its own for every role: the files of several graphs may lie in one folder."""
    return GRAPH_DATA[role_of(request)].removesuffix(".data")


def _make(
    source: GraphFiles,
    request: LoweringRequest,
    calibration: Calibration | None,
    references: Sequence[Reference],
    seen: SeenValues,
    folder: Path,
) -> None:
    model = onnx.load(str(source.path))
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    signature = _signature(model)
    try:
        if calibration:
            forced = functools.partial(_forced, source, references=references, request=request)
            converted, remarks = _to_int8(model, request, calibration, references, seen, forced=forced)
        else:
            half = float16.to_float16(model, seen)
            half.refuse_float32()
            converted, remarks = half.model, half.remarks()
        converted = float16.infer_types(converted, strict=True)
    except ModelError:
        raise
    except Exception as error:  # onnx, its converter and ONNX Runtime's quantiser each raise classes of their own
        raise refusal(request, condensed(error)) from error
    if _signature(converted) != signature:
        raise refusal(request, "inputs or outputs did not keep their types")
    _save(converted, folder, request)
    (folder / _REMARKS).write_text(json.dumps(remarks), encoding="utf-8")


def _to_int8(
    model: onnx.ModelProto,
    request: LoweringRequest,
    calibration: Calibration,
    references: Sequence[Reference],
    seen: SeenValues,
    *,
    forced: Callable[[Path], comparison.Forced],
) -> tuple[onnx.ModelProto, list[str]]:
    with tempfile.TemporaryDirectory(prefix="int8-") as scratch:
        folder, chosen = Path(scratch), chosen_outputs(model.graph)

        def judge(candidate: onnx.ModelProto) -> dict[str, Judgement]:
            _save(candidate, folder, request)
            graph = folder / _graph_name(request)
            answered = _answered(graph, references, request)
            sets = comparison.reordered(answered, request, chosen, forced(graph))
            return comparison.judge_trials(answered, request.check, sets.values())

        quantiser = qdq.Quantiser(model, calibration, request.base, folder, dla=request.dla)
        if request.check.rule is CheckRule.OFF:
            made = int8_graph.Int8Graph(quantiser.quantise(seen=seen))
        else:
            made = int8_graph.fit(quantiser, judge, seen=seen)
        in_half = qdq_placement.remark(made.model.graph) if request.dla else ""
        return made.model, [*made.remarks, *filter(None, [in_half])]


def _save(model: onnx.ModelProto, folder: Path, request: LoweringRequest) -> None:
    large = model.ByteSize() > qdq.EXTERNAL_OVER_BYTES
    data = GRAPH_DATA[role_of(request)]
    (folder / data).unlink(missing_ok=True)
    onnx.save_model(model, str(folder / _graph_name(request)), save_as_external_data=large, location=data)


def _signature(model: onnx.ModelProto) -> list[tuple[str, int]]:
    held = {item.name for item in model.graph.initializer}
    items = [item for item in model.graph.input if item.name not in held]
    return [(item.name, item.type.tensor_type.elem_type) for item in (*items, *model.graph.output)]


def refusal(request: LoweringRequest, message: str) -> ModelError:
    match = _OPERATOR.search(message)
    operator = next((name for name in match.groups() if name), "") if match else ""
    at = f" at operator {operator}" if operator and f"operator {operator}" not in message else ""
    return ModelError(
        f"the model cannot be lowered to {request.precision.value}{at}: {message}",
        steps=request.steps,
        expected="a model whose operators exist in that precision",
        hint=f"leave {request.precision.value} out of variants.precision, or replace the operator",
    )
