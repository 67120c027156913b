"""Lowering on the workstation: the FP32 graph to the graph of another precision, made once and held against FP32.

Runs only in the model child. How a graph is changed is float16's and qdq's business; what came of it is checked here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import onnx
import onnx.inliner

from controller.intake import graph_cache
from controller.intake.exchange import LoweringRequest
from controller.intake.graph.onnx_files import MODEL_NAME, GraphFiles
from controller.intake.graph.reference import ReferenceSession, condensed
from controller.intake.graph.set_outputs import chosen_outputs
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering import comparison, float16, qdq
from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.float32_nodes import beyond_half
from controller.model.job import GRAPH_DATA, OutputSet, Precision, Role
from jetfleet.blobs import sha256_file

# Bound to the key of every cached graph: raise it when this module, float16 or qdq lowers differently.
_RECIPE = 4
_TOOLS = ("onnx", "onnxruntime", "onnxconverter-common")
ROLES = {Precision.FP32: Role.MODEL_FP32, Precision.FP16: Role.MODEL_FP16, Precision.INT8: Role.MODEL_QDQ}
# How onnx and ONNX Runtime name the operator that they stumble over.
_OPERATOR = re.compile(
    r"operator (\w+)|op_type: ?(\w+)|Optype \((\w+)\)|No Op registered for (\w+)|In Node, \(\"[^\"]*\", (\w+),"
)


@dataclass(frozen=True)
class LoweredGraph:
    """A graph of another precision, and the names of its external data beside it."""

    path: Path
    data: tuple[str, ...]


def lower(
    source: GraphFiles,
    request: LoweringRequest,
    calibration: Calibration | None,
    *,
    ranges: Mapping[str, float],
    cache: Path,
    progress: Callable[[str], None],
) -> LoweredGraph:
    """The lowered graph, from the cache where it was made before. Raises ModelError, which names the operator.

    `ranges`: how large each float tensor becomes in the reference run.
    """

    def make(folder: Path) -> None:
        progress(_announcement(request, calibration))
        _make(source, request, calibration, ranges, folder, progress=progress)

    if request.precision is not Precision.INT8:
        calibration = None
    folder, hit = graph_cache.fetch(cache, graph_cache.key_of(_content(source, request, calibration, ranges)), make)
    if hit:
        progress(f"the {_label(request)} graph is in the cache")
    path, data = folder / _graph_name(request), GRAPH_DATA[ROLES[request.precision]]
    return LoweredGraph(path, (data,) if (folder / data).exists() else ())


def compare(
    lowered: LoweredGraph,
    request: LoweringRequest,
    references: Mapping[int, tuple[Mapping[str, Array], Mapping[str, Array]]],
    *,
    progress: Callable[[str], None],
) -> tuple[OutputSet, ...]:
    """Runs the graph on the reference inputs of each batch size; returns outputs that agree in another order alone.

    Raises ModelError for outputs too far from FP32.
    """
    try:
        session = ReferenceSession(lowered.path)
        answers = {batch: session.run(inputs) for batch, (inputs, _) in references.items()}
    except ModelError as error:
        raise refusal(request, error.message) from error
    wanted = {batch: outputs for batch, (_, outputs) in references.items()}
    chosen = chosen_outputs(onnx.load(str(lowered.path), load_external_data=False).graph)
    return comparison.compare(answers, wanted, request, label=_label(request), chosen=chosen, progress=progress)


def _content(
    source: GraphFiles, request: LoweringRequest, calibration: Calibration | None, ranges: Mapping[str, float]
) -> dict[str, object]:
    """Everything that decides the lowered graph: what its key is taken over."""
    return {
        "recipe": _RECIPE,
        "precision": request.precision.value,
        "base": request.base.value,
        "source": {name: sha256_file(source.folder / name) for name in (MODEL_NAME, *source.data)},
        "calibration": calibration.digest() if calibration else "",
        "ranges": beyond_half(ranges),
        "options": qdq.options(request.base) if request.precision is Precision.INT8 else {},
        "tools": {name: version(name) for name in _TOOLS},
    }


def _announcement(request: LoweringRequest, calibration: Calibration | None) -> str:
    rows = f", calibrating with {calibration.rows} rows" if calibration else ""
    return f"lowering to {_label(request)}{rows}"


def _label(request: LoweringRequest) -> str:
    over = f" over {request.base.value}" if request.precision is Precision.INT8 else ""
    return f"{request.precision.value}{over}"


def _graph_name(request: LoweringRequest) -> str:
    """A name of its own for every role: the files of several graphs may lie in one folder."""
    return GRAPH_DATA[ROLES[request.precision]].removesuffix(".data")


def _make(
    source: GraphFiles,
    request: LoweringRequest,
    calibration: Calibration | None,
    ranges: Mapping[str, float],
    folder: Path,
    *,
    progress: Callable[[str], None],
) -> None:
    model = onnx.load(str(source.path))
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    signature = _signature(model)
    try:
        if calibration:
            converted = qdq.to_qdq(model, calibration, request.base, ranges=ranges)
        else:
            half = float16.to_float16(model, ranges)
            converted = half.model
            for line in half.remarks():
                progress(f"{_label(request)}: {line}")
        converted = float16.infer_types(converted, strict=True)
    except Exception as error:  # onnx, its converter and ONNX Runtime's quantiser each raise classes of their own
        raise refusal(request, condensed(error)) from error
    if _signature(converted) != signature:
        raise refusal(request, "inputs or outputs did not keep their types")
    large = converted.ByteSize() > qdq.EXTERNAL_OVER_BYTES
    data = GRAPH_DATA[ROLES[request.precision]]
    onnx.save_model(converted, str(folder / _graph_name(request)), save_as_external_data=large, location=data)


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
