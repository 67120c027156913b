"""An FP32 graph to INT8 with QuantizeLinear and DequantizeLinear, in the one form that TensorRT takes too.

Signed and symmetric, so every zero point is 0; weights per channel and with a pair of their own; biases in float,
because TensorRT dequantises no 32-bit integers. Only what multiplies and accumulates is quantised.

Over FP32, for CPUs, its outputs too: ONNX Runtime makes integer kernels of that. Over FP16, for GPUs and DLAs, its
inputs alone: TensorRT fuses bias, activation and the next layer's quantisation into a kernel that a pair between them
would cut in two. What is not quantised is FP16 then, the scales too: with FP32 scales a cast stands on either side of
every pair, and matrix products answer in FP32.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from controller.intake.graph.tensors import Array
from controller.intake.lowering import rules
from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.float16 import to_float16
from controller.model.job import Precision

COMPUTE = ("Conv", "ConvTranspose", "Gemm", "MatMul")
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


def to_qdq(
    model: onnx.ModelProto,
    calibration: Calibration,
    base: Precision,
    *,
    ranges: Mapping[str, float] | None = None,
) -> onnx.ModelProto:
    """The quantised graph over `base`. Raises ValueError for a graph that cannot be, and what the quantiser raises."""
    found = sorted({node.op_type for node in model.graph.node})
    if not set(COMPUTE) & set(found):
        raise ValueError(f"nothing in it can be quantised: no {', '.join(COMPUTE)} among {', '.join(found)}")
    external = model.ByteSize() > EXTERNAL_OVER_BYTES
    with tempfile.TemporaryDirectory(prefix="qdq-") as scratch:
        source, target = Path(scratch) / "source.onnx", Path(scratch) / "qdq.onnx"
        onnx.save_model(_modern(model, _MIN_OPSET[base]), str(source), save_as_external_data=external)
        quantize_static(
            _prepared(source, external=external),
            target,
            _Rows(calibration.batches()),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(COMPUTE),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            use_external_data_format=external,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options=options(base),
        )
        quantised = onnx.load(str(target))
    _drop_unused_domains(quantised)
    if base is Precision.FP16:
        _fit_scales(quantised)
        quantised = to_float16(quantised, ranges).model
    if not rules.check(quantised):
        raise ValueError("the quantiser left it as it was")
    return quantised


def options(base: Precision) -> dict[str, object]:
    """What the quantiser is told, beside its arguments."""
    inputs_only = {"OpTypesToExcludeOutputQuantization": list(COMPUTE)} if base is Precision.FP16 else {}
    return {**OPTIONS, **inputs_only}


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
