"""A model that is asked for more than its outputs, run on the workstation."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.tensors import Array


class Probe:
    """The model with what is asked of its tensors as its only outputs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        del self.model.graph.output[:]
        self.opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
        self._asked: dict[str, str] = {}

    def add(self, op: str, name: str, suffix: str, *more: str) -> None:
        """Asks for what an operator makes of a tensor."""
        self.node(op, [name, *more], f"{name}{suffix}")
        self.ask(f"{name}{suffix}", name)

    def node(self, op: str, read: Sequence[str], made: str, **attributes: object) -> None:
        self.model.graph.node.append(onnx.helper.make_node(op, read, [made], **attributes))

    def constant(self, values: Sequence[int] | Array, name: str) -> str:
        self.model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def reduced(self, op: str, name: str, axes: Sequence[int], made: str) -> str:
        """ReduceMax or ReduceMean along axes, which newer versions of them read as a tensor."""
        if self.opset >= 18:
            self.node(op, [name, self.constant(axes, f"{made}/axes")], made)
        else:
            self.node(op, [name], made, axes=list(axes))
        return made

    def ask(self, tensor: str, name: str) -> None:
        self.model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
        self._asked[tensor] = name

    def run(self, path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """By the name that was asked for. Beside the original, whose external data it reads."""
        if not self._asked:
            return {}
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix="ranges-", suffix=".onnx") as file:
            file.write(self.model.SerializeToString())
            file.flush()
            answers = ReferenceSession(Path(file.name)).run(inputs)
        return {self._asked[tensor]: array for tensor, array in answers.items()}
