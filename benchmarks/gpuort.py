"""One graph twice on ONNX Runtime's CUDA provider: in the agent's session, and as barely as Python can."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from agent.runtime.onnxruntime.cuda import cuda_provider_version, cuda_providers
from agent.runtime.onnxruntime.graph import open_engine
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_MODEL_FP32, PRECISION_FP32, Artifact, BuildTask, Subject, TensorSpec
from testing.processes import BrokenRun

_SHAPE = (8, 3, 112, 112)
_WIDTHS = (64, 64, 128, 128, 256, 256)


class Twins:
    """Raises ImportError where ONNX Runtime has no CUDA provider."""

    def __init__(self, folder: Path, *, cuda_graph: str = "off") -> None:
        if cuda_provider_version() is None:
            raise ImportError("its CUDA provider is not there")
        onnx.save(residual_network(), folder / "model.onnx")
        engine, runtime = folder / "model.engine", OnnxRuntime()
        spec = TensorSpec(name="x", dtype="float32", shape=_SHAPE)
        model = Artifact(role=ARTIFACT_ROLE_MODEL_FP32, name="model.onnx")
        task = BuildTask(
            engine_key="bench", precision=PRECISION_FP32, placement="gpu", inputs=[spec], artifacts=[model]
        )
        runtime.build(task, folder, engine, lambda artifact: folder, lambda phase, fraction, detail: None)
        subject = Subject(variant_key="bench", placement="gpu", batch=8, precision=PRECISION_FP32, inputs=[spec])
        subject.options.update({"wait": "spin", "cuda_graph": cuda_graph})  # off: as the bare loop
        self.session = runtime.load(engine, subject, lambda artifact: folder)
        x = np.random.default_rng(0).standard_normal(_SHAPE).astype(np.float32)
        self._alone = open_engine(engine, onnxruntime.SessionOptions(), cuda_providers(PRECISION_FP32))
        self._binding = self._alone.io_binding()
        self._x, self._there = x, onnxruntime.OrtValue.ortvalue_from_numpy(x, "cuda", 0)
        self._binding.bind_ortvalue_input("x", self._there)
        self._binding.bind_output("y", "cpu")
        self._check(x)

    def bare(self) -> None:
        """Copies in, runs, copies out."""
        self._there.update_inplace(self._x)
        self._alone.run_with_iobinding(self._binding)

    def close(self) -> None:
        del self._binding, self._there, self._alone
        self.session.close()

    def _check(self, x: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
        self.session.bind({"x": x})
        self.session.infer()
        self.bare()
        ours, theirs = self.session.outputs()["y"], self._binding.copy_outputs_to_cpu()[0]
        if not np.allclose(ours, theirs, rtol=1e-3, atol=1e-4):
            raise BrokenRun(f"the two answers differ by {np.abs(ours - theirs).max():.2e}")


def residual_network() -> onnx.ModelProto:
    """x[8, 3, 112, 112] -> y[8, 10]: pairs of convolutions with a shortcut around each, every second pair striding."""
    random = np.random.default_rng(0)
    weights: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def convolution(source: str, name: str, shape: tuple[int, int, int, int], stride: int) -> str:
        scale = np.sqrt(2 / (shape[1] * shape[2] * shape[3]))
        weights.append(numpy_helper.from_array((random.standard_normal(shape) * scale).astype(np.float32), f"{name}_w"))
        pads = [shape[2] // 2] * 4
        nodes.append(helper.make_node("Conv", [source, f"{name}_w"], [name], strides=[stride] * 2, pads=pads))
        return name

    def relu(source: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [f"{source}_r"]))
        return f"{source}_r"

    last = relu(convolution("x", "stem", (_WIDTHS[0], 3, 7, 7), 2))
    before = _WIDTHS[0]
    for number, width in enumerate(_WIDTHS):
        stride = 1 if width == before else 2
        inner = relu(convolution(last, f"a{number}", (width, before, 3, 3), stride))
        inner = convolution(inner, f"b{number}", (width, width, 3, 3), 1)
        around = last if stride == 1 else convolution(last, f"s{number}", (width, before, 1, 1), stride)
        nodes.append(helper.make_node("Add", [inner, around], [f"sum{number}"]))
        last, before = relu(f"sum{number}"), width
    weights.append(numpy_helper.from_array(random.standard_normal((before, 10)).astype(np.float32) * 0.01, "head"))
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "head"], ["y"]))
    ends = [("x", list(_SHAPE)), ("y", [_SHAPE[0], 10])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    graph = helper.make_graph(nodes, "residual", values[:1], values[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
