"""An FP32 graph to INT8 with QuantizeLinear and DequantizeLinear, in the one form that TensorRT takes too.

Signed and symmetric, so every zero point is 0; weights per channel and with a pair of their own; biases in float,
because TensorRT dequantises no 32-bit integers. Only what multiplies and accumulates is quantised.

Over FP32, for CPUs, its outputs too: ONNX Runtime makes integer kernels of that. Over FP16, for GPUs and DLAs, its
inputs alone: TensorRT fuses bias, activation and the next layer's quantisation into a kernel that a pair between them
would cut in two. Which pairs a GPU and a DLA want beside these is qdq_placement's affair. What is not quantised is FP16
then, the scales too: with FP32 scales a cast stands on either side of every pair, and matrix products answer in FP32.
"""

import copy
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
from onnxruntime.quantization.shape_inference import quant_pre_process

from controller.intake.graph.tensors import Array
from controller.intake.lowering import rules
from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.float16 import to_float16
from controller.intake.lowering.graph_view import inner_nodes
from controller.intake.lowering.qdq_placement import COMPUTE, add_pairs, between, shortcuts
from controller.intake.lowering.seen_values import SeenValues
from controller.model.job import Precision

# The first whose QuantizeLinear has an axis, and the first whose scales may be FP16. A graph is raised to it and no
# further, because every release of TensorRT has a newest opset that it reads.
_MIN_OPSET = {Precision.FP32: 13, Precision.FP16: 19}
_SMALLEST_SCALE = np.float16(2**-23)  # below it the converter to halves rounds by rules of its own
EXTERNAL_OVER_BYTES = 1 << 30
OPTIONS = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "AddQDQPairToWeight": True,
    "QuantizeBias": False,
    "DedicatedQDQPair": False,
    "QDQDisableWeightAdjustForInt32Bias": True,  # there is none
}


class _Rows:
    """ONNX Runtime's CalibrationDataReader, which asks for this one method."""

    def __init__(self, batches: Iterator[dict[str, Array]]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, Array] | None:
        return next(self._batches, None)


