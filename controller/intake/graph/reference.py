"""What a graph answers in FP32: ONNX Runtime on the CPU; as the reference, without any optimisation that could err."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from controller.intake.graph.onnx_files import first_line
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError

_NOISE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |Load model from \S+ failed: ?")


_FAILED_NODE = re.compile(r"Non-zero status code returned while running (\w+) node\. Name:'([^']*)' Status Message: ")
# "/onnxruntime_src/FILE:LINE SIGNATURE CONDITION was false. ", in a build of theirs
_SOURCE = re.compile(r"/\S*onnxruntime\S*:\d+ .*? was false\. |/\S*onnxruntime\S*:\d+ (?:\S+ )*?\S*\([^)]*\) ")

_LONGEST, _LONGEST_SHOWN = 2000, 500


class ReferenceSession:
    """A loaded graph. Raises ModelError where the graph or its inputs cannot be."""

    def __init__(self, model: Path, *, optimised: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common class of their own
            raise ModelError(f"ONNX Runtime cannot load the model: {condensed(error)}") from error

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        names = [item.name for item in self._session.get_outputs()]
        try:
            found = self._session.run(names, dict(inputs))
        except Exception as error:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
            raise ModelError(
                f"the model fails on inputs of these shapes: {shapes}: {condensed(error)}",
                steps=("model", "inputs"),
                hint="set shapes and values under model.inputs that the model accepts",
            ) from error
        return {name: _array(name, value) for name, value in zip(names, found, strict=True)}


def condensed(error: BaseException) -> str:
    """ONNX Runtime's message less its status codes, its source lines and the path of our copy; the node comes first."""
    text = _NOISE.sub("", first_line(error, limit=_LONGEST)).strip()
    said = _SOURCE.sub("", _FAILED_NODE.sub(_node, text))
    return said.strip()[:_LONGEST_SHOWN]


def _node(match: "re.Match[str]") -> str:
    return f"operator {match[1]} {match[2]!r}: " if match[2] else f"operator {match[1]}: "


def _array(name: str, value: object) -> Array:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        raise ModelError(f"output {name!r} holds {_words(value)}", expected="tensors of numbers or booleans")
    return value


def _words(value: object) -> str:
    """For people: ONNX Runtime answers texts as objects, sequences as lists and maps as dicts."""
    if isinstance(value, np.ndarray):
        return "texts" if value.dtype.kind in "OSU" else str(value.dtype)
    if isinstance(value, list):
        return "a sequence, whose length is known only when it has run"
    return "a map" if isinstance(value, dict) else "nothing" if value is None else "no tensor"
