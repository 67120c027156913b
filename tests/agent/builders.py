"""Makes what the agent's tests run on: blobs in a folder, real ONNX models, complete tasks."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENGINE,
    ARTIFACT_ROLE_EVALUATION_INPUT,
    ARTIFACT_ROLE_EVALUATION_LABELS,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_REFERENCE_INPUT,
    ARTIFACT_ROLE_REFERENCE_OUTPUT,
    LOWERING_TYPED_GRAPH,
    PRECISION_FP32,
    Artifact,
    ArtifactRole,
    BenchTask,
    BuildTask,
    MeasureOptions,
    OutputCheck,
    Subject,
    TaskSpec,
    TensorSpec,
)

CLOSE = OutputCheck(rule=OutputCheck.RULE_CLOSE, rtol=1e-3, atol=1e-4)
SIMULATED_ENGINE = b'{"simulated": "1.0"}'


class Blobs:
    """A plain folder of files named by their digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def put(self, content: bytes, role: "ArtifactRole.ValueType", name: str) -> Artifact:
        sha256 = hashlib.sha256(content).hexdigest()
        self.path(sha256).write_bytes(content)
        return Artifact(role=role, name=name, sha256=sha256, size_bytes=len(content))

    def tensor(self, array: NDArray[Any], role: "ArtifactRole.ValueType", name: str) -> Artifact:
        buffer = io.BytesIO()
        np.save(buffer, array)
        return self.put(buffer.getvalue(), role, name)

    def references(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> list[Artifact]:
        return [
            self.tensor(np.asarray(array), ARTIFACT_ROLE_REFERENCE_INPUT, name) for name, array in inputs.items()
        ] + [self.tensor(np.asarray(array), ARTIFACT_ROLE_REFERENCE_OUTPUT, name) for name, array in outputs.items()]

    def evaluation(self, inputs: Mapping[str, Any], labels: Any) -> list[Artifact]:
        return [
            *(self.tensor(np.asarray(array), ARTIFACT_ROLE_EVALUATION_INPUT, name) for name, array in inputs.items()),
            self.tensor(np.asarray(labels), ARTIFACT_ROLE_EVALUATION_LABELS, "labels"),
        ]


def classifier(*, seed: int = 0, classes: int = 4, features: int = 6) -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    """x[N, features] -> scores[N, classes]: one MatMul and a Relu before it; returns its weights too."""
    weights = np.random.default_rng(seed).standard_normal((features, classes)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("MatMul", ["r", "w"], ["scores"])],
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", features])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(weights, "w")],
    )
    return as_model(graph), weights


def scores(weights: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the classifier answers, computed without it."""
    answer: NDArray[np.float32] = np.maximum(x, 0) @ weights
    return answer


def glutton() -> onnx.ModelProto:
    """x[N, 6] -> y[N, 6], by way of a tensor of 19 GB."""
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Mul", ["shape", "factor"], ["huge"]),
            helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
            helper.make_node("ReduceMax", ["zeros"], ["most"], keepdims=0),
            helper.make_node("Add", ["x", "most"], ["y"]),
        ],
        "glutton",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 6])],
        [numpy_helper.from_array(np.array([20_000, 20_000]), "factor")],
    )
    return as_model(graph)


def as_model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tensor_spec(shape: Sequence[int] = (2, 6), *, name: str = "x", dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def build_task(
    blobs: Blobs, *, runtime: str = "simulated", model: bytes = b"any", limit_s: float = 60, **options: str
) -> TaskSpec:
    build = BuildTask(
        engine_key="ab" * 32,
        runtime=runtime,
        precision=PRECISION_FP32,
        lowering=LOWERING_TYPED_GRAPH,
        placement="cpu",
        inputs=[tensor_spec()],
        artifacts=[blobs.put(model, ARTIFACT_ROLE_MODEL_FP32, "model.onnx")],
        options=options,
    )
    return _limited(TaskSpec(task_id=7, name="build it", build=build), limit_s)


def bench_task(
    blobs: Blobs,
    *,
    engine: bytes = SIMULATED_ENGINE,
    artifacts: Sequence[Artifact] = (),
    check: OutputCheck = CLOSE,
    runtime: str = "simulated",
    seconds: tuple[float, float, float] = (0.1, 1.0, 5.0),
    limit_s: float = 60,
    runs: int = 0,
    **options: str,
) -> TaskSpec:
    """`seconds` are warm-up, shortest and longest window; `runs` 0: as many as cost and spread call for."""
    subject = Subject(
        variant_key="v",
        engine=blobs.put(engine, ARTIFACT_ROLE_ENGINE, "it.engine"),
        placement="cpu",
        batch=2,
        runtime=runtime,
        precision=PRECISION_FP32,
        inputs=[tensor_spec()],
        artifacts=artifacts,
        check=check,
        options=options,
    )
    measure = measure_options(*seconds)
    measure.runs = runs
    bench = BenchTask(schedule=BenchTask.SCHEDULE_ALONE, subjects=[subject], measure=measure)
    return _limited(TaskSpec(task_id=8, name="bench it", bench=bench), limit_s)


def measure_options(warmup_s: float, min_s: float, max_s: float) -> MeasureOptions:
    options = MeasureOptions(mode=MeasureOptions.MODE_LATENCY)
    options.warmup.FromNanoseconds(int(warmup_s * 1e9))
    options.min_duration.FromNanoseconds(int(min_s * 1e9))
    options.max_duration.FromNanoseconds(int(max_s * 1e9))
    return options


def _limited(spec: TaskSpec, limit_s: float) -> TaskSpec:
    spec.time_limit.FromNanoseconds(int(limit_s * 1e9))
    return spec


def nowhere(artifact: Artifact) -> Path:
    """Where the files of a task lie that has none."""
    raise AssertionError(f"asked for {artifact.name}")