class Quantiser:
    """A graph whose ranges are learnt once, and which is quantised as often as is tried, in a folder that may go then.

    Raises ValueError for a graph that cannot be quantised, and what ONNX Runtime's quantiser raises.
    """

    def __init__(
        self, model: onnx.ModelProto, calibration: Calibration, base: Precision, folder: Path, *, dla: bool = False
    ) -> None:
        found = sorted({node.op_type for node in model.graph.node})
        if not set(COMPUTE) & set(found):
            raise ValueError(f"nothing in it can be quantised: no {', '.join(COMPUTE)} among {', '.join(found)}")
        self._base, self._folder, self._dla = base, folder, dla
        self.size_bytes = model.ByteSize()
        self._external = self.size_bytes > EXTERNAL_OVER_BYTES
        source = folder / "source.onnx"
        onnx.save_model(_modern(model, _MIN_OPSET[base]), str(source), save_as_external_data=self._external)
        self._source = _prepared(source, external=self._external)
        self.graph = _named(self._source)
        self._ranges = self._learn(calibration)
        ends = {name: np.abs(found.range_value) for name, found in self._ranges.items()}
        self._limits = {name: float(np.max(both)) for name, both in ends.items()}

    def quantise(self, left: Collection[str] = (), *, seen: SeenValues | None = None) -> onnx.ModelProto:
        """The quantised graph, with the nodes that are `left` in float. `seen` is that of `to_float16`."""
        target = self._folder / "qdq.onnx"
        quantizer = QDQQuantizer(
            load_model_with_shape_infer(self._source),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QInt8,
            tensors_range=copy.deepcopy(self._ranges),
            nodes_to_quantize=[],
            nodes_to_exclude=list(left),
            op_types_to_quantize=list(COMPUTE),
            extra_options=options(self._base),
        )
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(target), self._external)
        quantised = onnx.load(str(target))
        _read_floats(quantised, left)
        _drop_unused_domains(quantised)
        if self._base is Precision.FP16:
            place = between if self._dla else shortcuts
            add_pairs(quantised.graph, place(quantised.graph, left), self._limits)
            _fit_scales(quantised)
            quantised = to_float16(quantised, seen).model
        if not rules.check(quantised):
            raise ValueError("the quantiser left it as it was")
        return quantised

    def _learn(self, calibration: Calibration) -> TensorsData:
        calibrator = create_calibrator(
            str(self._source),
            None if self._dla else list(COMPUTE),  # None: every operator
            augmented_model_path=str(self._folder / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
            use_external_data_format=self._external,
        )
        calibrator.collect_data(_Rows(calibration.batches()))
        return calibrator.compute_data()


def to_qdq(
    model: onnx.ModelProto,
    calibration: Calibration,
    base: Precision,
    *,
    seen: SeenValues | None = None,
    dla: bool = False,
) -> onnx.ModelProto:
    """The graph with all of its products quantised."""
    with tempfile.TemporaryDirectory(prefix="qdq-") as scratch:
        return Quantiser(model, calibration, base, Path(scratch), dla=dla).quantise(seen=seen)


def _named(path: Path) -> onnx.ModelProto:
    """The prepared graph, each node of which has a name of its own: by these they are left out."""
    model = onnx.load(str(path), load_external_data=False)
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{node.output[0] or index}"
        taken.add(node.name)
    path.write_bytes(model.SerializeToString())
    return model


def options(base: Precision) -> dict[str, object]:
    """What the quantiser is told, beside its arguments."""
    inputs_only = {"OpTypesToExcludeOutputQuantization": list(COMPUTE)} if base is Precision.FP16 else {}
    return {**OPTIONS, **inputs_only}


def _read_floats(model: onnx.ModelProto, left: Collection[str]) -> None:
    """Lets the nodes left in float read what the pairs before them read: the quantiser gives a pair to all readers."""
    maker = {name: node for node in model.graph.node for name in node.output}
    for node in (node for node in model.graph.node if node.name in left):
        for index, name in enumerate(node.input):
            node.input[index] = _before_pair(name, maker)
    _drop_unread_pairs(model)


def _before_pair(name: str, maker: Mapping[str, onnx.NodeProto]) -> str:
    back = maker.get(name)
    if back is None or back.op_type != "DequantizeLinear":
        return name
    forth = maker.get(back.input[0])
    return name if forth is None or forth.op_type != "QuantizeLinear" else str(forth.input[0])


def _drop_unread_pairs(model: onnx.ModelProto) -> None:
    outputs = {item.name for item in model.graph.output}
    while True:
        nodes = [item for node in model.graph.node for item in (node, *inner_nodes(node))]
        read = outputs.union(*(node.input for node in nodes))
        unread = [node for node in model.graph.node if node.op_type in rules.PAIR and node.output[0] not in read]
        if not unread:
            return
        for node in unread:
            model.graph.node.remove(node)


def _fit_scales(model: onnx.ModelProto) -> None:
    """Rounds every scale up to one that FP16 holds, so that no value is clipped and none is divided by 0."""
    names = {node.input[1] for node in model.graph.node if node.op_type in rules.PAIR}
    for item in model.graph.initializer:
        if item.name in names:
            exact = numpy_helper.to_array(item)
            halves = np.maximum(exact.astype(np.float16), _SMALLEST_SCALE)
            halves = np.where(halves < exact, np.nextafter(halves, np.float16(np.inf)), halves)
            item.CopyFrom(numpy_helper.from_array(halves.astype(np.float32), item.name))


def _modern(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    version = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    if version >= opset:
        return model
    try:
        return onnx.version_converter.convert_version(model, opset)
    except Exception as error:  # the converter's own, which has no public class
        raise ValueError(
            f"INT8 needs opset {opset}, and the graph of opset {version} cannot be converted: {error}"
        ) from error


def _prepared(source: Path, *, external: bool) -> Path:
    """The graph with the types of its tensors known and its batch norms folded.

    Folding must not leave operators of ONNX Runtime's own, which nothing else reads: then there is none.
    """
    folded, plain = source.with_name("folded.onnx"), source.with_name("plain.onnx")
    quant_pre_process(source, folded, skip_symbolic_shape=True, save_as_external_data=external)
    foreign = _domains(_graph_only(folded)) - _domains(_graph_only(source))
    if not foreign:
        return folded
    quant_pre_process(source, plain, skip_symbolic_shape=True, skip_optimization=True, save_as_external_data=external)
    return plain


def _graph_only(path: Path) -> onnx.ModelProto:
    return onnx.load(str(path), load_external_data=False)


def _domains(model: onnx.ModelProto) -> set[str]:
    return {node.domain for node in model.graph.node}


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    """ONNX Runtime declares every domain that it knows; a strict reader refuses those that it does not."""
    used = _domains(model) | {""}
    kept = [item for item in model.opset_import if item.domain in used or item.domain == "ai.onnx"]
    del model.opset_import[:]
    model.opset_import.extend(kept)
