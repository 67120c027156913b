"""An FP32 graph to INT8 with QuantizeLinear and DequantizeLinear, in the one form that TensorRT takes too.

Signed and symmetric, so every zero point is 0; weights per channel and with a pair of their own; biases in float,
because TensorRT dequantises no 32-bit integers. Only what multiplies and accumulates is quantised, inputs and outputs:
ONNX Runtime makes integer kernels of that on CPUs.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from controller.intake.calibration import Calibration
from controller.intake.tensors import Array

COMPUTE = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_MIN_OPSET = 13  # the first whose QuantizeLinear has an axis
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


def to_qdq(model: onnx.ModelProto, calibration: Calibration) -> onnx.ModelProto:
    """The quantised graph. Raises ValueError for a graph that cannot be, and whatever the quantiser raises."""
    found = sorted({node.op_type for node in model.graph.node})
    if not set(COMPUTE) & set(found):
        raise ValueError(f"nothing in it can be quantised: no {', '.join(COMPUTE)} among {', '.join(found)}")
    external = model.ByteSize() > EXTERNAL_OVER_BYTES
    with tempfile.TemporaryDirectory(prefix="qdq-") as scratch:
        source, target = Path(scratch) / "source.onnx", Path(scratch) / "qdq.onnx"
        onnx.save_model(_modern(model), str(source), save_as_external_data=external)
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
            extra_options=OPTIONS,
        )
        made = onnx.load(str(target))
    _drop_unused_domains(made)
    check_qdq(made)
    return made


def check_qdq(model: onnx.ModelProto) -> None:
    """Raises ValueError unless every scale is positive and every zero point a signed 0, as TensorRT demands."""
    held = {item.name: item for item in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    if not pairs:
        raise ValueError("the quantiser left it as it was")
    for node in pairs:
        scale, zero = (held.get(name) for name in [*node.input[1:3], "", ""][:2])
        if scale is None or zero is None:
            raise ValueError(f"{node.op_type} {node.name!r} has a scale or a zero point that is no constant")
        if zero.data_type != onnx.TensorProto.INT8 or numpy_helper.to_array(zero).any():
            raise ValueError(f"{node.op_type} {node.name!r} has a zero point that is not a signed 0")
        values = numpy_helper.to_array(scale)
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError(f"{node.op_type} {node.name!r} has a scale that is not positive: its range is not finite")


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    version = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    if version >= _MIN_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, _MIN_OPSET)
    except Exception as error:  # the converter's own, which has no public class
        raise ValueError(
            f"INT8 needs opset {_MIN_OPSET}, and the graph of opset {version} cannot be converted: {error}"
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
