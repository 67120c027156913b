"""Asked versus got, on real engines: what ONNX Runtime says it ran, and what is concluded from that."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.attempt import AttemptDir
from agent.runtime.base import Kernel
from agent.runtime.onnxruntime.profile import read_profile
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from agent.work.audit import describe_types, disclaim_checks, precision_flags
from agent.work.main import Reporter, run
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENVIRONMENT,
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    FLAG_KIND_PRECISION_NOT_HONOURED,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_TF32,
    Artifact,
    ArtifactRole,
    BuildTask,
    Flag,
    Measurement,
    OutputCheck,
    Precision,
    Subject,
    TensorCheck,
)
from tests.agent.builders import Blobs, as_model, bench_task, nowhere, tensor_spec

X = np.random.default_rng(5).standard_normal((2, 6)).astype(np.float32)
WEIGHTS = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
OFF = OutputCheck(rule=OutputCheck.RULE_OFF)


def graph(nodes: list[onnx.NodeProto], **weights: np.ndarray) -> bytes:
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    content: bytes = as_model(made).SerializeToString()
    return content


def fp32() -> bytes:
    return graph([helper.make_node("MatMul", ["x", "w"], ["y"])], w=WEIGHTS)


def fp16() -> bytes:
    nodes = [
        helper.make_node("Cast", ["x"], ["xh"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["xh", "w"], ["yh"]),
        helper.make_node("Cast", ["yh"], ["y"], to=TensorProto.FLOAT),
    ]
    return graph(nodes, w=WEIGHTS.astype(np.float16))


def qdq() -> bytes:
    """Symmetric, with zero points of 0, as the workstation makes them."""
    scales = np.abs(WEIGHTS).max(axis=0) / 127
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("QuantizeLinear", ["w", "sw", "zw"], ["wq"], axis=1),
        helper.make_node("DequantizeLinear", ["wq", "sw", "zw"], ["wd"], axis=1),
        helper.make_node("MatMul", ["xd", "wd"], ["yf"]),
        helper.make_node("QuantizeLinear", ["yf", "sy", "z"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "sy", "z"], ["y"]),
    ]
    zeros = {"z": np.int8(0), "zw": np.zeros(4, np.int8)}
    return graph(nodes, w=WEIGHTS, s=np.float32(3 / 127), sy=np.float32(8 / 127), sw=scales, **zeros)


MODELS = {
    PRECISION_FP32: (fp32, ARTIFACT_ROLE_MODEL_FP32),
    PRECISION_FP16: (fp16, ARTIFACT_ROLE_MODEL_FP16),
    PRECISION_INT8: (qdq, ARTIFACT_ROLE_MODEL_QDQ),
}


def build(folder: Path, content: bytes, precision: "Precision.ValueType", *roles: "ArtifactRole.ValueType") -> Path:
    (folder / "model.onnx").write_bytes(content)
    artifacts = [Artifact(role=role, name="model.onnx") for role in roles]
    task = BuildTask(engine_key="k", inputs=[tensor_spec()], artifacts=artifacts, precision=precision)
    OnnxRuntime().build(task, folder, folder / "engine", nowhere, lambda *_: None)
    return folder / "engine"


def kernels(folder: Path, precision: "Precision.ValueType") -> list[Kernel]:
    make, role = MODELS[precision]
    subject = Subject(inputs=[tensor_spec()], placement="cpu")
    (folder / "audit").mkdir()
    made = OnnxRuntime().inspect(build(folder, make(), precision, role), subject, {"x": X}, folder / "audit")
    return list(made.kernels)


def test_an_fp32_engine_computes_in_float32(tmp_path: Path) -> None:
    assert kernels(tmp_path, PRECISION_FP32) == [Kernel("MatMul", "float32")]


def test_an_int8_engine_computes_in_integers(tmp_path: Path) -> None:
    found = kernels(tmp_path, PRECISION_INT8)
    assert describe_types(found).startswith("1 of 1 compute nodes ran in int8 (1 ")
    assert precision_flags(PRECISION_INT8, found) == []


def test_an_fp16_engine_is_honoured_just_where_it_computes_in_halves(tmp_path: Path) -> None:
    found = kernels(tmp_path, PRECISION_FP16)
    (product,) = [kernel for kernel in found if "MatMul" in kernel.op]
    flags = precision_flags(PRECISION_FP16, found)
    assert (flags == []) == (product.type == "float16")  # some CPUs can
    assert product.type in ("float16", "float32")


def kinds(flags: list[Flag]) -> list[str]:
    return [flag.evidence for flag in flags if flag.kind == FLAG_KIND_PRECISION_NOT_HONOURED]


def test_a_few_wider_kernels_do_not_make_another_precision() -> None:
    right, wrong = Kernel("QLinearConv", "uint8"), Kernel("FusedConv", "float32")
    cast = Kernel("Cast", "float32")
    assert precision_flags(PRECISION_INT8, [right] * 9 + [wrong, cast]) == []
    assert kinds(precision_flags(PRECISION_INT8, [right] * 8 + [wrong] * 2)) == [
        "asked int8: 8 of 10 compute nodes ran in int8, 2 of 10 compute nodes ran in float32 "
        "(8 QLinearConv, 2 FusedConv)"
    ]
    assert kinds(precision_flags(PRECISION_FP16, [Kernel("Conv", "float32"), cast] * 12)) == [
        "asked fp16: 12 of 12 compute nodes ran in float32 (12 Conv)"
    ]
    assert precision_flags(PRECISION_FP32, [right]) == []


def test_without_compute_nodes_those_on_floats_tell() -> None:
    found = [Kernel("Relu", "float32"), Kernel("Cast", "")]
    (flag,) = precision_flags(PRECISION_FP16, found)
    assert flag.evidence == "asked fp16: 1 of 1 nodes on floats ran in float32"
    assert precision_flags(PRECISION_FP16, [*found, Kernel("Add", "float16")]) == []
    assert precision_flags(PRECISION_FP16, [Kernel("Cast", "")]) == []
    assert describe_types(found) == "no compute nodes (no convolution or matrix product)"
    assert describe_types([Kernel("Gemm", "")]) == "1 of 1 compute nodes ran in an unknown type (1 Gemm)"


def test_a_node_in_a_loop_counts_once(tmp_path: Path) -> None:
    ran = {"cat": "Node", "name": "m_kernel_time", "args": {"op_name": "Gemm", "input_type_shape": [{"double": [1]}]}}
    events = [{"cat": "Session", "name": "model_run"}, ran, ran, {**ran, "name": "m_fence_before"}]
    (tmp_path / "p.json").write_text(json.dumps([*events, {**ran, "name": "n_kernel_time", "args": {}}]))
    assert read_profile(tmp_path / "p.json") == [Kernel("Gemm", "float64"), Kernel("", "")]


def test_a_precision_is_built_from_its_own_graph_alone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="an fp16 engine is made from an fp16 graph, and the task brings none"):
        build(tmp_path, fp32(), PRECISION_FP16, ARTIFACT_ROLE_MODEL_FP32)
    with pytest.raises(BadInput, match="onnxruntime has no tf32 on the CPU"):
        build(tmp_path, fp32(), PRECISION_TF32, ARTIFACT_ROLE_MODEL_FP32)


@pytest.mark.parametrize("precision", MODELS)
def test_a_bench_is_audited_after_its_timing(tmp_path: Path, precision: "Precision.ValueType") -> None:
    make, role = MODELS[precision]
    (tmp_path / "build").mkdir()
    engine = build(tmp_path / "build", make(), precision, role).read_bytes()
    blobs = Blobs(tmp_path / "blobs")
    spec = bench_task(blobs, engine=engine, runtime="onnxruntime", check=OFF, seconds=(0, 0.02, 0.1))
    spec.bench.subjects[0].precision = precision
    attempt = AttemptDir(tmp_path / "attempt")
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        (attempt.blobs / path.name).write_bytes(path.read_bytes())
    run(attempt, Reporter(None))
    outcome = run(attempt, Reporter(None))  # as after a first process that found it unstable
    (measurement,) = outcome.measured.measurements
    assert measurement.n > 0
    (environment,) = [item for item in outcome.artifacts if item.role == ARTIFACT_ROLE_ENVIRONMENT]
    noted = json.loads((attempt.out / environment.sha256).read_text())["runtime"]
    flagged = kinds(list(measurement.flags))
    if precision == PRECISION_FP32:
        assert noted["precision"].startswith("1 of 1 compute nodes ran in float32")
        assert flagged == []
    elif precision == PRECISION_INT8:
        assert noted["precision"].startswith("1 of 1 compute nodes ran in int8")
        assert flagged == []
    else:
        assert flagged == ([] if "float16" in noted["precision"] else [f"asked fp16: {noted['precision']}"])


def test_a_simulated_bench_is_not_audited(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    spec = bench_task(blobs, check=OFF)
    spec.bench.subjects[0].precision = PRECISION_FP16
    attempt = AttemptDir(tmp_path / "attempt")
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        (attempt.blobs / path.name).write_bytes(path.read_bytes())
    (measurement,) = run(attempt, Reporter(None)).measured.measurements
    assert kinds(list(measurement.flags)) == []


def test_outputs_in_another_type_vouch_for_nothing_of_the_one_asked_for() -> None:
    measurement = Measurement(checks=[TensorCheck(tensor="y", passed=True, detail="cosine 1, at least 0.999 wanted")])
    disclaim_checks(measurement, PRECISION_FP16, [Kernel("Conv", "float32"), Kernel("Cast", "float16")])
    (check,) = measurement.checks
    assert check.detail == "cosine 1, at least 0.999 wanted; computed in float32: says nothing of fp16"
