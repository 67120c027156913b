"""On a real NVIDIA GPU: the context, the session and ONNX Runtime's CUDA provider. By hand: pytest -m gpu."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.cuda import Cuda, is_usable
from agent.runtime.gpu.engine import Slot
from agent.runtime.gpu.session import GpuSession
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from agent.runtime.registry import versions
from agent.work.ceilings import measure_gpu
from agent.work.measure import MeasureLimits, measure_alone
from agent.work.pace import ArrivalPattern
from agent.work.summary import summarise
from benchmarks.context import BUFFER_MIB, context_figures
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_TF32,
    Artifact,
    BuildTask,
    Subject,
    TensorSpec,
)
from tests.agent.builders import as_model, classifier, nowhere, scores, tensor_spec

pytestmark = pytest.mark.gpu

ENDS = (("x", [2, 6]), ("y", [2, 4]))
X = np.random.default_rng(5).standard_normal((2, 6)).astype(np.float32)


def silent(phase: str, fraction: float | None, detail: str) -> None: ...


def build(folder: Path, model: onnx.ModelProto, inputs: list[TensorSpec], precision: int = PRECISION_FP32) -> Path:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    task = BuildTask(
        engine_key="k",
        precision=precision,
        placement="gpu",
        inputs=inputs,
        artifacts=[Artifact(role=ARTIFACT_ROLE_MODEL_FP32, name="model.onnx")],
    )
    OnnxRuntime().build(task, folder, folder / "engine", nowhere, silent)
    return folder / "engine"


def subject(inputs: list[TensorSpec], precision: int = PRECISION_FP32, **options: str) -> Subject:
    return Subject(inputs=inputs, options=options, placement="gpu", precision=precision)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[GpuSession]:
    with closing(
        OnnxRuntime().load(build(tmp_path, classifier()[0], [tensor_spec()]), subject([tensor_spec()]), nowhere)
    ) as it:
        yield it


def test_the_device_is_known_and_the_context_goes_back() -> None:
    assert is_usable()
    for wait in ("block", "spin"):
        with closing(Cuda.open(wait=wait)) as cuda:
            free, total = cuda.memory()
            assert 0 < free <= total
            assert cuda.sm_count > 0
            assert float(cuda.compute_capability) >= 5.0
    cuda.close()  # once more does nothing


def test_a_device_that_is_not_there_is_a_device_fault() -> None:
    with pytest.raises(DeviceFault, match="CUDA does not start"):
        Cuda.open(99)


def test_bytes_go_in_and_out() -> None:
    with closing(Cuda.open()) as cuda:
        stream, buffer = cuda.stream(), cuda.device(24)
        there, back = cuda.pinned((2, 3), "float32"), cuda.pinned((2, 3), "float32")
        there[:] = np.arange(6).reshape(2, 3)
        begin, end = cuda.event(), cuda.event()
        begin.record(stream)
        cuda.copy_in(buffer, there, stream)
        cuda.copy_out(back, buffer, stream)
        end.record(stream)
        end.wait()
        assert np.array_equal(there, back)
        assert end.ms_since(begin) > 0
        assert cuda.mapped(there) != 0
        assert cuda.pinned((), "int64").shape == ()
        assert cuda.pinned((0, 4), "float16").shape == (0, 4)
        buffer.free()
        del there, back, begin, end, stream


def test_memory_that_is_not_there_is_a_memory_error() -> None:
    class Giant:
        inputs = (Slot("x", "float32", (1 << 40, 4)),)
        outputs = ()

        def bind(self, name: str, pointer: int) -> None: ...

        def close(self) -> None: ...

    with pytest.raises(MemoryError):
        GpuSession(Giant(), Cuda.open())


def test_the_gpu_answers_like_the_model(session: GpuSession) -> None:
    _, weights = classifier()
    for x in (X, X + 1):
        session.bind({"x": x})
        session.infer()
        assert np.allclose(session.outputs()["scores"], scores(weights, x), atol=1e-5)
    described = session.describe()
    assert described["providers"].startswith("CUDAExecutionProvider")
    assert described["use_tf32"] == "0"
    assert "on CUDAExecutionProvider" in described["nodes"]


@pytest.mark.parametrize("wait", ["block", "spin"])
def test_stages_add_up_and_the_residual_is_what_the_host_saw_besides(tmp_path: Path, wait: str) -> None:
    spec = [tensor_spec()]
    engine = build(tmp_path, classifier()[0], spec)
    with closing(OnnxRuntime().load(engine, subject(spec, wait=wait), nowhere)) as session:
        session.bind({"x": X})
        recording = measure_alone(session, MeasureLimits(0.1, 0.3, 1.0), silent)
    stages = {name: np.concatenate(blocks) for name, blocks in recording.stages.items()}
    latency = np.concatenate(recording.rounds)
    assert np.allclose(stages["h2d"] + stages["compute"] + stages["d2h"], latency)
    assert np.allclose(latency + stages["residual"], stages["e2e"])
    assert min(float(stages[name].min()) for name in ("h2d", "compute", "d2h", "enqueue")) > 0
    assert float(np.median(stages["residual"])) > 0
    # The loop's own wall clock is the sum of its inferences, and of microseconds between them.
    between_us = 1e3 * (recording.window_s * 1e3 - stages["e2e"].sum()) / len(latency)
    assert 0 <= between_us < 5
    assert summarise(recording, 1).n == len(latency)


def test_a_cuda_graph_gives_the_same_answers(tmp_path: Path) -> None:
    _, weights = classifier()
    spec = [tensor_spec()]
    engine = build(tmp_path, classifier()[0], spec)
    with closing(OnnxRuntime().load(engine, subject(spec, cuda_graph="on"), nowhere)) as session:
        for x in (X, X * 2):
            session.bind({"x": x})
            session.infer()
            assert np.allclose(session.outputs()["scores"], scores(weights, x), atol=1e-5)
        assert session.describe()["cuda_graph"] == "on"


def test_a_graph_is_used_by_default_where_everything_is_on_the_gpu(tmp_path: Path) -> None:
    spec = [tensor_spec()]
    engine = build(tmp_path, classifier()[0], spec)
    with closing(OnnxRuntime().load(engine, subject(spec), nowhere)) as session:
        session.bind({"x": X})
        described = session.describe()
        assert (described["cuda_graph"], described.get("why_no_cuda_graph")) == ("on", None)


def test_streams_beside_one_another_answer_alike(tmp_path: Path) -> None:
    _, weights = classifier()
    spec = [tensor_spec()]
    first = OnnxRuntime().load(build(tmp_path, classifier()[0], spec), subject(spec), nowhere)
    with closing(first), ThreadPoolExecutor(1) as thread:
        second = thread.submit(first.another).result()
        thread.submit(second.bind, {"x": X + 1}).result()
        first.bind({"x": X})
        running = thread.submit(lambda: [second.infer() for _ in range(200)])
        for _ in range(200):
            first.infer()
        running.result()
        assert np.allclose(first.outputs()["scores"], scores(weights, X), atol=1e-5)
        assert np.allclose(thread.submit(second.outputs).result()["scores"], scores(weights, X + 1), atol=1e-5)
        thread.submit(second.close).result()


def test_a_paced_gpu_says_what_idling_costs(tmp_path: Path) -> None:
    spec = [tensor_spec()]
    with closing(OnnxRuntime().load(build(tmp_path, classifier()[0], spec), subject(spec), nowhere)) as session:
        session.bind({"x": X})
        limits = MeasureLimits(0.1, 2.0, 2.0, ArrivalPattern(200.0, 0.005))
        found = summarise(measure_alone(session, limits, silent), 1)
    assert found.n == pytest.approx(400, abs=2)
    for name in ("response_p50_ms", "after_idle_p50_ms", "back_to_back_p50_ms", "compute_p50_ms", "wake_error_p50_ms"):
        assert found.metrics[name].value > 0


def test_tf32_is_another_arithmetic_than_fp32(tmp_path: Path) -> None:
    model, weights = classifier(features=512, classes=256)
    x = np.random.default_rng(1).standard_normal((256, 512)).astype(np.float32)
    spec = [tensor_spec(x.shape)]
    errors = {}
    for precision in (PRECISION_FP32, PRECISION_TF32):
        engine = build(tmp_path, model, spec, precision)
        with closing(OnnxRuntime().load(engine, subject(spec, precision), nowhere)) as session:
            session.bind({"x": x})
            session.infer()
            wanted = np.maximum(x.astype(np.float64), 0) @ weights.astype(np.float64)
            errors[precision] = float(np.linalg.norm(session.outputs()["scores"] - wanted) / np.linalg.norm(wanted))
    assert errors[PRECISION_FP32] < 1e-6
    assert 1e-5 < errors[PRECISION_TF32] < 1e-2


def quantised(weights: np.ndarray, bias: np.ndarray) -> onnx.ModelProto:
    """x[2, 6] -> y[2, 4] through Q/DQ pairs over half floats, with a bias too large for a scale of half floats."""
    scale = np.float16(np.abs(weights).max() / 127)
    constants = {"w": weights.astype(np.float16), "b": bias, "sx": np.float16(0.02), "sw": scale, "z": np.int8(0)}
    nodes = [
        helper.make_node("Cast", ["x"], ["xh"], to=TensorProto.FLOAT16),
        helper.make_node("QuantizeLinear", ["xh", "sx", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "sx", "z"], ["xd"]),
        helper.make_node("QuantizeLinear", ["w", "sw", "z"], ["wq"]),
        helper.make_node("DequantizeLinear", ["wq", "sw", "z"], ["wd"]),
        helper.make_node("Gemm", ["xd", "wd", "b"], ["yh"]),
        helper.make_node("Cast", ["yh"], ["y"], to=TensorProto.FLOAT),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ENDS]
    initialisers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "quantised", ends[:1], ends[1:], initialisers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def test_biases_of_a_quantised_graph_stay_what_they_are(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    weights = (0.01 * random.standard_normal((6, 4))).astype(np.float32)
    bias = np.array([1.0, -2.0, 0.5, 3.0], np.float16)
    (tmp_path / "model.onnx").write_bytes(quantised(weights, bias).SerializeToString())
    task = BuildTask(
        engine_key="k",
        precision=PRECISION_INT8,
        placement="gpu",
        inputs=[tensor_spec()],
        artifacts=[Artifact(role=ARTIFACT_ROLE_MODEL_QDQ, name="model.onnx")],
    )
    made = OnnxRuntime().build(task, tmp_path, tmp_path / "engine", nowhere, silent)
    assert not made.built.warnings, "every node is on the GPU"
    with closing(OnnxRuntime().load(tmp_path / "engine", subject([tensor_spec()], PRECISION_INT8), nowhere)) as session:
        session.bind({"x": X})
        session.infer()
        assert np.allclose(session.outputs()["y"], X @ weights + bias, atol=0.02)


def test_an_output_shaped_by_its_data_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["places"])],
        "nonzero",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("places", TensorProto.INT64, [1, None])],
    )
    spec = [tensor_spec((4,))]
    with pytest.raises(BadInput, match="depends on the data"):
        OnnxRuntime().load(build(tmp_path, as_model(graph), spec), subject(spec), nowhere)


def test_what_ran_is_known(tmp_path: Path) -> None:
    engine = build(tmp_path, classifier()[0], [tensor_spec()])
    (tmp_path / "scratch").mkdir()
    found = OnnxRuntime().inspect(engine, subject([tensor_spec()]), {"x": X}, tmp_path / "scratch")
    assert ("MatMul", "float32") in {(kernel.op, kernel.type) for kernel in found.kernels}


def test_the_provider_is_announced() -> None:
    found = versions()
    assert found["onnxruntime_cuda"] == found["onnxruntime"]


FORGETFUL = """
import sys
from agent.runtime.gpu.cuda import Cuda
kept = Cuda.open()
stream, event, array = kept.stream(), kept.event(), kept.pinned((3,), "float32")
sys.exit(3)
"""


def test_a_context_that_is_never_given_back_does_not_abort_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", FORGETFUL], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 3, done.stderr


def test_device_memory_comes_back_while_the_process_lives() -> None:
    held, left = (figure.value for figure in context_figures())
    assert held is not None
    assert held >= BUFFER_MIB
    assert left == 0


def test_ceilings_are_measured_on_the_device_and_in_the_type_that_runs(tmp_path: Path) -> None:
    runtime = OnnxRuntime()
    single = measure_gpu(runtime, PRECISION_FP32, tmp_path).rates["matmul_gflop_per_s"]
    tf32 = measure_gpu(runtime, PRECISION_TF32, tmp_path).rates["matmul_tf32_gflop_per_s"]
    half = measure_gpu(runtime, PRECISION_FP16, tmp_path)
    assert 100 < single < tf32 < half.rates["matmul_fp16_gflop_per_s"] < 10_000_000
    assert 10 < half.rates["copy_gb_per_s"] < 20_000
    int8 = measure_gpu(runtime, PRECISION_INT8, tmp_path)  # this provider has no kernels for it, and says so
    assert "matmul_int8_gop_per_s" not in int8.rates
    assert "matmul_fp16_gflop_per_s" in int8.rates
