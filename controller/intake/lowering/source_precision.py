"""The precision that a model brings: FP32 is lowered, FP16 and INT8 (Q/DQ) run as they are, or are refused in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx

from controller.intake.exchange import LoweringRequest, ModelRequest
from controller.intake.graph.float64 import float64_tensor
from controller.intake.graph.onnx_files import GraphFiles
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps
from controller.intake.lowering import rules
from controller.intake.lowering.graph_view import bodies
from controller.model.job import Precision

_QUANTISING = frozenset({*rules.PAIR, *rules.OTHERS})
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_MOST_BYTES = 1 << 31  # what types can be inferred of
_HALVES = {onnx.TensorProto.FLOAT16: "FP16", onnx.TensorProto.BFLOAT16: "BF16"}


@dataclass(frozen=True)
class SourcePrecision:
    """What a graph computes in, and by what that was seen: `because` ends a sentence that begins with the model."""

    precision: Precision
    because: str = ""


def detect(graph: GraphFiles) -> SourcePrecision:
    """Raises ModelError for BF16 and float64, which are none of our precisions."""
    model = onnx.load_model(str(graph.path), load_external_data=False)
    if name := float64_tensor(model):
        raise ModelError(
            f"the model's tensor {name!r} is float64",
            expected="a model in float32 or float16",
            hint="module.float() before it is returned, inputs and constants in float32",
        )
    node = next((item for item in _nodes([model.graph, *model.functions]) if item.op_type in _QUANTISING), None)
    if node is not None:
        return SourcePrecision(
            Precision.INT8, f"is quantised already, at operator {node.op_type} {node.name or node.output[0]!r}"
        )
    name, kind = next(((name, kind) for name, kind in _types(model) if kind in _HALVES), ("", 0))
    if not name or _computes_in_float32(model):
        return SourcePrecision(Precision.FP32)
    if kind == onnx.TensorProto.BFLOAT16:
        message = f"the model's tensor {name!r} is BF16"
        raise ModelError(message, expected="a model in float32 or float16", hint="export it in float32")
    return SourcePrecision(Precision.FP16, f"is in FP16 already, at tensor {name!r}")


def accept(found: SourcePrecision, graph: GraphFiles, request: ModelRequest) -> None:
    """Raises ModelError where another precision is asked of a model than it brings, or TensorRT would not take it."""
    places = {item.precision: item.steps for item in request.lower}
    others: list[tuple[str, Steps]] = [
        (key.value, steps) for key, steps in places.items() if key is not found.precision
    ]
    if request.float32_steps:
        others.insert(0, ("fp32", request.float32_steps))
    for name, steps in others:
        raise ModelError(
            f"the model cannot run in {name}: it {found.because}",
            steps=steps,
            expected="a model in float32, or its own precision alone",
            hint=f"variants: {{precision: [{found.precision.value}]}} runs it as it is",
        )
    if found.precision is Precision.INT8:
        _check_rules(graph, next(item for item in request.lower if item.precision is Precision.INT8))


def _check_rules(graph: GraphFiles, request: LoweringRequest) -> None:
    if not request.typed:
        return
    try:
        rules.check(onnx.load_model(str(graph.path)))
    except rules.QdqError as error:
        message = f"TensorRT does not take the model's quantisation: {error}"
        raise ModelError(message, steps=request.steps, expected=error.expected, hint=error.hint) from error


def _computes_in_float32(model: onnx.ModelProto) -> bool:
    """Whether its halves are a matter of its edges: every product is float32, and no weight is half."""
    kinds = {kind for _, kind in _types(model)}
    if onnx.TensorProto.BFLOAT16 in kinds or model.functions or model.ByteSize() >= _MOST_BYTES:
        return False
    if any(tensor.data_type in _HALVES for tensor in model.graph.initializer):
        return False
    try:
        typed = onnx.shape_inference.infer_shapes(model).graph
    except onnx.shape_inference.InferenceError:
        return False
    types = {item.name: item.type.tensor_type.elem_type for item in (*typed.value_info, *typed.input, *typed.output)}
    made = [types.get(node.output[0], 0) for node in _nodes([typed]) if node.op_type in _PRODUCTS]
    return bool(made) and set(made) == {onnx.TensorProto.FLOAT}


def _types(model: onnx.ModelProto) -> Iterator[tuple[str, int]]:
    """Types that are written down: of weights, inputs, outputs, and of what Cast makes."""
    for tensor in model.graph.initializer:
        yield tensor.name, tensor.data_type
    for item in (*model.graph.input, *model.graph.output):
        yield item.name, item.type.tensor_type.elem_type
    for node in _nodes([model.graph, *model.functions]):
        if node.op_type == "Cast":
            yield node.output[0], next((item.i for item in node.attribute if item.name == "to"), 0)


def _nodes(graphs: Iterable[onnx.GraphProto | onnx.FunctionProto]) -> Iterator[onnx.NodeProto]:
    for graph in graphs:
        for node in graph.node:
            yield node
            yield from _nodes(bodies(node))
