"""Output types that a file does not declare and onnx cannot infer: ONNX Runtime knows operators that onnx does not."""

from pathlib import Path

import onnx
import onnxruntime

from controller.intake.jobfile.model_error import ModelError

_TYPES = {
    "float": onnx.TensorProto.FLOAT,
    "float16": onnx.TensorProto.FLOAT16,
    "double": onnx.TensorProto.DOUBLE,
    "bool": onnx.TensorProto.BOOL,
    **{
        f"{sign}int{bits}": getattr(onnx.TensorProto, f"{sign}int{bits}".upper())
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}


def type_outputs(model: onnx.ModelProto, path: Path) -> str:
    """Declares the outputs of a model that lies at `path`; says so. Raises ModelError where it does not load."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common class of their own
        message = f"the outputs declare no type, and ONNX Runtime cannot load the model to tell it: {error}"
        raise ModelError(message, steps=("model", "onnx"), expected="outputs that declare a type") from error
    found = {item.name: item.type.removeprefix("tensor(").removesuffix(")") for item in session.get_outputs()}
    for item in model.graph.output:
        if item.type.WhichOneof("value") is None and found.get(item.name) in _TYPES:
            item.type.tensor_type.elem_type = _TYPES[found[item.name]]
    return "types of outputs, as ONNX Runtime infers them"
